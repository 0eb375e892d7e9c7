"""Trees and rows as integers: of a value, a tree sees only on which side of its splits it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Tree, Trees
from workbench.errors import IncompatibleError

MISSING = np.int32(2**31 - 1)
"""The code of a missing value."""
OTHER = np.int32(2**31 - 2)
"""The code of a category that is not a whole number from 0 on."""
NARROW = 64
"""Up to so many different columns on a path, a row's conditions are the bits of one number."""


@dataclass(frozen=True, eq=False)
class Forest:
    """All nodes of all trees, one after the other, with splits on codes instead of values.

    Args:
        roots: the first node of each tree, and the number of nodes at the end `(trees + 1,)`.
        left: each node's left child, -1 at a leaf; `right` likewise `(nodes,)`.
        feature: the column that a node splits, as a position in `columns`.
        cut: codes up to this one go left.
        missing_left: whether a missing value goes left.
        table: for a split of categories, where its row of `goes_left` begins, else -1.
        size: the length of that row.
        goes_left: all these rows, one after the other.
        share: the part of its parent's training rows that a node got.
        values: what a leaf adds to each output `(nodes, k)`.
        columns: the columns that occur in any split, ascending.
        cuts: for each of them its thresholds, ascending, or None where it holds categories.
        dtype: the precision in which values are compared.
        depth: the number of splits on the longest path.
        widest: the largest number of different columns on one path.
        wide: the trees with a path over more than `NARROW` columns.
    """

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
    values: NDArray[np.float64]
    columns: NDArray[np.intp]
    cuts: tuple[NDArray[np.float64] | None, ...]
    dtype: type[np.floating[Any]]
    depth: int
    widest: int
    wide: tuple[int, ...]

    def codes(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """Rows `(n, f)` as codes `(columns, n)`: the count of thresholds below a value, or its category."""
        seen = np.asarray(rows)[:, self.columns].astype(self.dtype).astype(np.float64)
        codes = np.empty(seen.T.shape, dtype=np.int32)
        for j, cuts in enumerate(self.cuts):
            column = seen[:, j]
            missing = np.isnan(column)
            if cuts is None:
                known = ~missing & (column > -1) & (column < OTHER)
                codes[j] = np.where(known, column, float(OTHER))
            else:
                codes[j] = np.searchsorted(cuts, column, side="left")
            codes[j, missing] = MISSING
        return codes


def flatten(trees: Trees) -> Forest:
    """The same trees as one set of arrays.

    Raises:
        IncompatibleError: a column is split both by threshold and by category.
    """
    members = trees.trees
    roots = np.cumsum([0, *(len(tree.left) for tree in members)])
    inner = np.concatenate([tree.left >= 0 for tree in members])
    raw = np.concatenate([tree.feature for tree in members])
    thresholds = np.concatenate([tree.threshold for tree in members])
    by_category = np.zeros(len(inner), dtype=bool)
    table, size = np.full(len(inner), -1, dtype=np.int32), np.zeros(len(inner), dtype=np.int32)
    rows: list[NDArray[np.bool_]] = []
    begin = 0
    for root, tree in zip(roots, members, strict=False):
        for node, goes_left in tree.goes_left.items():
            at = int(root) + node
            by_category[at], table[at], size[at] = True, begin, len(goes_left)
            rows.append(np.asarray(goes_left, dtype=bool))
            begin += len(goes_left)
    columns = np.unique(raw[inner]).astype(np.intp)
    feature = np.searchsorted(columns, raw).astype(np.int32)
    feature[~inner] = -1
    cut = np.zeros(len(inner), dtype=np.int32)
    cuts: list[NDArray[np.float64] | None] = []
    for j, column in enumerate(columns):
        here = inner & (feature == j)
        if by_category[here].any():
            if not by_category[here].all():
                raise IncompatibleError(
                    f"Exact tree SHAP needs columns that are split by threshold or by category, but "
                    f"column {column} is split both ways. Use PermutationSHAP."
                )
            cuts.append(None)
            continue
        own = np.unique(thresholds[here])
        cut[here] = np.searchsorted(own, thresholds[here])
        cuts.append(own)
    depths, widths = zip(*map(_measured, members), strict=True)
    return Forest(
        roots=roots.astype(np.intp),
        left=_absolute([tree.left for tree in members], roots),
        right=_absolute([tree.right for tree in members], roots),
        feature=feature,
        cut=cut,
        missing_left=np.concatenate([tree.missing_left for tree in members]),
        table=table,
        size=size,
        goes_left=np.concatenate(rows) if rows else np.zeros(1, dtype=bool),
        share=np.concatenate([tree.shares() for tree in members]),
        values=np.concatenate([tree.values for tree in members]),
        columns=columns,
        cuts=tuple(cuts),
        dtype=trees.dtype,
        depth=max(depths),
        widest=max(widths),
        wide=tuple(i for i, width in enumerate(widths) if width > NARROW),
    )


def _absolute(children: Sequence[NDArray[np.intp]], roots: NDArray[Any]) -> NDArray[np.int32]:
    shifted = [
        np.where(own >= 0, own + root, -1) for own, root in zip(children, roots, strict=False)
    ]
    return np.concatenate(shifted).astype(np.int32)


def _measured(tree: Tree) -> tuple[int, int]:
    """The number of splits on the longest path, and the largest number of different columns on a path."""
    depth = widest = 0
    left, right, feature = tree.left.tolist(), tree.right.tolist(), tree.feature.tolist()
    pending: list[tuple[int, int, frozenset[int]]] = [(0, 0, frozenset())]
    while pending:
        node, splits, seen = pending.pop()
        if left[node] < 0:
            depth, widest = max(depth, splits), max(widest, len(seen))
            continue
        if feature[node] not in seen:
            seen = seen | {feature[node]}
        pending.append((left[node], splits + 1, seen))
        pending.append((right[node], splits + 1, seen))
    return depth, widest
