"""Colors that differ from what they cover."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def span(image: NDArray[Any]) -> tuple[float, float]:
    """The least and the largest number of an image, counting 0 (black)."""
    return min(0.0, float(image.min())), max(0.0, float(image.max()))


def apart(colors: NDArray[Any], means: NDArray[Any], low: float, high: float) -> Array:
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
        low: the least number that may be taken; no color lies below.
        high: the largest; no color lies above.
    """
    seen = np.sort(np.asarray(colors, dtype=np.float64), axis=1)
    parts = np.clip(np.sort(np.asarray(means, dtype=np.float64), axis=1), low, high)
    middles, halves = _gaps(parts)
    ends = np.broadcast_to([[low], [high]], (2, len(parts)))
    options = np.column_stack([ends[0], middles, ends[1]])
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
