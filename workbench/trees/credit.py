"""From trees and rows to credit: prepares the numbers, then lets the kernels run in small pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from workbench.core import Trees
from workbench.errors import IncompatibleError
from workbench.trees.flatten import NARROW, Forest, flatten
from workbench.trees.packed import Integrals, Rows, Splits, Worth, walk_of
from workbench.trees.wide import add_wide

Array = NDArray[np.float64]
_WORK = 100_000_000  # lookups between two reports of progress: some tenths of a second
_ROWS = 2048  # with more rows at once, memory no longer fits the cache
_PAIR_ROWS = 64


_known: WeakKeyDictionary[Trees, Forest] = WeakKeyDictionary()


class TreeCredit:
    """Exact Shapley values of one sum of trees.

    Args:
        trees: the model's trees.
        background: rows `(m, f)` that absent features come from; None: shares of the training rows instead.
    """

    def __init__(self, trees: Trees, background: NDArray[Any] | None) -> None:
        self.forest = _flattened(trees)
        m = 0 if background is None else len(background)
        self._others = (
            np.empty((len(self.forest.columns), 0), dtype=np.int32)
            if background is None
            else self.forest.codes(background)
        )
        leaves = int((self.forest.left < 0).sum())
        self._tree_work = max(1, leaves // max(len(trees.trees), 1)) * max(self.forest.widest, 1)
        self._background_work = m // 4

    def of(self, rows: NDArray[Any], weights: Array) -> Iterator[tuple[float, slice, Array]]:
        """Yields the credit of some rows at a time.

        Args:
            rows: `(n, f)`.
            weights: how much each output counts `(t, n, k)`.

        Yields:
            The share of the work done, and the rows that are finished with their credit `(t, rows, f)`;
            no rows where a piece of the work is done but none is finished.
        """
        from workbench.trees import kernels

        n, features = rows.shape
        forest = self.forest
        trees = len(forest.roots) - 1
        for start in range(0, n, _ROWS):
            part = slice(start, min(start + _ROWS, n))
            size = part.stop - start
            coded = Rows(forest.codes(rows[part]), self._others)
            worth = _by_weights(forest, weights[:, part])
            out = np.zeros((len(weights), len(forest.columns), size))
            step = max(
                1, _WORK // (self._tree_work * (size * len(weights) + self._background_work))
            )
            for first in range(0, trees, step):
                last = min(first + step, trees)
                _run(kernels.credit, forest, coded, worth, range(first, last), out)
                add_wide(forest, coded, worth, range(first, last), out)
                if last < trees:
                    done = (start + size * last / trees) / n
                    yield done, slice(start, start), np.empty((len(weights), 0, features))
            credit = np.zeros((len(weights), size, features))
            credit[:, :, forest.columns] = out.transpose(0, 2, 1)
            yield part.stop / n, part, credit

    def pairs_of(self, rows: NDArray[Any], weights: Array) -> Array:
        """Interaction values `(t, n, f, f)` whose lines sum to the credit; arguments as in `of`.

        Raises:
            IncompatibleError: a path asks about more than 64 different columns.
        """
        from workbench.trees import pair_kernels

        forest = self.forest
        if forest.wide:
            raise IncompatibleError(
                f"Exact interactions follow paths over at most {NARROW} different columns, but one has "
                f"{forest.widest}. Train shallower trees; TreeSHAP explains these without interactions."
            )
        (n, features), targets = rows.shape, len(weights)
        pairs = np.zeros((targets, n, features, features))
        for _, part, credit in self.of(rows, weights):
            pairs[:, part, range(features), range(features)] = credit
        columns, trees = forest.columns, len(forest.roots) - 1
        for start in range(0, n, _PAIR_ROWS):
            part = slice(start, min(start + _PAIR_ROWS, n))
            worth = _by_weights(forest, weights[:, part])
            out = np.zeros((targets, len(columns), len(columns), part.stop - start))
            coded = Rows(forest.codes(rows[part]), self._others)
            _run(pair_kernels.pair_credit, forest, coded, worth, range(trees), out)
            halves = np.moveaxis(out + out.transpose(0, 2, 1, 3), 3, 1)
            pairs[:, part, columns[:, None], columns] += halves
            pairs[:, part, columns, columns] -= halves.sum(axis=3)
        return pairs


def _flattened(trees: Trees) -> Forest:
    """The trees' arrays, made once and kept as long as the trees."""
    forest = _known.get(trees)
    if forest is None:
        forest = _known[trees] = flatten(trees)
    return forest


def _by_weights(forest: Forest, weights: Array) -> Worth:
    """The worth of every leaf for each distinct set of weights, and which of these each row has."""
    t, n, k = weights.shape
    distinct, which = np.unique(weights.reshape(t * n, k), axis=0, return_inverse=True)
    values = np.ascontiguousarray(forest.values @ distinct.T)
    return Worth(values, which.reshape(t, n).astype(np.intp))


def _run(
    kernel: Callable[..., None], forest: Forest, rows: Rows, worth: Worth, trees: range, out: Array
) -> None:
    splits = Splits(*(getattr(forest, name) for name in Splits._fields))
    walk = walk_of(forest.depth + 1, rows.own.shape[1], rows.others.shape[1], widest=forest.widest)
    kernel(rows, splits, worth, _integrals(), walk, trees.start, trees.stop, out)


@cache
def _integrals() -> Integrals:
    return Integrals(*_quadrature(), _alone())


@cache
def _quadrature() -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on [0, 1]; row q holds q of them."""
    nodes, weights = np.zeros((33, 33)), np.zeros((33, 33))
    for q in range(1, 33):
        x, w = np.polynomial.legendre.leggauss(q)
        nodes[q, :q], weights[q, :q] = (x + 1) / 2, w / 2
    return nodes, weights


@cache
def _alone() -> Array:
    """`[a, z]`: (a - 1)! z! / (a + z)! = 1 / (a C(a + z, a))."""
    from math import comb

    table = np.zeros((65, 65))
    for a in range(1, 65):
        for z in range(65):
            table[a, z] = 1 / (a * comb(a + z, a))
    return table
