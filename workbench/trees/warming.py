"""Compiling the kernels before somebody waits for them."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np

from workbench.core import Tree, Trees
from workbench.trees.credit import TreeCredit

_DEPTHS = (2, 20)
"""A path of up to sixteen features is walked by other machine code than a longer one."""

_CODE = """
import os
if hasattr(os, "nice"):
    os.nice(10)
from workbench.trees.warming import warm
warm()
"""

_started = threading.Lock()


def warm() -> None:
    """Compile every kernel that Shapley values take, for this process and, where it can be kept, the next.

    Where that was done before, this reads the result: some tenths of a second instead of ten.
    """
    for depth in _DEPTHS:
        trees = Trees((chain(depth),), offset=np.zeros(1))
        rows = np.zeros((1, depth))
        for background in (None, np.ones((2, depth))):
            for _ in TreeCredit(trees, background).of(rows, np.ones((1, 1, 1))):
                pass


def warm_aside() -> None:
    """Do the same in a process of its own, once; returns at once.

    The compiler holds the interpreter, so that a thread of this process would make everybody wait. Where no
    process can be started nothing is done: the first run compiles, as it did before.
    """
    if not _started.acquire(blocking=False):
        return
    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _CODE], stdin=quiet, stdout=quiet, stderr=quiet
        )
    except OSError:
        return
    threading.Thread(target=process.wait, name="workbench-warming", daemon=True).start()


def chain(depth: int) -> Tree:
    """A tree of one long path, which asks another feature at each step.

    >>> chain(2).left.tolist(), chain(2).values.ravel().tolist()
    ([1, -1, 3, -1, -1], [0.0, 1.0, 0.0, 2.0, 3.0])
    """
    nodes = 2 * depth + 1
    inner = np.arange(0, nodes - 1, 2)
    left, right = np.full(nodes, -1), np.full(nodes, -1)
    left[inner], right[inner] = inner + 1, inner + 2
    feature = np.zeros(nodes, dtype=np.intp)
    feature[inner] = np.arange(depth)
    values = np.zeros((nodes, 1))
    leaves = np.flatnonzero(left < 0)
    values[leaves, 0] = np.arange(1, len(leaves) + 1)
    cover = np.ones(nodes)
    cover[inner] = np.arange(depth + 1, 1, -1)
    return Tree(
        left, right, feature, np.full(nodes, 0.5), np.zeros(nodes, dtype=bool), values, cover
    )
