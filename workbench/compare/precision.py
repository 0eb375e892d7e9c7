"""How far rounding alone moves scores and explanations: below that, a difference is none.

`docs/decisions/0027` says what was measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare.row_formulas import TIES
from workbench.core import Attribution

Array = NDArray[np.float64]

TRIED = 8
"""Rows that are asked alone too, to see what the others in a batch do to their scores."""

_BITS = (8, 11, 24, 53)  # of significands: bfloat16, half, single and double precision
_SUMMED = (
    4  # roundings that sums of single precision add up to; coarser scores are rounded at the end
)
_MOST = 2.0**-7  # of a score's size: what moves it farther is no rounding
_FEWEST_SCORES = 8  # that must lie on a coarse grid before it counts as one
_OF_VALUES = 3  # a value is a difference of scores, and the largest of many values counts


def rounding_of(scores: ArrayLike, alone: ArrayLike | None = None) -> Array:
    """How far rounding moves each row's scores `(n,)`, in their own unit.

    Three things are measured, and the largest counts: the grid that all scores lie on (those of bfloat16
    have 8 bits, those of float32 24), times their size; what a row's neighbors in the batch do to it; and a
    millionth of how far the scores of the rows lie apart, since that is where single precision ends
    within a model, whatever its last layer answers in.

    Args:
        scores: of the rows `(n, k)`, asked together.
        alone: of the first m of them `(m, k)`, each asked alone.

    >>> rounding_of(np.array([[1.0], [257.0]]) / 3).round(6)  # double precision: 1e-6 of (257 - 1) / 3 / 2
    array([4.3e-05, 4.3e-05])
    >>> steps = np.arange(129.0, 145.0)[:, None] / 16  # eight bits tell them all
    >>> float(rounding_of(steps)[-1])  # 9 / 2⁸
    0.03515625
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not len(scores):
        return np.zeros(0)
    bits = _bits(scores)
    size = _size(scores)
    grain = size * 2.0**-bits * (_SUMMED if bits >= 24 else 1)
    apart = _size(scores - scores.mean(axis=0))
    found = np.maximum(grain, TIES * apart)
    asked_alone = np.asarray([] if alone is None else alone, dtype=np.float64)
    if len(asked_alone):
        moved = np.abs(scores[: len(asked_alone)] - asked_alone).max(axis=1)
        share = float((moved / np.where(size > 0, size, 1.0)[: len(asked_alone)]).max())
        if share <= _MOST:
            found = np.maximum(found, share * size)
    return np.asarray(found)


def floor_of_values(reference: Attribution, roundings: Array, scores: ArrayLike) -> Array:
    """How far rounding may move any one of a row's values `(n,)`.

    Methods that ask for scores alone give differences of scores. Gradients are rounded in proportion to
    what they are, so there the largest value counts, and the scores' rounding spread over all values.

    Args:
        reference: the explanation.
        roundings: of the two models' scores together `(n,)`, as `rounding_of` gives them.
        scores: the reference's, of the same rows `(n, k)`.
    """
    needs = getattr(reference.method, "needs", ())
    if not {"gradient", "activations", "feature_maps"} & set(needs):
        return np.asarray(_OF_VALUES * roundings)
    values = reference.values.reshape(len(reference), -1)
    size = _size(np.asarray(scores, dtype=np.float64))
    share = roundings / np.where(size > 0, size, 1.0)
    largest = np.abs(values).max(axis=1, initial=0.0)
    return np.asarray(_OF_VALUES * np.maximum(share * largest, roundings / values.shape[1]))


def _bits(scores: Array) -> int:
    """Bits of the coarsest significands that hold every score; double precision where too few tell."""
    different = np.unique(scores[scores != 0])
    if len(different) < _FEWEST_SCORES:
        return _BITS[-1]
    part, _ = np.frexp(different)
    for bits in _BITS:
        grid = np.ldexp(part, bits)
        if (grid == np.round(grid)).all():
            return bits
    return _BITS[-1]


def _size(scores: Array) -> Array:
    """Each row's largest size `(n,)`, and never less than half the rows have.

    Scores near 0 are the difference of large ones, and as little known as these.
    """
    own = np.abs(scores).max(axis=1, initial=0.0)
    return np.asarray(np.maximum(own, np.median(own)))
