"""`Points`: a mean over points on lines from background rows, and how far it may be off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.precision import Spread, freedom_of, steadied

Array = NDArray[np.float64]

APART = 24
"""A residual variance is used only with at least so many degrees of freedom."""


class Points:
    """Running sums over one row's points, in memory for a few copies of the values.

    Points rotate over the background rows and are stratified over the lines, so neither what differs from
    one row to the next nor the trend along the lines is left to chance: a regression takes both out of the
    variance. With hardly more points than rows it cannot, and the variance of all points stands, too large.

    Args:
        which: each point's background row `(s,)`; b in a row are all different.
        places: how far along the lines they lie `(s,)`, all of them one in each of s equal strata.
        b: the number of background rows.
        shape: of the values `(t, *f)`.
    """

    def __init__(
        self, which: NDArray[np.intp], places: Array, b: int, shape: tuple[int, ...]
    ) -> None:
        self._which, self._places, self._b = which, places, b
        self._done = 0
        self._powers = np.zeros((4, *shape))
        # One sum per background row, and one weighted by place; only where they will be used.
        rows = b + 1 if len(which) - b - 1 >= APART else 0
        self._moments = np.zeros((shape[0], rows, int(np.prod(shape[1:]))))

    @property
    def apart(self) -> bool:
        """Whether the effect of background rows can be separated from chance by now."""
        return len(self._moments[0]) > 0 and self._done - self._b - 1 >= APART

    def add(self, part: slice, shares: Array) -> None:
        """Take in the next points `(t, m, *f)`."""
        self._done = part.stop
        self._powers[0] += shares.sum(axis=1)
        power = shares.copy()
        for k in range(1, 4):
            power *= shares
            self._powers[k] += power.sum(axis=1)
        if len(self._moments[0]):
            self._moments += self._design(part).T @ shares.reshape(*shares.shape[:2], -1)

    @property
    def mean(self) -> Array:
        """The values so far `(t, *f)`."""
        return np.asarray(self._powers[0] / self._done)

    @property
    def spread(self) -> Spread:
        """Standard errors `(t, *f)` of the mean, and their degrees of freedom `(t,)`."""
        n, shape = self._done, self._powers[0].shape
        first, second, third, fourth = (one.reshape(shape[0], -1) / n for one in self._powers)
        square = np.maximum(second - first**2, 0.0)
        square[square <= 1e-15 * second] = 0.0  # nothing but rounding
        quart = np.maximum(
            fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4, square**2
        )
        most = n - 1.0
        if self.apart:
            variance, most = self._residual(n * second)
        else:
            variance = steadied((square * n / max(most, 1.0)).T, most).T / n
        freedom = freedom_of((n * square).T, (n * quart).T, max(most, 1.0))
        return Spread(np.sqrt(variance).reshape(shape), freedom)

    def _design(self, part: slice) -> Array:
        """Which row each point belongs to, and its place `(m, b + 1)`."""
        rows = np.arange(self._b) == self._which[part][:, None]
        return np.concatenate([rows, self._places[part][:, None] - 0.5], axis=1)

    def _residual(self, squares: Array) -> tuple[Array, float]:
        """The variance of the mean `(t, f)` without rows and trend, and its degrees of freedom."""
        n, b = self._done, self._b
        design = self._design(slice(0, n))
        moments = self._moments
        if n < len(self._places):  # unfinished, points are no strata yet: their trend is chance too
            design, moments = design[:, :b], moments[:, :b]
        solved = np.linalg.solve(design.T @ design, moments)
        rest = squares - (moments * solved).sum(axis=1)
        rest[rest <= 1e-14 * squares] = 0.0
        freedom = float(n - design.shape[1])
        variance = rest / freedom / n
        over = n % b  # rows that had one point more than the others
        if over:
            variance += over / n**2 * (1 - over / b) * solved[:, :b].var(axis=1, ddof=1)
        return variance, freedom
