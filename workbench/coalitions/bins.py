"""LIME's perturbed tables: columns cut at their quartiles, cells redrawn from the bins."""

from __future__ import annotations

from dataclasses import dataclass
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
        rows = np.empty((size, f))
        codes = np.empty((size, f), dtype=np.intp)
        alone = np.bincount(self.players, minlength=self.p) == 1
        for player in range(self.p):
            columns = np.flatnonzero(self.players == player)
            source = rng.integers(0, b, size=size)
            place = rng.random(size)
            codes[:, columns] = self.codes[source][:, columns]
            rows[:, columns] = self.background[source][:, columns]
            if alone[player] and len(self.edges[columns[0]]):
                column = int(columns[0])
                rows[:, column] = self._within(column, codes[:, column], place)
        return rows, codes

    def _within(self, column: int, codes: NDArray[np.intp], place: Array) -> Array:
        from scipy.special import ndtr, ndtri

        values, known = self.background[:, column], self.codes[:, column]
        bins = len(self.edges[column]) + 1
        low, high, mean, spread = (np.zeros(bins) for _ in range(4))
        for code in np.unique(known):
            inside = values[known == code]
            low[code], high[code] = inside.min(), inside.max()
            mean[code], spread[code] = inside.mean(), inside.std()
        flat = spread == 0
        scale = np.where(flat, 1.0, spread)
        start, stop = ndtr((low - mean) / scale), ndtr((high - mean) / scale)
        drawn = ndtri(start[codes] + place * (stop - start)[codes]) * scale[codes] + mean[codes]
        drawn = np.clip(drawn, low[codes], high[codes])
        return np.where(flat[codes], mean[codes], drawn)


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
