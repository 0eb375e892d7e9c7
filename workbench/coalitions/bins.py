"""LIME's perturbed tables: columns cut into bins, cells redrawn from the bins."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.kept import Kept
from workbench.core import Inputs
from workbench.errors import InputError

Array = NDArray[np.float64]
Discretizer = Literal["quartile", "decile", "entropy"]
"""Where a column of numbers is cut: into four or ten parts of equal numbers of background rows, or where a
decision tree of depth three on this column alone tells the classes apart best."""

_PERCENTILES = {"quartile": (25, 50, 75), "decile": tuple(range(10, 100, 10))}
_DEEP = 3

Drawn = tuple[Array, NDArray[np.int32]]
"""Perturbed rows `(s, f)` and their bins `(s, f)`, read-only."""

_bins: Kept[Bins] = Kept(64 * 2**20, lambda bins: bins.background.nbytes)
_drawn: Kept[Drawn] = Kept(128 * 2**20, lambda drawn: drawn[0].nbytes + drawn[1].nbytes)


@dataclass(frozen=True, eq=False)
class Bins:
    """The background as LIME needs it: bins of numbers, frequencies of categories.

    Args:
        edges: each column's inner bin edges `(f, e)`, ascending, filled up with infinity; NaN for a
            category.
        background: the rows they were learned from `(b, f)`.
        players: each column's player `(f,)`.
        p: the number of players.
        digest: of all of these.
    """

    edges: Array
    background: Array
    players: NDArray[np.intp]
    p: int
    digest: bytes

    def codes_of(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """Each cell's bin `(n, f)`, the number of edges below it; a category is its own bin.

        A missing value is in a bin of its own, -1; infinity in the last bin, minus infinity in the first.
        """
        codes = np.zeros(np.shape(rows), dtype=np.int32)
        for edge in self.edges.T:
            codes += rows > edge
        categories = np.isnan(self.edges[:, 0])
        missing = np.isnan(rows)
        codes[:, categories] = np.rint(np.where(missing, 0.0, rows)[:, categories])
        codes[missing] = -1
        return codes

    def same(
        self, codes: NDArray[np.int32], reference: NDArray[np.int32], out: Array | None = None
    ) -> Array:
        """1 where all cells of a player lie in the reference row's bins `(s, p)`, else 0."""
        found = np.empty((len(codes), self.p)) if out is None else out
        if self.p == len(self.players):  # every column is its own player
            found[...] = codes == reference
        else:
            member = np.arange(self.p) == self.players[:, None]
            found[...] = (codes != reference) @ member == 0
        return found

    def draw(self, size: int, seed: int) -> Drawn:
        """Perturbed rows `(size, f)` and their bins, the same for every explained row and model.

        A number is drawn from a bin (by its frequency), then from the normal distribution with the
        bin's mean and standard deviation, truncated to the bin's range. Categories, columns in which a
        background row has a missing or an infinite value, and columns that form one player, are taken
        together from one background row. The sample is kept for the next row and the next model.
        """
        return _drawn.get((self.digest, size, seed), lambda: self._draw(size, seed))

    def _draw(self, size: int, seed: int) -> Drawn:
        from workbench.coalitions.bin_kernels import fill

        rng = np.random.default_rng(seed)
        rows = np.empty((size, len(self.edges)))
        codes = np.empty(rows.shape, dtype=np.int32)
        binned = self._binned
        fill(rng.random((size, len(binned))), binned, *self._normals, rows, codes)
        known = self.codes_of(self.background)
        for player in np.setdiff1d(self.players, self.players[binned]):
            columns = np.flatnonzero(self.players == player)
            source = rng.integers(0, len(self.background), size=size)
            rows[:, columns] = self.background[source[:, None], columns]
            codes[:, columns] = known[source[:, None], columns]
        for array in (rows, codes):
            array.setflags(write=False)
        return rows, codes

    @cached_property
    def _binned(self) -> NDArray[np.intp]:
        """Columns of numbers, all of them known and finite, that are their own players."""
        alone = np.bincount(self.players, minlength=self.p)[self.players] == 1
        finite = np.isfinite(self.background).all(axis=0)
        return np.flatnonzero(alone & finite & ~np.isnan(self.edges[:, 0]))

    @cached_property
    def _normals(self) -> tuple[Array, Array]:
        """The binned columns' bins as truncated normal distributions: `cuts` and `normals` of `fill`."""
        from scipy.special import ndtr

        b = len(self.background)
        values = np.sort(self.background[:, self._binned].T, axis=1)
        m = len(values)
        below = (values[:, :, None] <= self.edges[self._binned][:, None, :]).sum(axis=1)
        bounds = np.concatenate([np.zeros((m, 1), int), below, np.full((m, 1), b)], axis=1)
        count = np.diff(bounds, axis=1)
        there = count > 0
        first = (bounds[:, :-1] + np.arange(m)[:, None] * b)[there]
        size = count[there]
        low, high, mean, scale, start, width = (np.zeros(count.shape) for _ in range(6))
        flat = values.ravel()
        if m:
            low[there], high[there] = flat[first], flat[first + size - 1]
            mean[there] = np.clip(np.add.reduceat(flat, first) / size, low[there], high[there])
            away = flat - np.repeat(mean[there], size)
            scale[there] = np.sqrt(np.add.reduceat(away**2, first) / size)
        # A bin of one value draws the middle of its normal distribution, which is that value.
        scale[low == high] = 1.0
        start[:] = ndtr((low - mean) / scale)
        width[:] = ndtr((high - mean) / scale) - start
        slope = width * b / np.maximum(count, 1)
        offset = start - slope * bounds[:, :-1] / b
        normals = np.stack([offset, slope, mean, scale, low, high]).reshape(6, -1)
        return np.ascontiguousarray(below.T) / b, normals


