"""Predictions beside each other, on scores small enough to work out by hand, and against referees."""

import numpy as np
import pytest
from scipy import stats

from workbench.compare import behavior
from workbench.compare.drift.behavior import probabilities
from workbench.core import predicted_classes
from workbench.errors import InputError

NAMES = ("cat", "dog", "owl")


def scores(*classes, sure=2.0):
    return sure * np.eye(3)[list(classes)]


def test_flips_are_counted_by_direction_and_by_what_is_right():
    before, after = scores(0, 0, 1, 2, 2), scores(0, 1, 1, 0, 0)
    found = behavior(before, after, NAMES, "logit", y=[0, 0, 1, 2, 0], name="int8")
    assert found.model == "int8"
    assert found.flips == 3 / 5
    assert found.flips_by == {("cat", "dog"): 1 / 5, ("owl", "cat"): 2 / 5}
    assert (found.to_wrong, found.to_right) == (2 / 5, 1 / 5)
    assert found.accuracy == (4 / 5, 3 / 5)
    assert (found.largest, found.typical) == (2.0, 2 * 2 * 3 / 15)


def test_an_identical_copy_changes_nothing_at_all():
    before = np.random.default_rng(0).normal(size=(30, 3))
    found = behavior(before, before.copy(), NAMES, "logit", y=[0, 1, 2] * 10)
    assert (found.flips, found.kl, found.largest, found.typical) == (0, 0, 0, 0)
    assert (found.to_wrong, found.to_right, found.mcnemar) == (0, 0, 1)
    assert found.accuracy[0] == found.accuracy[1]
    assert found.ece[0] == found.ece[1]


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (3, 3), (9, 2), (1, 14)])
def test_mcnemar_is_the_exact_binomial_test(lost, won):
    stay = 5
    before = scores(*[0] * lost, *[1] * won, *[0] * stay)
    after = scores(*[1] * lost, *[0] * won, *[0] * stay)
    found = behavior(before, after, NAMES, "logit", y=np.zeros(lost + won + stay, int))
    expected = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert found.mcnemar == pytest.approx(expected)


def test_divergence_is_scipys_of_the_probabilities():
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(2, 20, 3)) * 3
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (before, after))
    expected = np.mean([stats.entropy(a, b) for a, b in zip(p, q, strict=True)])
    assert behavior(before, after, NAMES, "logit").kl == pytest.approx(expected)
    assert behavior(p, q, NAMES, "probability").kl == pytest.approx(expected)
    # What the reference holds possible and the copy does not is dear, but counted.
    never = behavior([[0.5, 0.5]], [[1.0, 0.0]], ("a", "b"), "probability").kl
    assert never == pytest.approx(0.5 * np.log(0.5) + 0.5 * np.log(0.5 / 1e-12))


