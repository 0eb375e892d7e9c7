"""How far rounding alone moves scores and explanations; smaller differences do not count.

`docs/decisions/0027` has the measurements.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare.formulas import TIES
from workbench.core import Attribution

Array = NDArray[np.float64]

TRIED = 8
"""So many rows are also evaluated alone, to see how the others in a batch move their scores."""

_BITS = (8, 11, 24, 53)  # of significands: bfloat16, half, single and double precision
_SUMMED = (
    4  # roundings that sums of single precision add up to; coarser scores are rounded at the end
)
_MOST = 16  # roundings: neighbors that move a row's score farther do something else to it
_FEWEST_SCORES = 8  # that must lie on a coarse grid before it counts as one
_OF_VALUES = 3  # a value is a difference of scores, and the largest of many values counts


def rounding_of(scores: ArrayLike, alone: ArrayLike | None = None) -> Array:
    """How far rounding moves each score `(n, k)`, in its own unit.

    Three things are measured, and the largest counts: the grid that all scores lie on (8 bits for bfloat16,
    24 for float32), times their size; how far a row's neighbors in the batch move its scores, as far as
    that is rounding; and a millionth of the range of an output's scores, which is the limit of single
    precision within a model, whatever the precision of its last layer.

    Args:
        scores: the rows' scores `(n, k)`, computed together.
        alone: the first m rows' scores `(m, k)`, each computed alone.

    >>> rounding_of(np.array([[1.0], [257.0]]) / 3).round(6).ravel()  # 1e-6 of (257 - 1) / 3 / 2
    array([4.3e-05, 4.3e-05])
    >>> steps = np.arange(129.0, 145.0)[:, None] / 16  # eight bits tell them all
    >>> rounding_of(steps)[-1]  # 9 / 2⁸
    array([0.03515625])
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not len(scores):
        return np.zeros(scores.shape)
    step = 2.0 ** -_bits(scores)
    size = _size(scores)
    grain = size * step * (_SUMMED if step <= 2.0**-24 else 1)
    found = np.maximum(grain, TIES * _size(scores - np.median(scores, axis=0)))
    asked_alone = np.asarray([] if alone is None else alone, dtype=np.float64)
    if len(asked_alone):
        together = scores[: len(asked_alone)]
        moved = np.abs(together - asked_alone) / np.where(size > 0, size, 1.0)[: len(asked_alone)]
        share = moved.max(axis=0)
        found = np.maximum(found, np.where(share <= _MOST * step, share, 0.0) * size)
    return np.asarray(found)


def floor_of_values(
    reference: Attribution, roundings: ArrayLike, scores: ArrayLike, outputs: Sequence[str]
) -> Array:
    """How far rounding may move any one of a row's values `(n,)`.

    Methods that use only scores give differences of scores. Gradients are rounded in proportion to their
    size, so there the largest value counts, and the scores' rounding spread over all values.

    Args:
        reference: the explanation.
        roundings: of the two models' scores together `(n, k)`, as `rounding_of` gives them.
        scores: the reference's scores of the same rows `(n, k)`.
        outputs: the k outputs' names.
    """
    scores = np.asarray(scores, dtype=np.float64)
    explained = _explained(reference, scores, outputs)
    rounding = (explained * np.asarray(roundings)).sum(axis=1)
    needs = getattr(reference.method, "needs", ())
    if not {"gradient", "activations", "feature_maps"} & set(needs):
        return np.asarray(_OF_VALUES * rounding)
    values = reference.values.reshape(len(reference), -1)
    size = (explained * _size(scores)).sum(axis=1)
    share = rounding / np.where(size > 0, size, 1.0)
    largest = np.abs(values).max(axis=1, initial=0.0)
    return np.asarray(_OF_VALUES * np.maximum(share * largest, rounding / values.shape[1]))


def _explained(reference: Attribution, scores: Array, outputs: Sequence[str]) -> Array:
    """The outputs that each row's explained number is computed from: 1 or 0 `(n, k)`."""
    target, (n, k) = reference.target, scores.shape
    place = {name: i for i, name in enumerate(outputs)}
    marked = np.zeros((n, k))
    predicted = tuple(scores.argmax(axis=1).tolist())
    named = tuple(name.split(" − ")[0] for name in reference.explained)  # labels are no positions
    index = named if target.labels else target.index
    parts = [predicted if index is None else index]
    parts += [] if target.against is None else [target.against]
    for part in parts:
        each = part if isinstance(part, tuple) else (part,) * n
        for row, one in enumerate(each):
            # With one output, its score determines both classes.
            at = place.get(one, 0) if isinstance(one, str) else one
            marked[row, min(at, k - 1)] = 1.0
    return marked


def _bits(scores: Array) -> int:
    """Bits of the shortest significand that holds every score; 53 where there are too few scores to tell.

    Whole numbers are counts or points, and exact.
    """
    different = np.unique(scores[scores != 0])
    if len(different) < _FEWEST_SCORES or (different == np.round(different)).all():
        return _BITS[-1]
    part, _ = np.frexp(different)
    for bits in _BITS:
        grid = np.ldexp(part, bits)
        if (grid == np.round(grid)).all():
            return bits
    return _BITS[-1]


def _size(scores: Array) -> Array:
    """Each score's size `(n, k)`, but at least the median size in its column.

    Scores near 0 are differences of large numbers, and no more precise than these.
    """
    own = np.abs(scores)
    return np.asarray(np.maximum(own, np.median(own, axis=0)))
