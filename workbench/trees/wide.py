"""Credit of leaves whose path asks about more than 64 columns, which have no pattern of 64 bits.

The games and the formulas are those of `kernels`; here a pattern is a line of a matrix, and rows meet
background rows as matrix products. Such paths are rare (unpruned trees on noise or on bags of words), so
plain NumPy is fast enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.trees.flatten import MISSING, NARROW, Forest
from workbench.trees.packed import Rows, Worth

Array = NDArray[np.float64]
Met = NDArray[np.bool_]

_OTHERS = 1024  # background rows at once, so that a matrix of pairs stays small


class _Path(NamedTuple):
    """The way to a node: its columns in order, who meets each condition, and the shares that went here.

    Args:
        columns: positions in `Forest.columns`; u of them.
        own: whether each row meets each condition `(u, n)`.
        others: the same for background rows `(u, m)`.
        share: the part of training rows that stayed, by column `(u,)`.
    """

    columns: tuple[int, ...]
    own: Met
    others: Met
    share: Array


def add_wide(forest: Forest, rows: Rows, worth: Worth, trees: range, out: Array) -> None:
    """Add the credit of these trees' wide leaves to `out` `(t, columns, n)`."""
    for tree in forest.wide:
        if tree not in trees:
            continue
        for leaf, path in _wide_leaves(forest, int(forest.roots[tree]), rows):
            values = worth.values[leaf]
            if not values.any():
                continue
            found = _interventional(path) if rows.others.shape[1] else _path_dependent(path)
            for target, which in enumerate(worth.which):
                out[target, list(path.columns)] += values[which] * found


def _wide_leaves(forest: Forest, root: int, rows: Rows) -> Iterator[tuple[int, _Path]]:
    """The leaves of one tree below more than 64 different columns, and the way to each."""
    n, m = rows.own.shape[1], rows.others.shape[1]
    start = _Path((), np.empty((0, n), bool), np.empty((0, m), bool), np.empty(0))
    pending = [(root, start)]
    while pending:
        node, path = pending.pop()
        if forest.left[node] < 0:
            if len(path.columns) > NARROW:
                yield node, path
            continue
        column = int(forest.feature[node])
        own = _goes_left(forest, node, rows.own[column])
        others = _goes_left(forest, node, rows.others[column])
        left, right = int(forest.left[node]), int(forest.right[node])
        pending.append((right, _extended(path, column, ~own, ~others, forest.share[right])))
        pending.append((left, _extended(path, column, own, others, forest.share[left])))


def _goes_left(forest: Forest, node: int, codes: NDArray[np.int32]) -> Met:
    missing = codes == MISSING
    begin = int(forest.table[node])
    if begin >= 0:
        last = int(forest.size[node]) - 1
        went = forest.goes_left[begin + np.minimum(codes, last)]
    else:
        went = codes <= forest.cut[node]
    return np.where(missing, forest.missing_left[node], went)


def _extended(path: _Path, column: int, own: Met, others: Met, share: float) -> _Path:
    if column not in path.columns:
        return _Path(
            (*path.columns, column),
            np.concatenate([path.own, own[None]]),
            np.concatenate([path.others, others[None]]),
            np.append(path.share, share),
        )
    at = path.columns.index(column)
    made = _Path(path.columns, path.own.copy(), path.others.copy(), path.share.copy())
    made.own[at] &= own
    made.others[at] &= others
    made.share[at] *= share
    return made


def _path_dependent(path: _Path) -> Array:
    """Credit `(u, n)` where absent features follow the training rows' shares."""
    met, share = path.own, path.share[:, None]
    credit = np.zeros(met.shape)
    for t, weight in zip(*_nodes((len(met) + 1) // 2), strict=True):
        product = weight * np.prod((1.0 - t) * share + t * met, axis=0)
        # (0 - r) / ((1 - t) r) without the condition, (1 - r) / ((1 - t) r + t) with it
        with_it = (1.0 - share) / ((1.0 - t) * share + t)
        credit += product * np.where(met, with_it, -1.0 / (1.0 - t))
    return credit


def _interventional(path: _Path) -> Array:
    """Credit `(u, n)`, the mean over background rows.

    A pair of rows counts where one of them meets each condition. Then a features speak for the leaf (only
    the row meets them) and get (a - 1)! z! / (a + z)! each, and z speak against it, likewise.
    """
    met = path.own.astype(np.float64)
    credit = np.zeros(met.shape)
    u, m = path.others.shape
    gain = _alone(u)
    for start in range(0, m, _OTHERS):
        other = path.others[:, start : start + _OTHERS].astype(np.float64)
        counts = (1.0 - met).T @ (1.0 - other) == 0
        a = (met.T @ (1.0 - other)).astype(np.intp)
        z = ((1.0 - met).T @ other).astype(np.intp)
        speaking, against = counts * gain[a, z], counts * gain[z, a]
        credit += met * ((1.0 - other) @ speaking.T)
        credit -= (1.0 - met) * (other @ against.T)
    return np.asarray(credit / m)


@cache
def _nodes(q: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on [0, 1], exact up to degree 2 q - 1."""
    x, w = np.polynomial.legendre.leggauss(q)
    return (x + 1) / 2, w / 2


@cache
def _alone(most: int) -> Array:
    """`[a, z]`: (a - 1)! z! / (a + z)! for a + z up to `most`; 0 where nobody speaks."""
    table = np.zeros((most + 1, most + 1))
    for a in range(1, most + 1):
        for z in range(most + 1 - a):
            table[a, z] = 1 / (a * comb(a + z, a))
    return table
