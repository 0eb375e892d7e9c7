"""The arguments of the tree kernels, as named tuples of arrays, which numba accepts and reads by name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Splits(NamedTuple):
    """All nodes of all trees; see `flatten.Forest`, whose arrays these are."""

    roots: NDArray[np.intp]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    cut: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    table: NDArray[np.int32]
    size: NDArray[np.int32]
    goes_left: NDArray[np.bool_]
    share: NDArray[np.float64]


class Rule(NamedTuple):
    """One node's split, as in `Splits`."""

    cut: np.int32
    missing_left: np.bool_
    table: np.int32
    size: np.int32


class Rows(NamedTuple):
    """The rows as codes `(columns, n)`, and the background `(columns, m)`, m = 0 for path-dependent."""

    own: NDArray[np.int32]
    others: NDArray[np.int32]


class Worth(NamedTuple):
    """The worth of each leaf to each target.

    Args:
        values: the worth of each node's leaf `(nodes, c)`.
        which: for each target and row, the column of `values` that counts `(t, n)`.
    """

    values: NDArray[np.float64]
    which: NDArray[np.intp]


class Integrals(NamedTuple):
    """Tables for the integrals.

    Args:
        nodes: Gauss-Legendre nodes on [0, 1]; row q is for polynomials that need q of them.
        weights: their weights likewise.
        alone: `[a, z]`, see `kernels.pair_up`.
    """

    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]
    alone: NDArray[np.float64]


class Walk(NamedTuple):
    """The path to the current node, level by level.

    Args:
        wide: its number of features `(levels,)`.
        path: these features `(levels, 65)`.
        kept: the share of training rows that stayed on the path, by feature `(levels, 65)`.
        patterns: which conditions each row meets `(levels, n)`, of a type as wide as the widest path.
        other_patterns: the same for background rows `(levels, m)`.
        to_do: the stack of waiting nodes.
        level_of: their levels.
        parent_of: their parents.
    """

    wide: NDArray[np.int64]
    path: NDArray[np.int64]
    kept: NDArray[np.float64]
    patterns: NDArray[np.unsignedinteger]
    other_patterns: NDArray[np.unsignedinteger]
    to_do: NDArray[np.int64]
    level_of: NDArray[np.int64]
    parent_of: NDArray[np.int64]


def walk_of(levels: int, n: int, m: int, *, widest: int) -> Walk:
    """Memory for a walk over paths of at most `widest` features, ready to begin."""
    kind = np.uint16 if widest <= 16 else np.uint64
    return Walk(
        np.zeros(levels, np.int64),
        np.zeros((levels, 65), np.int64),
        np.ones((levels, 65)),
        np.zeros((levels, n), dtype=kind),
        np.zeros((levels, m), dtype=kind),
        *(np.empty(2 * levels + 2, np.int64) for _ in range(3)),
    )
