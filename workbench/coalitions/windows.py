"""`Windows`: squares that slide over an image, and the credit each place has from those over it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Windows:
    """Windows of `side` x `side` places, `stride` apart, row by row; every place is under one at least.

    All are of one size. The last of a row or column ends at the border, so it may overlap the one before
    by more than the others do. An image smaller than a window has one, which covers it all.

    >>> Windows(1, 8, 4, 3).starts[1].tolist()
    [0, 3, 4]

    Args:
        h: the image's height in places.
        w: its width.
        side: of a window, in places.
        stride: from one window's begin to the next one's, in places, at most `side`.
    """

    h: int
    w: int
    side: int
    stride: int

    def __len__(self) -> int:
        down, across = self.starts
        return len(down) * len(across)

    @cached_property
    def starts(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The first place of every window, downwards and across."""
        return self._starts(self.h), self._starts(self.w)

    @cached_property
    def players(self) -> NDArray[np.intp]:
        """Cells `(h, w)` that no window cuts in two: the players of a game over windows."""
        down, across = (
            np.searchsorted(self._cuts(start, length), np.arange(length), "right") - 1
            for start, length in zip(self.starts, (self.h, self.w), strict=True)
        )
        return np.asarray(down[:, None] * (across[-1] + 1) + across)

    def masks(self, part: slice) -> NDArray[np.bool_]:
        """Coalitions of cells that lack those under one window `(m, cells)`, of windows number `part`."""
        i, j = self._numbers(part)
        down, across = (
            (start[:, None] <= cuts) & (cuts < start[:, None] + self.side)
            for start, cuts in (
                (start, self._cuts(start, length))
                for start, length in zip(self.starts, (self.h, self.w), strict=True)
            )
        )
        return ~(down[i][:, :, None] & across[j][:, None, :]).reshape(len(i), -1)

    def colors(self, image: NDArray[Any], part: slice) -> NDArray[Any]:
        """What windows number `part` cover of an image `(h, w, c)`: `(m, c, places)`."""
        i, j = self._numbers(part)
        shape = min(self.side, self.h), min(self.side, self.w)
        seen = sliding_window_view(image, shape, axis=(0, 1))
        found = seen[self.starts[0][i], self.starts[1][j]]
        return found.reshape(*found.shape[:2], -1)

    def mean_over(self, drops: Array) -> Array:
        """The mean of the windows over each place: `(windows, t)` to `(t, h, w)`."""
        down, across = (
            ((start[:, None] <= at) & (at < start[:, None] + self.side)).astype(np.float64)
            for start, at in zip(self.starts, (np.arange(self.h), np.arange(self.w)), strict=True)
        )
        grid = drops.T.reshape(-1, len(down), len(across))
        return np.asarray(down.T @ grid @ across / np.outer(down.sum(axis=0), across.sum(axis=0)))

    def _starts(self, length: int) -> NDArray[np.intp]:
        last = max(length - self.side, 0)
        return np.append(np.arange(0, last, self.stride), last).astype(np.intp)

    def _cuts(self, starts: NDArray[np.intp], length: int) -> NDArray[np.intp]:
        """The first place of every cell."""
        cuts = np.unique(np.concatenate([starts, starts + self.side]))
        return cuts[cuts < length]

    def _numbers(self, part: slice) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        number = np.arange(len(self))[part]
        return np.divmod(number, len(self.starts[1]))
