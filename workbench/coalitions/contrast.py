"""Colors that differ from what they cover."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def span(row: NDArray[Any]) -> tuple[Array, Array]:
    """The least and the largest number of each channel of a row `(*places, c)`, counting 0 (black).

    The channels of an image are colors and share one range. Those of signals and volumes may be different
    quantities, so each has its own.

    >>> span(np.array([[1.0, -2.0], [3.0, -4.0]]))
    (array([ 0., -4.]), array([3., 0.]))
    """
    axes = None if row.ndim == 3 else tuple(range(row.ndim - 1))
    low, high = row.min(axis=axes), row.max(axis=axes)
    ends = (np.minimum(0.0, low), np.maximum(0.0, high))
    low, high = (np.broadcast_to(end, row.shape[-1:]).astype(np.float64) for end in ends)
    return low, high


def apart(colors: NDArray[Any], means: NDArray[Any], low: ArrayLike, high: ArrayLike) -> Array:
    """Numbers `(n,)` from `low` to `high`, each far from all its means and equal to none of its colors.

    First the number farthest from all means is found. The result is the number farthest from all colors,
    within half of that distance around it, so that at least the other half remains to every mean. Of
    several, the darkest is taken. It differs from the means and the colors whenever `low < high`.

    A part of one color gets the far end, a checkerboard of black and white a dark gray:

    >>> apart(np.array([[0.75, 0.75], [0.0, 1.0]]), np.array([[0.75], [0.5]]), 0.0, 1.0)
    array([0.  , 0.25])

    Args:
        colors: numbers that are covered, of one channel `(n, v)`.
        means: the mean of every part that they make up `(n, m)`.
        low: the least number that may be taken, or one for each channel `(n,)`; no color lies below.
        high: the largest, likewise; no color lies above.
    """
    low, high = (np.broadcast_to(end, len(colors)).astype(np.float64) for end in (low, high))
    seen = np.sort(np.asarray(colors, dtype=np.float64), axis=1)
    parts = np.clip(
        np.sort(np.asarray(means, dtype=np.float64), axis=1), low[:, None], high[:, None]
    )
    middles, halves = _gaps(parts)
    options = np.column_stack([low, middles, high])
    clear = np.column_stack([parts[:, 0] - low, halves, high - parts[:, -1]])
    center, reach = _best(options, clear)
    around = [np.clip(center + step * reach / 2, low, high) for step in (0, -1, 1)]
    around_clear = [np.abs(seen - one[:, None]).min(axis=1) for one in around]
    middles, halves = _gaps(seen)
    allowed = np.abs(middles - center[:, None]) <= reach[:, None] / 2
    options = np.column_stack([*around, middles])
    clear = np.column_stack([*around_clear, np.where(allowed, halves, -1.0)])
    return _best(options, clear)[0]


def _gaps(ordered: Array) -> tuple[Array, Array]:
    """The middle of every gap between neighbors `(n, v - 1)`, and half its width."""
    below, above = ordered[:, :-1], ordered[:, 1:]
    return below + (above - below) / 2, (above - below) / 2


def _best(options: Array, clear: Array) -> tuple[Array, Array]:
    """Each row's option with the largest clearance, and that clearance."""
    at = np.arange(len(options)), clear.argmax(axis=1)
    return options[at], clear[at]
