"""Checks of trees from a file before they are used: every node must point to something that exists.

Libraries follow nodes without a check: a child beyond the last node crashes the process, and a child that
is its own parent never ends. The reader of each library calls this on the library's own tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import UnsafeFileError

Refuse = Callable[[str], UnsafeFileError]
"""From the reason why a file is not used to the error that names the file."""


def check_tree(left: NDArray[Any], right: NDArray[Any], feature: NDArray[Any], width: int) -> str:
    """Why this is no binary tree over `width` columns, or "" where it is one. Leaves have -1 for children.

    >>> check_tree(np.array([1, -1, -1]), np.array([2, -1, -1]), np.array([0, 0, 0]), 1)
    ''
    >>> check_tree(np.array([1, 0, -1]), np.array([2, 2, -1]), np.array([0, 0, 0]), 1)
    'a node with two parents, or a circle'
    """
    left, right = np.asarray(left, np.int64), np.asarray(right, np.int64)
    feature = np.asarray(feature, np.int64)
    n = len(left)
    if n == 0 or len(right) != n or len(feature) != n:
        return "a tree whose tables differ in length"
    inner = left >= 0
    if (inner != (right >= 0)).any() or min(left.min(), right.min()) < -1:
        return "a node with one child"
    children = np.concatenate([left[inner], right[inner]])
    if not len(children):
        return ""
    if children.max() >= n:
        return f"child {children.max()} of a tree of {n} nodes"
    # Each node is reached at most once and the root never, so all nodes under the root form a tree.
    if children.min() < 1 or np.bincount(children, minlength=n).max() > 1:
        return "a node with two parents, or a circle"
    columns = feature[inner]
    if columns.min() < 0 or columns.max() >= width:
        return f"column {columns.min() if columns.min() < 0 else columns.max()} of {width}"
    return ""


def check_nodes(
    refuse: Refuse,
    left: NDArray[Any],
    right: NDArray[Any],
    feature: NDArray[Any],
    width: int,
    values: NDArray[Any],
) -> None:
    """Checks as `check_tree` does, and that the leaves' values are finite.

    Raises:
        UnsafeFileError: they are no tree.
    """
    if why := check_tree(left, right, feature, width):
        raise pointless(refuse, why)
    if not np.isfinite(np.asarray(values, np.float64)).all():
        raise refuse("holds leaves that are NaN or infinite. Fetch it again, or train it anew.")


def pointless(refuse: Refuse, what: str) -> UnsafeFileError:
    """The error that names what is pointed to and does not exist."""
    return refuse(
        f"points to {what}, which its library would follow unchecked, so it was not used. It is damaged or "
        "made to do harm; fetch it again."
    )
