"""What every reader of trees needs: the rows' columns, usable covers, and a check of what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Tree, Trees
from workbench.errors import ModelError

Order = NDArray[np.intp] | None
Tables = Mapping[int, NDArray[np.float64]]

_PROBES = 64
_EMPTY = 1e-12  # the share of training rows that a node gets in place of zero


def in_columns(trees: Trees, order: Order, tables: Tables) -> Trees:
    """The same trees over the columns and the category codes of the rows.

    Args:
        trees: over the columns and codes of the model.
        order: the row column of each column of the model, or None when they agree.
        tables: {column of the model: the model's value for each code of the rows, NaN where missing}.
    """
    if order is None and not tables:
        return trees
    return replace(
        trees, trees=tuple(_in_columns(tree, order, tables, trees.dtype) for tree in trees.trees)
    )


def _in_columns(tree: Tree, order: Order, tables: Tables, dtype: type[np.floating[Any]]) -> Tree:
    inner = tree.left >= 0
    goes_left = dict(tree.goes_left)
    hole = None if tree.hole is None else tree.hole.copy()
    for node in np.flatnonzero(inner):
        values = tables.get(int(tree.feature[node]))
        if values is not None:
            seen = np.append(values, np.nan).astype(dtype).astype(np.float64)
            goes_left[int(node)] = tree.sends_left(int(node), seen)
            if hole is not None:
                hole[node] = np.nan  # a number of the model, not a code of the rows
    feature = tree.feature if order is None else np.where(inner, order[tree.feature], tree.feature)
    return replace(tree, feature=feature, goes_left=goes_left, hole=hole)


def reachable(tree: Tree) -> Tree:
    """The tree without nodes that no row can reach, such as those its library has pruned."""
    kept, pending = [], [0]
    while pending:
        node = pending.pop()
        kept.append(node)
        if tree.left[node] >= 0:
            pending += [int(tree.right[node]), int(tree.left[node])]
    if len(kept) == len(tree.left):
        return tree
    old = np.array(kept)
    new = np.full(len(tree.left), -1, dtype=np.intp)
    new[old] = np.arange(len(old))
    leaf = tree.left[old] < 0
    return Tree(
        left=np.where(leaf, -1, new[tree.left[old]]),
        right=np.where(leaf, -1, new[tree.right[old]]),
        feature=tree.feature[old],
        threshold=tree.threshold[old],
        missing_left=tree.missing_left[old],
        values=tree.values[old],
        cover=tree.cover[old],
        goes_left={int(new[node]): table for node, table in tree.goes_left.items()},
        hole=None if tree.hole is None else tree.hole[old],
    )


def followed(tree: Tree) -> Tree:
    """The tree with covers above zero: a node that no training row reached gets a share of 1e-12.

    Below such a node both branches count alike. Otherwise, the shares of rows there would be 0 / 0.
    """
    if (tree.cover > 0).all():
        return tree
    cover = tree.cover.copy()
    whole = cover[0] = cover[0] if cover[0] > 0 else 1.0
    pending = [0]
    while pending:
        node = pending.pop()
        if tree.left[node] < 0:
            continue
        for child in (int(tree.left[node]), int(tree.right[node])):
            if tree.cover[child] <= 0:
                cover[child] = cover[node] / 2 if tree.cover[node] <= 0 else _EMPTY * whole
            pending.append(child)
    return replace(tree, cover=cover)


def checked(
    trees: Trees,
    scores: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    width: int,
    name: str,
    library: str,
    tolerance: float,
) -> Trees:
    """The trees, after they gave the library's own scores for 64 probe rows.

    The probes hold the thresholds themselves, the numbers right after them, zeros, missing values and
    category codes: the values for which an error in reading would show.

    Args:
        trees: as they were read, over the columns of the rows.
        scores: the library's own sum of trees for rows `(n, f)`.
        width: columns of a row.
        name: what messages call the model.
        library: the name of the library, for messages.
        tolerance: how far apart they may be, relative to the sum of the leaves' absolute values.

    Raises:
        ModelError: they differ.
    """
    rows = _probes(trees, width)
    wanted = scores(rows)
    found = trees.scores(rows)
    seen = rows.astype(trees.dtype).astype(np.float64)
    sizes = np.abs(trees.offset) + sum(
        np.abs(tree.values[tree.leaves(seen)]) for tree in trees.trees
    )
    apart = np.abs(wanted - found) / np.maximum(sizes, 1e-30)
    if wanted.shape == found.shape and not (apart > tolerance).any() and np.isfinite(found).all():
        return trees
    row = int(np.argmax(np.nan_to_num(apart, nan=np.inf).max(axis=1)))
    raise ModelError(
        f"The trees of model {name!r} must add up to what {library} answers, but on probe row {row} of "
        f"{len(rows)} they give {found[row].tolist()} where {library} gives {wanted[row].tolist()} "
        f"(relative tolerance {tolerance:g}). Its explanation would be wrong, so there is none: this "
        f"version of {library} writes its trees in a way that is not understood. Use KernelSHAP."
    )


def _probes(trees: Trees, width: int) -> NDArray[np.float64]:
    found: list[list[float]] = [[0.0, np.nan] for _ in range(width)]
    for tree in trees.trees:
        for node in np.flatnonzero(tree.left >= 0):
            column = found[tree.feature[node]]
            if int(node) in tree.goes_left:
                column += range(len(tree.goes_left[int(node)]) - 1)
            else:
                edge = trees.dtype(tree.threshold[node])
                with np.errstate(over="ignore"):  # beyond the largest number: set to 0 below
                    column += [float(edge), float(np.nextafter(edge, trees.dtype(np.inf)))]
            if tree.hole is not None:
                column += [float(end) for end in tree.hole[node] if not np.isnan(end)]
    draw = np.random.default_rng(0)
    rows = np.stack(
        [draw.choice(np.unique(column), size=_PROBES) for column in found], axis=1
    ).astype(np.float64)
    rows[0] = 0.0
    rows[1] = np.nan
    rows[~(np.abs(rows) < np.finfo(np.float32).max) & ~np.isnan(rows)] = 0.0
    return rows
