"""What may be averaged and what is refused, and how alike members are, with scipy as referee."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from tests.compare.members_by_hand import map_members, member, random_members
from tests.results_by_hand import superpixel_result
from workbench.compare import Members, disagreement
from workbench.compare.agreement import METRICS
from workbench.core import Inputs, Target
from workbench.errors import IncompatibleError, InputError
from workbench.methods import Occlusion

FIRST = member("first", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
SECOND = member("second", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def moved(part):
    inputs = part.inputs
    return Inputs(inputs.values + 1, kind="tabular", features=inputs.features)


@pytest.mark.parametrize(
    ("other", "error", "words"),
    [
        (replace(SECOND, scale="probability"), IncompatibleError, "'first' is in logit, 'second' in prob"),
        (replace(SECOND, inputs=moved(SECOND)), InputError, r"'second' explains other rows \(2 of them\)"),
        (member("second", [[1.0, 2.0, 3.0]]), InputError, r"other rows \(1 of them\) than 'first' \(2\)"),
        (replace(SECOND, values=np.ones((2, 4))), InputError, r"\(2, 3\) and 'second' \(2, 4\)"),
        (
            replace(SECOND, players=np.array([0, 0, 1]), player_names=("x", "y")),
            InputError,
            "'second' credits others than 'first'",
        ),
        (member("second", FIRST.values, names=("a", "b", "c")), InputError, "'second' credits others"),
        (replace(SECOND, target=Target(1)), InputError, r"Target\(index=0.*Target\(index=1"),
        (replace(SECOND, explained=("yes", "no")), InputError, "row '1' it is 'yes' for 'first' and 'no'"),
        (replace(SECOND, model="first"), InputError, r"\['first'\] occur more than once"),
        (
            replace(SECOND, values=[[1.0, 2.0, 3.0], [np.nan, 0.0, 0.0]]),
            InputError,
            "'second' has others on 1 of 2 rows, first on row '1'",
        ),
        (
            replace(SECOND, output=[np.inf, 0.0]),
            InputError,
            "'second' has others on 1 of 2 rows, first on row '0'",
        ),
    ],
)  # fmt: skip
def test_members_that_may_not_be_averaged_are_refused_with_the_reason(other, error, words):
    with pytest.raises(error, match=words):
        Members.of([FIRST, other])


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1, -0.5], r"not be negative, but those of 'second' \(-0\.5\) are"),
        ([1, np.nan], r"one finite number for each of 2 members \['first', 'second'\], but are"),
        ([0, 0], "all are zero"),
        ([1, 1, 1], "one finite number for each of 2 members"),
        (["much", 1], "one finite number"),
        ({"first": 1}, r"lack \['second'\]"),
        ({"first": 1, "second": 1, "third": 1}, r"name \['third'\], which are no members"),
    ],
)
def test_weights_that_make_no_mean_are_refused(weights, words):
    with pytest.raises(InputError, match=words):
        Members.of([FIRST, SECOND], weights)
    with pytest.raises(InputError, match=words):
        disagreement([FIRST, SECOND]).reweighted(weights)


def test_nobody_no_rows_and_predictions_of_another_shape_are_refused():
    with pytest.raises(InputError, match="at least one attribution"):
        Members.of([])
    with pytest.raises(InputError, match="at least one explained row"):
        Members.of([member("empty", np.zeros((0, 3)))])
    with pytest.raises(InputError, match=r"\(2, 2\), but have the shape \(2,\)"):
        Members.of([FIRST, SECOND], predictions=["yes", "no"])


def test_weights_are_shares_of_their_sum():
    assert Members.of([FIRST, SECOND], [3, 1]).weights.tolist() == [0.75, 0.25]
    assert Members.of([FIRST, SECOND]).weights.tolist() == [0.5, 0.5]
    assert Members.of([FIRST, SECOND], {"second": 1, "first": 3}).weights.tolist() == [0.75, 0.25]
    assert Members.of([FIRST, SECOND], [1e308, 1e308]).weights.tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="read-only"):
        Members.of([FIRST, SECOND]).weights[0] = 1.0


def test_a_member_with_players_is_not_averaged_with_one_without():
    grouped = replace(FIRST, players=np.array([0, 1, 2]), player_names=())
    for pair in ([grouped, SECOND], [SECOND, grouped]):
        with pytest.raises(InputError, match="players"):
            Members.of(pair)


def test_members_explained_over_other_backgrounds_are_not_averaged():
    def over(part, background):
        return replace(part, inputs=replace(part.inputs, background=background))

    near, far = np.zeros((4, 3)), np.ones((4, 3))
    with pytest.raises(IncompatibleError, match="'first' has 4 rows and 'second' others"):
        Members.of([over(FIRST, near), over(SECOND, far)])
    with pytest.raises(IncompatibleError, match="'first' has 4 rows and 'second' none"):
        Members.of([over(FIRST, near), SECOND])
    assert len(Members.of([over(FIRST, near), over(SECOND, near.copy())])) == 2


def test_credit_of_groups_is_the_sum_of_their_columns_and_of_superpixels_their_whole():
    grouped = {"players": np.array([0, 1, 0]), "player_names": ("pair", "alone")}
    stack = Members.of([replace(FIRST, **grouped), replace(SECOND, **grouped)])
    assert stack.credit[0].tolist() == [[4.0, 2.0], [10.0, 5.0]]
    assert stack.players == ("pair", "alone")
    whole = superpixel_result()
    pieces = Members.of([whole, replace(whole, model="other")])
    assert pieces.credit[0] == pytest.approx(
        np.array([[3.0, -1.0]]), rel=1e-12
    )  # a sum of 120 parts
    assert pieces.error[0] == pytest.approx(np.array([[0.3, 0.1]]), rel=1e-12)
    assert not pieces.is_map
    assert pieces.shaped(np.array([7.0, 8.0]), 0)[0, [0, 15]].tolist() == [7.0, 8.0]


def test_recipes_that_differ_are_said():
    stack = Members.of([FIRST, replace(SECOND, method=Occlusion())])
    (note,) = stack.notes
    assert "2 recipes" in note
    assert "Occlusion" in note
    assert Members.of([FIRST, SECOND]).notes == ()


def with_ties(seed=1):
    """Members whose values are whole numbers, so that many are equal, some of them zero."""
    rng = np.random.default_rng(seed)
    return [member(f"m{k}", rng.integers(-2, 3, size=(7, 9))) for k in range(4)]


@pytest.mark.parametrize("parts", [random_members(), with_ties()], ids=["distinct", "ties"])
@pytest.mark.parametrize(
    ("metric", "referee"),
    [
        ("kendall", lambda a, b: kendalltau(a, b).statistic),
        ("spearman", lambda a, b: spearmanr(a, b).statistic),
        ("cosine", METRICS["cosine"]),
        ("top5", METRICS["top5"]),
    ],
)
def test_similarities_are_the_referees_pair_by_pair_and_row_by_row(parts, metric, referee):
    stack = Members.of(parts)
    found = stack.similarity(metric)
    n = len(stack.rows)
    assert found.shape == (n, 4, 4)
    for i in range(n):
        for a in range(4):
            for b in range(4):
                expected = referee(parts[a].values[i], parts[b].values[i])
                assert found[i, a, b] == pytest.approx(
                    expected, abs=1e-12
                )  # sums of 36 signs, of 9 squares
    matrix = disagreement(stack).matrix(metric)
    assert matrix.to_numpy() == pytest.approx(found.mean(axis=0))
    assert list(matrix.index) == list(matrix.columns) == ["m0", "m1", "m2", "m3"] or len(parts) == 4
    assert disagreement(stack).matrix(metric, row=2).to_numpy() == pytest.approx(found[2])


def test_the_strongest_tenth_of_a_map_is_compared():
    parts = map_members()
    found = Members.of(parts).similarity("top tenth")[0]
    k = 12 * 16 // 10
    tops = [set(np.argsort(-np.abs(part.maps()[0].ravel()))[:k].tolist()) for part in parts]
    for a in range(3):
        for b in range(3):
            assert found[a, b] == pytest.approx(len(tops[a] & tops[b]) / k, abs=1e-12)  # a quotient


@pytest.mark.parametrize("metric", ["cosine", "spearman", "kendall"])
def test_a_member_that_tells_nothing_apart_agrees_only_with_its_like(metric):
    parts = [member(name, [[0.0, 0.0, 0.0]]) for name in "ab"] + [member("c", [[1.0, 2.0, 3.0]])]
    assert Members.of(parts).similarity(metric)[0] == pytest.approx(
        np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    )


def test_similarity_does_not_depend_on_the_size_of_the_numbers():
    parts = random_members()
    tiny = [replace(part, values=part.values * 1e-200) for part in parts]
    assert Members.of(tiny).similarity("cosine") == pytest.approx(
        Members.of(parts).similarity("cosine"), abs=1e-12  # roundings of the scaling
    )  # fmt: skip


def test_one_player_has_no_order_to_disagree_on():
    stack = Members.of([member("a", [[1.0]]), member("b", [[-1.0]])])
    assert stack.similarity("kendall").ravel().tolist() == [1.0] * 4
    assert stack.similarity("cosine")[0].tolist() == [[1.0, -1.0], [-1.0, 1.0]]
