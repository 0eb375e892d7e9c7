"""LightGBM's text split into parts for the reader of its trees, and checked before LightGBM reads it.

LightGBM ends the whole process when it meets a bad number.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import clean
from workbench.errors import UnsafeFileError
from workbench.models.tabular.checks import Refuse, check_nodes, pointless

_CATEGORICAL = 1
_LENGTHS = {
    **dict.fromkeys(("leaf_value", "leaf_weight", "leaf_count", "leaf_const", "num_features"), 0),
    **dict.fromkeys(("internal_value", "internal_weight", "internal_count", "decision_type"), 1),
    **dict.fromkeys(("split_feature", "split_gain", "threshold", "left_child", "right_child"), 1),
}
"""{a table of a tree: how many numbers fewer than leaves it has}."""
_SETTING = re.compile(r"\[\w+: .*\]")


def check_lightgbm(text: str, refuse: Refuse) -> None:
    """Checks that every child, column, leaf and set of categories exists, and that every length is true.

    Args:
        text: the whole file.
        refuse: makes the error.

    Raises:
        UnsafeFileError: a tree points to nothing or in a circle, or cannot be read.
    """
    trees, end, rest = text.partition("\nend of trees\n")
    head, *blocks = trees.split("\nTree=")
    if not end:
        raise refuse("is damaged: its trees have no end. Fetch it again.")
    _check_settings(rest, refuse)
    _check_sizes(head, blocks, refuse)
    try:
        header = words_of(head)
        width = int(header["max_feature_idx"]) + 1
        per_round = int(header.get("num_tree_per_iteration", 1))
        if per_round < 1 or len(blocks) % per_round:
            raise pointless(refuse, f"rounds of {per_round} trees, with {len(blocks)} trees in all")
        for block in blocks:
            _check_tree(words_of(block), width, refuse)
    except UnsafeFileError:
        raise
    except KeyError as error:
        raise refuse(
            f"is damaged: a line of its text is missing, {clean(error)}. Fetch it again."
        ) from None
    except (ValueError, OverflowError) as error:
        raise refuse(f"is damaged: {clean(error).rstrip('.')}. Fetch it again.") from None


def _check_settings(rest: str, refuse: Refuse) -> None:
    """Checks the settings: LightGBM cuts each of their lines at a colon, whether it has one or not."""
    _, begins, settings = rest.partition("\nparameters:")
    if not begins:
        return
    settings, ends, _ = settings.partition("\nend of parameters\n")
    if not ends:
        raise refuse("is damaged: its settings have no end. Fetch it again.")
    for line in settings.split("\n"):
        if line and not _SETTING.fullmatch(line):
            raise refuse(f"is damaged: {clean(line)!r} is no setting. Fetch it again.")


def _check_sizes(head: str, blocks: list[str], refuse: Refuse) -> None:
    """Checks the lengths in the file, which LightGBM uses to jump from tree to tree."""
    given = re.search(r"^tree_sizes=(.*)$", head, re.MULTILINE)
    if given is None:
        return
    found = [len(f"Tree={block}\n".encode()) for block in blocks]
    if given.group(1).split() != [str(size) for size in found]:
        raise pointless(refuse, "trees at other places than it says")


def _check_tree(words: dict[str, str], width: int, refuse: Refuse) -> None:
    leaves = int(words["num_leaves"])
    values = _numbers(words.get("leaf_value", ""), float)
    if leaves < 1 or len(values) != leaves:
        raise pointless(refuse, f"{leaves} leaves with {len(values)} values")
    for name in set(words) & _LENGTHS.keys():
        count = len(_numbers(words[name], float))
        if count not in (0, leaves - _LENGTHS[name]):
            raise pointless(refuse, f"{count} numbers of {name} in a tree of {leaves} leaves")
    _check_linear(words, leaves, width, refuse)
    if leaves == 1:
        return
    left, right = (_numbers(words.get(side, ""), int) for side in ("left_child", "right_child"))
    feature = _numbers(words.get("split_feature", ""), int)
    if not len(left) == len(right) == len(feature) == leaves - 1:
        raise pointless(refuse, "a tree whose tables differ in length")
    # Inner nodes first, then leaves: leaf i is written -i - 1 in the file, and is node leaves - 1 + i here.
    both = [np.where(side < 0, leaves - 2 - side, side) for side in (left, right)]
    end = np.full(leaves, -1)
    check_nodes(
        refuse,
        np.concatenate([both[0], end]),
        np.concatenate([both[1], end]),
        np.concatenate([feature, np.zeros(leaves, np.int64)]),
        width,
        values,
    )
    _check_categories(words, refuse)


def _check_categories(words: dict[str, str], refuse: Refuse) -> None:
    kinds = _numbers(words.get("decision_type", ""), int)
    split = (kinds & _CATEGORICAL).astype(bool) if len(kinds) else np.zeros(0, bool)
    if not split.any():
        return
    bounds = _numbers(words.get("cat_boundaries", ""), int)
    table = words.get("cat_threshold", "").split()
    chosen = _numbers(words.get("threshold", ""), float)
    rising = len(bounds) > 1 and bounds[0] == 0 and (np.diff(bounds) >= 0).all()
    if not rising or bounds[-1] != len(table) or len(chosen) != len(kinds):
        raise pointless(refuse, "sets of categories that are not there")
    if ((chosen[split] < 0) | (chosen[split] >= len(bounds) - 1)).any():
        raise pointless(refuse, "a set of categories that is not there")


def _check_linear(words: dict[str, str], leaves: int, width: int, refuse: Refuse) -> None:
    if int(words.get("is_linear", 0)) == 0:
        return
    counts = _numbers(words.get("num_features", ""), int)
    columns = _numbers(words.get("leaf_features", ""), int)
    fits = len(counts) == leaves and (counts >= 0).all() and counts.sum() == len(columns)
    if not fits or ((columns < 0) | (columns >= width)).any():
        raise pointless(refuse, "columns of a leaf that are not there")


def words_of(block: str) -> dict[str, str]:
    """The entries of a tree, or of the head of the text: {word: its value}.

    >>> words_of("num_leaves=2\\nleaf_value=0.5 -1")
    {'num_leaves': '2', 'leaf_value': '0.5 -1'}
    """
    return dict(line.split("=", 1) for line in block.split("\n") if "=" in line)


def _numbers(text: str, kind: type) -> NDArray[Any]:
    if kind is int:
        return np.array([int(one) for one in text.split()], dtype=np.int64)
    return np.array(text.split(), dtype=np.float64)


class TreeText:
    """One tree of a text that LightGBM wrote; each table is parsed once, when it is first needed.

    >>> tree = TreeText("num_leaves=2\\nleaf_value=0.5 -1")
    >>> tree.numbers("leaf_value"), tree.numbers("threshold")
    (array([ 0.5, -1. ]), array([], dtype=float64))

    Args:
        block: the tree's lines.
    """

    def __init__(self, block: str) -> None:
        self.words = words_of(block)
        self._read: dict[str, NDArray[np.float64]] = {}

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A table, empty where the tree has none with that name."""
        if name not in self._read:
            self._read[name] = _numbers(self.words.get(name, ""), float)
        return self._read[name]