def quartile_bins(inputs: Inputs) -> Bins:
    """Bins cut at the background's quartiles, as LIME's default discretizer does."""
    return background_bins(inputs, "quartile")


def background_bins(
    inputs: Inputs, discretizer: Discretizer, classes: NDArray[np.intp] | None = None
) -> Bins:
    """Bins cut from the background.

    Args:
        inputs: the rows and their background.
        discretizer: see `Discretizer`.
        classes: for "entropy", the class of each background row `(b,)`.

    Raises:
        InputError: there are no background rows to cut, or no classes to cut them by.
    """
    if discretizer == "entropy" and classes is None:
        raise InputError("Bins by entropy need the class of each background row, and have none.")
    if inputs.background is None:
        raise InputError(
            "LIME on tables needs background rows to cut into bins, and there are none."
        )
    background = np.ascontiguousarray(inputs.background, dtype=np.float64)
    players, names = inputs.players()
    categories = np.isin(inputs.features, list(inputs.categories))
    seen = hashlib.sha256(discretizer.encode())
    seen.update(background.tobytes())
    if discretizer == "entropy":
        seen.update(np.asarray(classes, dtype=np.int64).tobytes())
    for array in (np.array(background.shape), players, categories):
        seen.update(array.tobytes())

    def make() -> Bins:
        if discretizer == "entropy":
            edges = _by_entropy(background, np.asarray(classes))
        else:
            edges = _by_percentile(background, _PERCENTILES[discretizer])
        edges[categories] = np.nan
        return Bins(edges, background, players, len(names), seen.digest())

    return _bins.get(seen.digest(), make)


def _by_percentile(background: Array, at: tuple[int, ...]) -> Array:
    """Inner edges `(f, e)`: percentiles of each column's finite values; infinity where it has none."""
    finite = np.isfinite(background)
    if finite.all():
        return np.percentile(background, at, axis=0).T
    edges = np.full((background.shape[1], len(at)), np.inf)
    for line, column, known in zip(edges, background.T, finite.T, strict=True):
        if known.any():
            line[:] = np.percentile(column[known], at)
    return edges


def _by_entropy(background: Array, classes: NDArray[np.intp]) -> Array:
    """Inner edges `(f, e)`, as lime's EntropyDiscretizer finds them; the median where no cut helps."""
    from sklearn.tree import DecisionTreeClassifier

    cuts = []
    for every in background.T:
        known = np.isfinite(every)
        if not known.any():
            cuts.append(np.array([np.inf]))
            continue
        column = every[known]
        tree = DecisionTreeClassifier(criterion="entropy", max_depth=_DEEP, random_state=0)
        fitted = tree.fit(column[:, None], classes[known]).tree_
        found = np.unique(fitted.threshold[fitted.children_left >= 0])
        cuts.append(found if len(found) else np.array([np.median(column)]))
    edges = np.full((len(cuts), max(map(len, cuts))), np.inf)
    for line, found in zip(edges, cuts, strict=True):
        line[: len(found)] = found
    return edges
