"""LIME's perturbed tables: columns cut at their quartiles, cells redrawn from the bins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs
from workbench.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bins:
    """What LIME needs to know about the background: bins of numbers, frequencies of categories.

    Args:
        edges: each column's inner bin edges, ascending; empty for a category.
        background: the rows they were learned from `(b, f)`.
        codes: the background's bins `(b, f)`.
        players: each column's player `(f,)`.
        p: the number of players.
    """

    edges: tuple[Array, ...]
    background: Array
    codes: NDArray[np.intp]
    players: NDArray[np.intp]
    p: int

    def codes_of(self, rows: NDArray[Any]) -> NDArray[np.intp]:
        """Each cell's bin `(n, f)`; a category is its own bin."""
        return _codes(np.asarray(rows, dtype=np.float64), self.edges)

    def same(self, codes: NDArray[np.intp], reference: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each player's cells all fall in the reference row's bins `(s, p)`."""
        differs = codes != reference
        if self.p == len(self.players):  # every column plays for itself
            return np.asarray(~differs)
        member = np.arange(self.p) == self.players[:, None]
        return np.asarray(differs @ member == 0)

    def draw(self, size: int, seed: int) -> tuple[Array, NDArray[np.intp]]:
        """Perturbed rows `(size, f)` and their bins, the same for every explained row and model.

        A number is drawn from a bin (by its frequency), then from the normal distribution with the
        bin's mean and standard deviation, truncated to the bin's range. Categories, and columns that
        form one player, are taken together from one background row.
        """
        rng = np.random.default_rng(seed)
        b, f = self.background.shape
        rows = np.empty((f, size))  # column by column, as they are drawn
        codes = np.empty((f, size), dtype=np.intp)
        alone = np.bincount(self.players, minlength=self.p) == 1
        for player in range(self.p):
            columns = np.flatnonzero(self.players == player)
            source = rng.integers(0, b, size=size)
            place = rng.random(size)
            for column in columns.tolist():
                codes[column] = self.codes[:, column].take(source)
                rows[column] = self.background[:, column].take(source)
            if alone[player] and len(self.edges[columns[0]]):
                column = int(columns[0])
                rows[column] = self._within(column, codes[column], place)
        return rows.T, np.ascontiguousarray(codes.T)

    def _within(self, column: int, codes: NDArray[np.intp], place: Array) -> Array:
        from scipy.special import ndtri

        low, high, mean, scale, start, width = (table[column] for table in self._normals)
        drawn = place
        drawn *= width.take(codes)
        drawn += start.take(codes)
        ndtri(drawn, out=drawn)
        drawn *= scale.take(codes)
        drawn += mean.take(codes)
        return np.clip(drawn, low.take(codes), high.take(codes), out=drawn)

    @cached_property
    def _normals(self) -> tuple[Array, ...]:
        """Each column's bins as truncated normal distributions, one table `(f, bins)` each:

        least value, greatest value, mean, standard deviation, the normal distribution at the least value,
        and how much of it lies up to the greatest.
        """
        from scipy.special import ndtr

        columns = np.flatnonzero([len(cut) > 0 for cut in self.edges])
        b, bins = len(self.background), max((len(cut) + 1 for cut in self.edges), default=1)
        order = np.argsort(self.background[:, columns], axis=0, kind="stable")
        values = np.take_along_axis(self.background[:, columns], order, axis=0).T.ravel()
        cell = np.take_along_axis(self.codes[:, columns], order, axis=0).T
        cell = (cell + columns[:, None] * bins).ravel()
        first = np.flatnonzero(np.diff(cell, prepend=-1))
        count = np.diff(first, append=len(columns) * b)
        low, high, mean, spread = (np.zeros((len(self.edges), bins)) for _ in range(4))
        if len(first):
            at = np.unravel_index(cell[first], low.shape)
            low[at], high[at] = values[first], values[first + count - 1]
            mean[at] = np.add.reduceat(values, first) / count
            away = values - np.repeat(mean[at], count)
            spread[at] = np.sqrt(np.add.reduceat(away**2, first) / count)
        # A bin of one value draws the middle of its normal distribution, which is that value.
        scale = np.where(low == high, 1.0, spread)
        mean = np.clip(mean, low, high)
        start = ndtr((low - mean) / scale)
        return low, high, mean, scale, start, ndtr((high - mean) / scale) - start


def quartile_bins(inputs: Inputs) -> Bins:
    """Bins cut at the background's quartiles, as LIME's default discretizer does.

    Raises:
        InputError: there are no background rows to cut.
    """
    if inputs.background is None:
        raise InputError(
            "LIME on tables needs background rows to cut into bins, and there are none."
        )
    background = inputs.background.astype(np.float64)
    players, names = inputs.players()
    edges = []
    for j, feature in enumerate(inputs.features):
        if feature in inputs.categories:
            edges.append(np.empty(0))
        else:
            edges.append(np.unique(np.percentile(background[:, j], [25, 50, 75])))
    return Bins(tuple(edges), background, _codes(background, tuple(edges)), players, len(names))


def _codes(rows: Array, edges: tuple[Array, ...]) -> NDArray[np.intp]:
    codes = np.empty(rows.shape, dtype=np.intp)
    for j, cut in enumerate(edges):
        column = rows[:, j]
        codes[:, j] = np.searchsorted(cut, column, side="left") if len(cut) else np.rint(column)
    return codes
