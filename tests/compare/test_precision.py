"""What rounding may do to scores and values, and that a drift within it counts as none."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from tests.compare.drift_by_hand import explanation
from workbench.compare import judge
from workbench.compare.drift.precision import floor_of_values, rounding_of
from workbench.core import Target
from workbench.errors import InputError

rng = np.random.default_rng(0)
SCORES = rng.normal(size=(40, 3)) * 4


def in_precision(dtype):
    return torch.tensor(SCORES).to(dtype).double().numpy()


@dataclass(frozen=True)
class OfGradients:
    """A recipe that asks for gradients."""

    needs: ClassVar[tuple[str, ...]] = ("gradient",)


@pytest.mark.parametrize(
    ("dtype", "step"),
    [(torch.bfloat16, 2.0**-8), (torch.float16, 2.0**-11), (torch.float32, 4 * 2.0**-24)],
)
def test_the_grid_that_scores_lie_on_tells_their_precision(dtype, step):
    scores = in_precision(dtype)
    size, apart = np.abs(scores), np.abs(scores - np.median(scores, axis=0))
    size, apart = (np.maximum(one, np.median(one, axis=0)) for one in (size, apart))
    assert rounding_of(scores) == pytest.approx(np.maximum(step * size, 1e-6 * apart))
    # What it is for: scores of that precision lie no farther from the exact ones.
    assert (np.abs(scores - SCORES) <= rounding_of(scores)).all()


def test_an_offset_of_exact_scores_is_no_imprecision():
    far = SCORES + 2.0**20
    assert rounding_of(far) == pytest.approx(rounding_of(SCORES), rel=1e-6)


def test_what_neighbors_in_a_batch_do_counts_up_to_the_size_of_a_rounding():
    scores = in_precision(torch.bfloat16)
    alone = scores[:8] * (1 + 8 * 2.0**-8)
    assert (rounding_of(scores, alone) >= 7.9 * 2.0**-8 * np.abs(scores)).all()
    # A model whose rows depend on each other is no imprecise one, nor is one that is more precise.
    for other in (-scores[:8], scores[:8] * (1 + 17 * 2.0**-8)):
        assert rounding_of(scores, other) == pytest.approx(rounding_of(scores))
    assert rounding_of(SCORES, SCORES[:8] * (1 + 1e-3)) == pytest.approx(rounding_of(SCORES))


def test_few_scores_tell_no_grid():
    assert rounding_of(np.array([[0.5], [1.0], [2.0]])).max() < 1e-5


def test_whole_numbers_are_points_and_exact():
    points = np.arange(128.0, 250.0)[:, None]
    assert rounding_of(points).max() < 1e-3
    assert rounding_of(points + 0.5).max() > 1e-3  # nine bits: half precision at best


def test_one_row_far_away_leaves_the_others_as_they_were():
    far = np.concatenate([SCORES, [[1e9, 1e9, 1e9]]])
    assert rounding_of(far)[:-1] == pytest.approx(rounding_of(SCORES), rel=0.2)


def test_gradients_are_rounded_in_proportion_to_what_they_are():
    one = explanation(np.array([[8.0, 1.0], [0.0, 0.0]]), method=OfGradients())
    scores = np.array([[100.0], [100.0]])
    # A hundredth of the score, so a hundredth of the largest value; or that rounding, over two values.
    floor = floor_of_values(one, np.array([[1.0], [1.0]]), scores, ("y",))
    assert floor == pytest.approx([3 * 0.5, 3 * 0.5])
    large = replace(one, values=one.values * 100)
    steps = np.array([[1.0], [1.0]])
    assert floor_of_values(large, steps, scores, ("y",)) == pytest.approx([3 * 8, 3 * 0.5])


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (Target(0), [1, 2]),
        (Target("c"), [100, 200]),
        (Target((0, 1)), [1, 20]),
        (Target(0, against=1), [11, 22]),
        (Target.predicted(), [100, 2]),
    ],
)
def test_the_rounding_of_what_is_explained_counts_and_no_other_outputs(target, wanted):
    one = explanation(np.ones((2, 4)), target=target)
    roundings = np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    scores = np.array([[0.0, 1.0, 2.0], [5.0, 1.0, 2.0]])
    found = floor_of_values(one, roundings, scores, ("a", "b", "c"))
    assert found == pytest.approx(3 * np.array(wanted))


N = 60
VALUES = rng.normal(size=(N, 5))
OWN = rng.normal(size=(N, 2))


def judged(reference, copy, scores=OWN, **changes):
    of = {"reference": scores, "copy": scores}
    return judge({"Exact": reference}, {"copy": {"Exact": copy}}, of, ("a", "b"), **changes)


def test_values_that_moved_by_rounding_alone_are_unchanged_and_counted():
    size = rounding_of(OWN)[:, :1]
    within = explanation(VALUES + size * rng.choice([-1, 1], VALUES.shape), "copy")
    found = judged(explanation(VALUES), within)
    assert found.verdicts == {"copy": "preserved"}
    assert all((one.drift == 0).all() and one.rounded == N for one in found.of("copy"))
    assert any(
        f"{N} of {N} rows moved by no more than the rounding" in note for note in found.notes
    )
    # Of four roundings, one is left.
    beyond = explanation(VALUES + 4 * size, "copy")
    assert all(one.rounded == 0 for one in judged(explanation(VALUES), beyond).of("copy"))


def test_rounding_of_tiny_values_is_no_drift_though_it_is_large_beside_them():
    tiny = 1e-7 * rng.normal(size=(N, 5))
    others = 1e-7 * rng.normal(size=(N, 5))
    mixed, moved = VALUES.copy(), VALUES.copy()
    mixed[:1], moved[:1] = tiny[:1], others[:1]
    found = judged(explanation(mixed), explanation(moved, "copy"))
    assert found.on_rows == {"copy": "preserved"}
    assert all(one.mean == 0 and one.doubtful == 1 for one in found.of("copy"))
    assert any("in 1 of 60 rows Exact says nothing about either" in note for note in found.notes)
    # Of a row that nothing is said about, nothing is known: sixty others are too few now.
    assert found.verdicts == {"copy": "undetermined"}


def test_a_method_that_says_nothing_decides_nothing():
    nothing, nowhere = explanation(0 * VALUES), explanation(1e-9 * VALUES[::-1], "copy")
    found = judged(nothing, nowhere)
    assert found.verdicts == {"copy": "undetermined"}
    assert found.on_rows == {"copy": "undetermined"}
    assert "says nothing about 60 of 60 rows" in found.claim("copy").reason
    assert any("explains nothing of copy" in note for note in found.notes)
    # Beside a method that says something, that one decides.
    pair = judge(
        {"blind": nothing, "sees": explanation(VALUES)},
        {"copy": {"blind": nowhere, "sees": explanation(VALUES[::-1], "copy")}},
        {"reference": OWN, "copy": OWN},
        ("a", "b"),
    )
    assert (pair.verdicts["copy"], pair.claim("copy").method) == ("changed", "sees")


def test_a_map_of_one_model_and_none_of_the_other_is_no_rounding():
    found = judged(explanation(VALUES), explanation(0 * VALUES, "copy"))
    assert found.verdicts == {"copy": "changed"}
    assert judged(explanation(0 * VALUES), explanation(VALUES, "copy")).verdicts == {
        "copy": "changed"
    }


def test_a_floor_of_another_length_is_refused():
    from workbench.compare import measure

    with pytest.raises(InputError, match=r"floor needs one number per row, shape \(60,\)"):
        measure(explanation(VALUES), explanation(VALUES, "copy"), floor=[0.0, 0.0])
