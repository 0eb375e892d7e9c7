"""`Windows`: boxes that slide over a row's places, and the credit each place has from those over it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Windows:
    """Windows of `side` places along every axis, `stride` apart; every place is under one at least.

    All are of one size. The last along an axis ends at the border, so it may overlap the one before
    by more than the others do. An axis shorter than a window has one, which covers it all.

    >>> Windows((1, 8), 4, 3).starts[1].tolist()
    [0, 3, 4]
    >>> len(Windows((8,), 4, 3)), len(Windows((8, 8, 8), 4, 3))
    (3, 27)

    Args:
        places: the lengths of the axes that windows slide along, such as an image's height and width.
        side: of a window, in places.
        stride: from one window's begin to the next one's, in places, at most `side`.
    """

    places: tuple[int, ...]
    side: int
    stride: int

    def __len__(self) -> int:
        return prod(map(len, self.starts))

    @cached_property
    def starts(self) -> tuple[NDArray[np.intp], ...]:
        """The first place of every window, along each axis."""
        return tuple(self._starts(length) for length in self.places)

    @cached_property
    def players(self) -> NDArray[np.intp]:
        """Cells `(*places)` that no window cuts in two: the players of a game over windows."""
        cells = np.zeros((), dtype=np.intp)
        for cuts, length in zip(self._cuts, self.places, strict=True):
            along = np.searchsorted(cuts, np.arange(length), "right") - 1
            cells = np.asarray(cells[..., None] * len(cuts) + along)
        return cells

    def masks(self, part: slice) -> NDArray[np.bool_]:
        """Coalitions of cells that lack those under one window `(m, cells)`, of windows number `part`."""
        numbers = self._numbers(part)
        covered = np.ones((len(numbers[0]), 1), dtype=bool)
        for start, cuts, number in zip(self.starts, self._cuts, numbers, strict=True):
            along = self._under(start, cuts)[number]
            covered = (covered[:, :, None] & along[:, None, :]).reshape(len(number), -1)
        return ~covered

    def colors(self, row: NDArray[Any], part: slice) -> NDArray[Any]:
        """What windows number `part` cover of a row `(*places, c)`: `(m, c, places)`."""
        numbers = self._numbers(part)
        shape = tuple(min(self.side, length) for length in self.places)
        seen = sliding_window_view(row, shape, axis=tuple(range(len(shape))))
        found = seen[
            tuple(start[number] for start, number in zip(self.starts, numbers, strict=True))
        ]
        return found.reshape(*found.shape[:2], -1)

    def mean_over(self, drops: Array) -> Array:
        """The mean of the windows over each place: `(windows, t)` to `(t, *places)`."""
        under = [
            self._under(start, np.arange(length)).astype(np.float64)
            for start, length in zip(self.starts, self.places, strict=True)
        ]
        total = drops.T.reshape(-1, *map(len, self.starts))
        for (
            along
        ) in under:  # each turn sums over the first axis of windows, and puts its places last
            total = np.tensordot(total, along, axes=(1, 0))
        counts = reduce(np.multiply.outer, [along.sum(axis=0) for along in under])
        return np.asarray(total / counts)

    def _starts(self, length: int) -> NDArray[np.intp]:
        last = max(length - self.side, 0)
        return np.append(np.arange(0, last, self.stride), last).astype(np.intp)

    @cached_property
    def _cuts(self) -> tuple[NDArray[np.intp], ...]:
        """The first place of every cell, along each axis."""
        found = []
        for start, length in zip(self.starts, self.places, strict=True):
            cuts = np.unique(np.concatenate([start, start + self.side]))
            found.append(cuts[cuts < length])
        return tuple(found)

    def _under(self, start: NDArray[np.intp], at: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of the places lie under each window, along one axis `(windows, at)`."""
        return np.asarray((start[:, None] <= at) & (at < start[:, None] + self.side))

    def _numbers(self, part: slice) -> tuple[NDArray[np.intp], ...]:
        """Each window's number along every axis."""
        number = np.arange(len(self))[part]
        return np.unravel_index(number, tuple(map(len, self.starts)))
