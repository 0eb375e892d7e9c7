"""Whether the places of a layer are those of the image: tried, by changing one half of the image at a time.

Shapes alone do not tell a map from attention between tokens, or channels from a line of places. What a
change of the image's left half moves does: the left half of a map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = tuple[int, ...]

_ASIDE_A_MAP = 128  # at most so many other tokens beside the places of a map before

MOST_ASIDE = 12
"""Tokens beside the places that are looked for where no layer before gave a map of so many places."""


def halves(row: NDArray[np.float64]) -> Array:
    """The row `(*places, c)`, and copies with the first and second half of each axis in other numbers."""
    low, high = float(row.min()), float(row.max())
    noise = np.random.default_rng(0).uniform(low, high if high > low else low + 1, row.shape)
    made = [row]
    for axis in range(row.ndim - 1):
        middle = row.shape[axis] // 2
        for half in (slice(0, middle), slice(middle, None)):
            at = (*(slice(None),) * axis, half)
            copy = row.copy()
            copy[at] = noise[at]
            made.append(copy)
    return np.stack(made).astype(np.float64)


def agreement(change: Array) -> Array:
    """Correlations `(s, s)` of where a layer changed along axis `i` with which half of the image's `j` did.

    Args:
        change: `(2 s, *places)`, how much each place changed with the first and second half of each axis.

    >>> local = np.array([[[1.0, 1], [0, 0]], [[0, 0], [1, 1]], [[1, 0], [1, 0]], [[0, 1], [0, 1]]])
    >>> agreement(local)
    array([[1., 0.],
           [0., 1.]])
    """
    places = change.shape[1:]
    found = np.zeros((len(places), len(change) // 2))
    for j in range(len(change) // 2):
        before, behind = change[2 * j], change[2 * j + 1]
        both = before + behind
        side = (behind - before) / np.where(both > 0, both, 1.0)
        side = side - side.mean()
        for i, length in enumerate(places):
            at = _sides(length).reshape(*(1,) * i, length, *(1,) * (len(places) - i - 1))
            at = np.broadcast_to(at, places)
            size = math.sqrt((side**2).sum() * (at**2).sum())
            found[i, j] = (side * at).sum() / size if size > 0 else 0.0
    return found


def _sides(length: int) -> Array:
    """For each place the share of it in the second half less that in the first; the sum is zero.

    >>> _sides(3)
    array([-1.,  0.,  1.])
    """
    edges = 2 * np.arange(length + 1) - length
    return np.asarray(np.clip(edges[1:], 0, 2) / 2 - np.clip(-edges[:-1], 0, 2) / 2)


def own(found: Array, places: Places) -> float:
    """The least correlation of an axis of places with the same axis of the image; 1 where none is long."""
    return float(min((found[i, i] for i, length in enumerate(places) if length > 1), default=1.0))


def follows(found: Array, places: Places, *, sure: bool = False) -> bool:
    """Whether these places are the image's: every axis follows its own axis there more than another.

    Chance gives a correlation of one over the root of the number of places; twice that is asked for, and at
    least 0.3. `sure` is for a layout that was found among many, and asks for more.
    """
    count = math.prod(places)
    least = min(0.9, max(0.3, 2 / math.sqrt(max(count - 1, 1))))
    if sure:
        least = max(least, 0.7 if count >= 9 else 0.95)
    if own(found, places) < least:
        return False
    crossed = np.abs(found - np.diag(np.diag(found)))
    return all(
        found[i, i] > crossed[i].max(initial=0.0)
        for i, length in enumerate(places)
        if length > 1 and count >= 9
    )


def contradicts(found: Array, places: Places) -> bool:
    """Whether an axis clearly follows another axis of the image than its own, as tokens in a line do."""
    if math.prod(places) < 25:  # too few places to say so
        return False
    crossed = np.abs(found - np.diag(np.diag(found)))
    return any(
        crossed[i].max(initial=0.0) > max(0.8, 3 * found[i, i])
        for i, length in enumerate(places)
        if length > 1
    )


def grids(tokens: int, image: Places, seen: list[Places]) -> Iterator[tuple[int, Places]]:
    """Possible (tokens before the places, places) of so many tokens of an image of this size.

    Args:
        tokens: their number.
        image: the lengths of the image's axes.
        seen: the places of maps before; more other tokens may stand beside these. Beside grids that were
            not seen, at most `MOST_ASIDE`.

    >>> list(grids(5, (8, 8), []))
    [(0, (2, 2)), (1, (2, 2))]
    >>> list(grids(8, (4, 8), []))[0]
    (0, (2, 4))
    """
    tried: dict[Places, None] = {
        places: None for places in seen if len(places) == len(image) and _plane(places)
    }
    for aside in range(min(MOST_ASIDE, tokens) + 1):
        # More others than places are no class tokens, but places: a part of a grid in another order.
        for places in _factors(tokens - aside, image) if 2 * aside <= tokens else ():
            tried.setdefault(places, None)
    for places in tried:
        aside = tokens - math.prod(places)
        # Others stand before the places, or behind them, and only a few on the other side.
        firsts = {*range(min(aside, MOST_ASIDE) + 1), *range(max(0, aside - MOST_ASIDE), aside + 1)}
        for first in sorted(firsts) if 0 <= aside <= _ASIDE_A_MAP else ():
            yield first, places


def _plane(places: Places) -> bool:
    return all(length > 1 for length in places)


def _factors(count: int, image: Places) -> Iterator[Places]:
    """The ways to lay out so many places with sides in about the same proportion as the image's."""
    if len(image) == 1:
        if count > 1:
            yield (count,)
        return
    for length in range(2, count // 2 + 1):
        if count % length:
            continue
        for rest in _factors(count // length, image[1:]) if len(image) > 1 else ():
            if alike((length, *rest), image):
                yield (length, *rest)


def alike(places: Places, image: Places) -> bool:
    """Whether places have about the proportions of the image.

    >>> alike((4, 6), (64, 96)), alike((6, 4), (64, 96))
    (True, False)
    """
    shares = [length / whole for length, whole in zip(places, image, strict=True)]
    return max(shares) < 1.5 * min(shares)
