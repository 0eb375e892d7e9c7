"""Trees and indices inside a model from a file: checks that each points to something that exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from workbench.core import clean
from workbench.models.intake.reading import File
from workbench.models.tabular import Refuse, booster_library, check_nodes, check_xgboost, pointless

_OBJECTS = 1_000_000


def faults(native: Any, file: File) -> list[str]:
    """Checks the object; returns what was checked, in words for the user.

    Raises:
        UnsafeFileError: a tree or an index in it points to nothing, or runs in a circle.
    """
    library = booster_library(native)
    if library == "xgboost":
        return _walked(check_xgboost(native, file.refuse))
    if library == "lightgbm":  # its text was checked before it was read
        return _walked(native.num_trees())
    return [] if library == "catboost" else _scikit(native, file.refuse)


def _walked(trees: int) -> list[str]:
    finding = f"{trees:,} trees walked: every child and column is there, none in a circle"
    return [finding] if trees else []


def _scikit(native: Any, refuse: Refuse) -> list[str]:
    trees = indices = 0
    widths: dict[int, int] = {}
    for one in _parts(native, refuse):
        kind = type(one).__name__
        _note_widths(one, widths, refuse)
        if kind == "Tree" and hasattr(one, "children_left"):
            width = widths.get(id(one), one.n_features)
            if width != one.n_features:
                raise pointless(
                    refuse, f"columns of a tree over {one.n_features}, in a model of {width}"
                )
            check_nodes(
                refuse, one.children_left, one.children_right, one.feature, width, one.value
            )
            trees += 1
        elif kind == "TreePredictor":
            _check_predictor(one, widths.get(id(one), 0), refuse)
            trees += 1
        elif kind in ("KDTree", "BallTree"):
            _check_neighbors(one, refuse)
            indices += 1
        elif hasattr(one, "check_format") and hasattr(one, "indptr"):
            try:
                one.check_format(full_check=True)
            except ValueError as error:
                raise pointless(refuse, f"a sparse table that is none: {clean(error)}") from None
            indices += 1
        elif hasattr(one, "_n_support"):
            if np.sum(one._n_support) != len(one.support_vectors_):
                raise pointless(refuse, "support vectors that are not there")
            indices += 1
    return _walked(trees) + [f"{indices:,} tables of indices checked"] * bool(indices)


def _note_widths(one: Any, widths: dict[int, int], refuse: Refuse) -> None:
    """Records how many columns a tree gets from its owner, which passes rows without a further check."""
    width = getattr(one, "n_features_in_", None)
    if width is None:
        return
    if hasattr(one, "tree_"):
        widths[id(one.tree_)] = int(width)
    for predictors in getattr(one, "_predictors", ()):
        widths |= {id(predictor): int(width) for predictor in predictors}
    if type(one).__module__ in ("sklearn.ensemble._forest", "sklearn.ensemble._gb"):
        for part in np.ravel(np.asarray(one.estimators_, dtype=object)):
            if part.n_features_in_ != width:
                raise pointless(
                    refuse, f"columns of a tree over {part.n_features_in_}, not {width}"
                )


def _check_predictor(predictor: Any, width: int, refuse: Refuse) -> None:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    check_nodes(refuse, left, right, nodes["feature_idx"], width, nodes["value"])
    sets = nodes["bitset_idx"][nodes["is_categorical"].astype(bool) & ~leaf]
    known = min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))
    if len(sets) and sets.max() >= known:
        raise pointless(refuse, "a set of categories that is not there")


def _check_neighbors(tree: Any, refuse: Refuse) -> None:
    data, index, nodes, _ = (np.asarray(part) for part in tree.get_arrays())
    n = len(data)
    starts, ends = nodes["idx_start"], nodes["idx_end"]
    fits = len(index) == n and index.min() >= 0 and index.max() < n
    if not fits or starts.min() < 0 or ends.max() > n or (starts > ends).any():
        raise pointless(refuse, "neighbors that are not there")


def _parts(native: Any, refuse: Refuse) -> Iterator[Any]:
    """Everything an estimator holds, found through its fields, lists and tables."""
    pending, seen, kept = [native], set[int](), []
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen or isinstance(one, str | bytes | int | float | type):
            continue
        seen.add(id(one))
        kept.append(one)  # so that no other object gets its id
        if len(seen) > _OBJECTS:
            raise refuse(f"holds more than {_OBJECTS:,} objects. Save a smaller model.")
        yield one
        if isinstance(one, dict):
            pending += one.values()
        elif isinstance(one, list | tuple | set):
            pending += one
        elif isinstance(one, np.ndarray):
            if one.dtype.hasobject and one.dtype.names is None:
                pending += one.ravel().tolist()
        elif not isinstance(one, np.generic) and type(one).__module__.split(".")[0] != "numpy":
            pending += getattr(one, "__dict__", {}).values()
