"""What became of a feature's credit, named: credit of linear models is weight x (value - mean)."""

import numpy as np
import pytest

import workbench as wb
from tests.lab.rows_by_hand import drift_of, explained, linear, measured, network, table
from workbench.core import Inputs
from workbench.lab import findings
from workbench.methods import PermutationSHAP

N = 60
VALUES = np.random.default_rng(5).normal(size=(N, 4))
VALUES[:, 3] = VALUES[:, 2]  # d is c's twin


def moved(before, after, values=VALUES):
    """The features of a copy with other weights, those that moved most first."""
    inputs = Inputs(values, kind="tabular", features=tuple("abcd"))
    credit = [(values - values.mean(axis=0)) * weights for weights in (before, after)]
    made = drift_of(
        measured("copy", np.ones(N)),
        attributions=tuple(
            explained(name, one, inputs) for name, one in zip(("net", "copy"), credit, strict=True)
        ),
    )
    return findings(made).features


def words(before, after, values=VALUES):
    return {one.feature: one.words for one in moved(before, after, values)}


def test_a_feature_whose_sign_turned_comes_first_though_no_size_changed():
    first, *others = moved([2, -1, 0.5, 0], [2, 1, 0.5, 0])
    assert (first.feature, first.words, first.turned) == ("b", "sign turned", 1.0)
    assert first.size_before == pytest.approx(first.size_after)
    # From -1 to 1, so twice its size, and by row once up and once down.
    assert first.moved == pytest.approx(2 * first.size_before)
    assert first.mean_change == pytest.approx(0.0, abs=1e-12)
    assert {one.words for one in others} == {"same"}


def test_weights_that_are_a_tenth_less_shrank_and_those_a_tenth_more_grew():
    found = {one.feature: one for one in moved([2, -1, 0.5, 0], [1.8, -1.1, 0.5, 0])}
    assert [found[name].words for name in "abcd"] == ["shrank", "grew", "same", "same"]
    assert found["a"].moved == pytest.approx(0.1 * found["a"].size_before)
    assert found["a"].turned == 0.0


def test_a_weight_that_went_to_a_twin_is_named_at_both_ends():
    assert words([1, 0, 2, 0], [1, 0, 0, 2]) == {
        "a": "same",
        "b": "same",
        "c": "lost to d",
        "d": "gained from c",
    }
    # Half of it is enough, and a twin need not be the same number for number.
    near = VALUES.copy()
    near[:, 3] = 0.98 * near[:, 2] + 0.2 * near[:, 1]
    for values in (VALUES, near):
        found = words([1, 0, 2, 0], [1, 0, 1, 1], values)
        assert (found["c"], found["d"]) == ("lost to d", "gained from c")


def test_a_weight_that_went_to_an_unrelated_column_was_lost_and_won_by_nobody():
    found = words([1, 2, 0, 0], [1, 0, 2, 0])
    assert (found["b"], found["c"]) == ("shrank", "grew")


def test_each_end_is_given_to_one_pair_alone():
    three = np.random.default_rng(0).normal(size=(N, 2))[:, [0, 0, 0, 1]]
    found = words([2, 0, 0, 1], [0, 2, 2, 1], three)
    assert found == {"a": "lost to b", "b": "gained from a", "c": "grew", "d": "same"}


@pytest.mark.parametrize(("turned", "said"), [(30, "moved"), (31, "sign turned")])
def test_a_sign_turned_where_it_did_in_most_rows(turned, said):
    inputs = Inputs(np.zeros((N, 2)), kind="tabular", features=("a", "b"))
    before = np.tile([1.0, 3.0], (N, 1))
    after = before.copy()
    after[:turned, 0] = -1
    made = drift_of(
        measured("copy", np.ones(N)),
        attributions=(explained("net", before, inputs), explained("copy", after, inputs)),
    )
    first = findings(made).features[0]
    assert (first.feature, first.words, first.turned) == ("a", said, turned / N)


def test_rows_in_which_a_feature_does_not_count_do_not_say_that_its_sign_stayed():
    inputs = Inputs(np.zeros((N, 2)), kind="tabular", features=("a", "b"))
    before = np.tile([0.0, 3.0], (N, 1))
    before[:20, 0] = 1.0
    made = drift_of(
        measured("copy", np.ones(N)),
        attributions=(
            explained("net", before, inputs),
            explained("copy", before * [-1, 1], inputs),
        ),
    )
    assert findings(made).features[0].turned == 1.0


@pytest.mark.parametrize(
    ("rows", "to"),
    [
        # 0.1 or 0.2 more in every row, which no chance explains, but 24 of 60 rows turned: 0.14 of 0.94.
        (24, [-1.2, 1.1]),
        # All that moved is size, but it moved in one row: 3/60 = 0.05, with a standard error of 0.05.
        (1, [4.0, 1.0]),
    ],
)
def test_what_moved_by_something_else_than_size_or_by_chance_neither_grew_nor_shrank(rows, to):
    inputs = Inputs(np.zeros((N, 2)), kind="tabular", features=("a", "b"))
    before = np.tile([1.0, 3.0], (N, 1))
    after = before.copy()
    after[:rows, 0], after[rows:, 0] = to
    made = drift_of(
        measured("copy", np.ones(N)),
        attributions=(explained("net", before, inputs), explained("copy", after, inputs)),
    )
    assert findings(made).features[0].words == "moved"


def test_rounding_names_nothing_also_where_it_turns_a_sign():
    inputs = Inputs(np.zeros((N, 3)), kind="tabular", features=tuple("abc"))
    before = np.tile([4.0, -3.0, 1e-17], (N, 1))
    after = before * [1 + 1e-12, 1 - 1e-12, -1]
    made = drift_of(
        measured("copy", np.full(N, 1e-12)),
        attributions=(explained("net", before, inputs), explained("copy", after, inputs)),
    )
    assert {one.words for one in findings(made).features} == {"same"}
    assert {one.turned for one in findings(made).features} == {0.0}


@pytest.mark.parametrize(("by", "said"), [(0.0249, "same"), (0.0251, "shrank")])
def test_a_feature_is_the_same_within_half_a_percent_of_the_explanations_length(by, said):
    inputs = Inputs(np.zeros((N, 2)), kind="tabular", features=("a", "b"))
    before = np.tile([3.0, 4.0], (N, 1))  # of length 5, of which half a percent is 0.025
    made = drift_of(
        measured("copy", np.ones(N)),
        attributions=(
            explained("net", before, inputs),
            explained("copy", before - [by, 0.0], inputs),
        ),
    )
    found = {one.feature: one.words for one in findings(made).features}
    assert found == {"a": said, "b": "same"}


def test_other_seeds_alone_move_no_feature():
    found = wb.drift(
        network(), network("copy"), table(40), PermutationSHAP(budget=300), paired=False
    )
    features = findings(found).features
    assert min(one.moved for one in features) > 0
    assert {one.words for one in features} == {"same"}


def test_a_flipped_weight_of_a_model_is_named_through_a_drift():
    weights = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3]
    turned = [1.0, 0.8, -0.6, 0.5, 0.4, 0.3]
    found = wb.drift(
        linear("net", *weights), linear("copy", *turned), table(30), PermutationSHAP(budget=400)
    )
    said = [(one.feature, one.words) for one in findings(found).features]
    assert said[0] == ("w", "sign turned")
    assert {what for _, what in said[1:]} == {"same"}
