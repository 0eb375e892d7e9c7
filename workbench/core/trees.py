"""`Trees`: a sum of decision trees as plain arrays, whichever library grew them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Tree:
    """One binary tree. Node 0 is the root; a leaf has `left == -1`.

    A row goes left when `row[feature] <= threshold`; a missing value where `missing_left`.
    `values` `(nodes, k)` holds the leaves' contributions to each output, in the model's scale;
    `cover` the (weighted) number of training rows that reached each node.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    feature: NDArray[np.intp]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    values: NDArray[np.float64]
    cover: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trees:
    """A model that is `offset + sum of trees`, output by output, in the model's own scale.

    `dtype` is the precision in which the library compares a value with a threshold; rounding
    to it first decides which way rows near a threshold go.
    """

    trees: tuple[Tree, ...]
    offset: NDArray[np.float64]
    dtype: type[np.floating[Any]] = np.float64
