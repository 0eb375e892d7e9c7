"""Trees from a file, before anybody follows them: whether every node points to something there.

Libraries follow them unchecked: a child beyond the last node crashes the process, a child that is its own
parent never ends. Every reader asks this of its own library's tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import UnsafeFileError

Refuse = Callable[[str], UnsafeFileError]
"""From why a file is not used, in words, to the error that says so of this file."""


def check_tree(left: NDArray[Any], right: NDArray[Any], feature: NDArray[Any], width: int) -> str:
    """Why this is no binary tree over `width` columns, or "" where it is one. A leaf has children -1.

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
    # Nobody is reached twice and the root never, so whatever hangs from the root is a tree.
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
    """As `check_tree`, and the leaves' values must be finite.

    Raises:
        UnsafeFileError: they are no tree.
    """
    if why := check_tree(left, right, feature, width):
        raise pointless(refuse, why)
    if not np.isfinite(np.asarray(values, np.float64)).all():
        raise refuse("holds leaves that are NaN or infinite. Fetch it again, or train it anew.")


def pointless(refuse: Refuse, what: str) -> UnsafeFileError:
    """The error that says what is pointed to and is not there."""
    return refuse(
        f"points to {what}, which its library would follow unchecked, so it was not used. It is damaged or "
        "made to do harm; fetch it again."
    )