def test_one_output_is_a_class_and_its_opposite():
    before, after = np.array([[-1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [-3.0]])
    found = behavior(before, after, ("ill",), "logit", y=[0, 1, 1])
    assert found.flips_by == {("not ill", "ill"): 1 / 3, ("ill", "not ill"): 1 / 3}
    assert found.accuracy == (1, 1 / 3)
    p, q = (1 / (1 + np.exp(-x[:, 0])) for x in (before, after))
    kl = np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    assert found.kl == pytest.approx(kl)
    truth = np.array([0, 1, 1])
    # Summed over both classes, the score is twice that of the one.
    assert found.brier == pytest.approx([2 * np.mean((x - truth) ** 2) for x in (p, q)])
    assert predicted_classes([[0.5], [0.6]], "probability").tolist() == [0, 1]
    same = behavior(np.stack([1 - p, p], 1), np.stack([1 - q, q], 1), ("no", "ill"), "probability")
    assert same.kl == pytest.approx(kl)


def test_a_sure_logit_of_one_output_keeps_both_its_probabilities():
    sure = probabilities([[40.0]], "logit")
    assert sure[0, 0] == pytest.approx(np.exp(-40), rel=1e-9)  # 1 - sigmoid(40) is 0 in float64


def test_calibration_is_the_gap_per_bin_and_brier_sums_over_classes():
    chances = np.array([[0.9, 0.1], [0.92, 0.08], [0.3, 0.7], [0.6, 0.4]])
    truth = np.array([0, 1, 1, 0])
    found = behavior(chances, chances, ("a", "b"), "probability", y=truth)
    # Of 15 bins, 0.9 and 0.92 share (13/15, 14/15]: one of two right at 0.91; the others are alone.
    assert found.ece[0] == pytest.approx((2 * abs(0.91 - 0.5) + (1 - 0.7) + (1 - 0.6)) / 4)
    expected = np.mean([2 * 0.1**2, 2 * 0.92**2, 2 * 0.3**2, 2 * 0.4**2])
    assert found.brier == pytest.approx((expected, expected))
    from sklearn.metrics import brier_score_loss

    assert found.brier[0] == pytest.approx(2 * brier_score_loss(truth, chances[:, 1]))


def test_raw_scores_have_no_classes_and_only_their_differences_are_told():
    found = behavior([[1.0], [2.0]], [[1.5], [2.0]], ("price",), "raw", y=[1.1, 2.2])
    assert (found.largest, found.typical) == (0.5, 0.25)
    assert found.flips is None
    assert found.flips_by == {}
    assert (found.kl, found.accuracy, found.mcnemar, found.ece, found.brier) == (None,) * 5


def test_chances_that_do_not_exclude_each_other_are_no_distribution():
    found = behavior(
        [[0.9, 0.8], [0.1, 0.7]],
        [[0.8, 0.9], [0.1, 0.7]],
        ("a", "b"),
        "probability",
        y=[0, 1],
    )
    assert found.flips == 1 / 2
    assert (found.kl, found.ece, found.brier) == (None, None, None)
    assert found.accuracy == (1, 1 / 2)


def test_known_classes_may_be_names():
    by_name = behavior(scores(0, 1), scores(0, 2), NAMES, "logit", y=["cat", "dog"])
    by_place = behavior(scores(0, 1), scores(0, 2), NAMES, "logit", y=[0, 1])
    assert by_name == by_place
    assert by_name.accuracy == (1, 1 / 2)


@pytest.mark.parametrize(
    ("before", "after", "classes", "words"),
    [
        (scores(0, 1), scores(0), None, r"\(2, 3\) and 'copy' \(1, 3\)"),
        (scores(0)[:, :2], scores(0)[:, :2], None, r"scores \(n, 3\)"),
        (np.zeros((0, 3)), np.zeros((0, 3)), None, "there are none"),
        (scores(0, 1), scores(0, 1), [0, 3], r"positions 0..2 .* 1 of 2 are not \(first: 3\)"),
        (scores(0, 1), scores(0, 1), ["cat", "cow"], "first: 'cow'"),
        (scores(0, 1), scores(0, 1), [0.5, 1], "first: 0.5"),
        (scores(0, 1), scores(0, 1), [0], r"shape \(2,\), but they have \(1,\)"),
    ],
)
def test_scores_and_classes_that_do_not_fit_are_refused(before, after, classes, words):
    with pytest.raises(InputError, match=words):
        behavior(before, after, NAMES, "logit", y=classes)


def test_outputs_that_are_called_by_numbers_take_numbers_as_names_and_no_guesses():
    grades = ("3", "5", "8")
    by_name = behavior(scores(0, 1), scores(0, 2), grades, "logit", y=[3, 5])
    assert by_name == behavior(scores(0, 1), scores(0, 2), grades, "logit", y=[0, 1])
    assert by_name.accuracy == (1, 1 / 2)
    as_floats = behavior(scores(0, 1), scores(0, 2), grades, "logit", y=[3.0, 5.0])
    assert as_floats == by_name
    with pytest.raises(InputError, match="numbers such as 1 are both positions and names"):
        behavior(scores(0, 1), scores(0, 1), ("1", "2", "3"), "logit", y=[1, 2])
    as_text = behavior(scores(0, 1), scores(0, 1), ("1", "2", "3"), "logit", y=["1", "2"])
    assert as_text.accuracy == (1, 1)
    digits = behavior(scores(0, 1), scores(0, 1), ("0", "1", "2"), "logit", y=[0, 1])
    assert digits.accuracy == (1, 1)


def test_probabilities_rounded_to_bfloat16_are_still_a_distribution():
    torch = pytest.importorskip("torch")
    drawn = torch.softmax(torch.randn(2000, 10, generator=torch.manual_seed(0)), dim=1)
    rounded = drawn.bfloat16().float().numpy()
    assert np.abs(rounded.sum(axis=1) - 1).max() > 1e-3
    found = behavior(drawn.numpy(), rounded, tuple("abcdefghij"), "probability")
    assert found.kl is not None
    assert 0 < found.kl < 1e-4  # relative errors of 1/512 squared
