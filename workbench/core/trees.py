"""`Trees`: a sum of decision trees as plain arrays, whichever library grew them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Tree:
    """One binary tree. Node 0 is the root; a leaf has `left == -1`.

    A row goes left when `row[feature] <= threshold`; a missing value (NaN) where `missing_left`.
    `values` `(nodes, k)` holds the leaves' contributions to each output, in the model's scale;
    `cover` the (weighted) number of training rows that reached each node. A node in `goes_left` splits
    a set of categories instead: entry c says whether code c goes left, the last entry holds for every
    other code, and its threshold is ignored. Where `hole` `(nodes, 2)` is given, the numbers from its first
    to its second column count as missing at that node too (-999, or zeros), and NaN there means none.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float64]
    cover: NDArray[np.float64]
    goes_left: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    hole: NDArray[np.float64] | None = None

    def leaves(self, rows: NDArray[Any]) -> NDArray[np.intp]:
        """The leaf `(n,)` that each row `(n, f)` reaches, by walking down the tree."""
        at = np.zeros(len(rows), dtype=np.intp)
        pending = [(0, np.arange(len(rows)))]
        while pending:
            node, here = pending.pop()
            if self.left[node] < 0 or not len(here):
                at[here] = node
                continue
            left = self.sends_left(node, rows[here, self.feature[node]])
            pending.append((int(self.left[node]), here[left]))
            pending.append((int(self.right[node]), here[~left]))
        return at

    def sends_left(self, node: int, column: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether a split sends each value of its feature's column `(n,)` to the left `(n,)`."""
        missing = np.isnan(column)
        if self.hole is not None:
            first, last = self.hole[node]
            missing |= (first <= column) & (column <= last)
        if node not in self.goes_left:
            left = column <= self.threshold[node]
        else:
            table = self.goes_left[node]
            code = np.where(missing, -1, column).astype(np.intp)
            other = len(table) - 1
            left = table[np.where((code < 0) | (code > other), other, code)]
        return np.asarray(np.where(missing, self.missing_left[node], left), dtype=np.bool_)

    def shares(self) -> NDArray[np.float64]:
        """The share of its parent's training rows that reached each node `(nodes,)`, 1 for the root.

        Where no training row reached the parent (all had weight zero), each child counts as one half.
        """
        share = np.ones(len(self.left))
        inner = np.flatnonzero(self.left >= 0)
        cover = np.maximum(np.asarray(self.cover, dtype=np.float64), 0.0)
        left, right = cover[self.left[inner]], cover[self.right[inner]]
        both = left + right
        part = np.where(both == 0, 0.5, left / np.where(both == 0, 1.0, both))
        share[self.left[inner]], share[self.right[inner]] = part, 1.0 - part
        return share

    def expected(self) -> NDArray[np.float64]:
        """The mean leaf value `(k,)` when each branch is taken as often as training rows took it."""
        share = self.shares()
        reached = np.zeros(len(self.left))
        reached[0] = 1.0
        level = np.array([0])
        while len(level):  # level by level: a forest has hundreds of thousands of nodes
            inner = level[self.left[level] >= 0]
            level = np.concatenate([self.left[inner], self.right[inner]]).astype(np.intp)
            reached[level] = np.tile(reached[inner], 2) * share[level]
        leaf = self.left < 0
        return np.asarray(reached[leaf] @ self.values[leaf])


@dataclass(frozen=True, eq=False)
class Trees:
    """A model that is `offset + sum of trees`, output by output, in the model's own scale.

    `dtype` is the precision in which the library compares a value with a threshold; rounding
    to it first decides which way rows near a threshold go.
    """

    trees: tuple[Tree, ...]
    offset: NDArray[np.float64]
    dtype: type[np.floating[Any]] = np.float64

    def scores(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """The trees' scores of rows `(n, f)`, by walking them: `(n, k)`, in the model's scale."""
        seen = np.asarray(rows).astype(self.dtype).astype(np.float64)
        leaf_values = [tree.values[tree.leaves(seen)] for tree in self.trees]
        return np.asarray(self.offset + np.sum(leaf_values, axis=0))

    def expected(self) -> NDArray[np.float64]:
        """The mean score `(k,)` over the training rows, from the trees' covers.

        >>> stump = Tree(
        ...     *(np.array(a) for a in ([1, -1, -1], [2, -1, -1], [0, -2, -2], [0.5, 0.0, 0.0])),
        ...     missing_left=np.zeros(3, dtype=bool),
        ...     values=np.array([[9.0], [1.0], [5.0]]),
        ...     cover=np.array([4.0, 3.0, 1.0]),
        ... )
        >>> Trees((stump,), offset=np.array([10.0])).expected()
        array([12.])
        """
        return self._expected.copy()

    @cached_property
    def _expected(self) -> NDArray[np.float64]:
        return np.asarray(self.offset + np.sum([tree.expected() for tree in self.trees], axis=0))
