"""Trees and indices inside a model that came from a file: whether every one points to something there.

Libraries follow them unchecked: a child beyond the last node crashes the process, a child that is its own
parent never ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import clean
from workbench.errors import UnsafeFileError
from workbench.models.boosters import booster_library
from workbench.models.intake import File

_OBJECTS = 1_000_000


def faults(native: Any, file: File) -> list[str]:
    """What was checked in the object, as words for the user.

    Raises:
        UnsafeFileError: a tree or an index in it points to nothing, or in a circle.
    """
    library = booster_library(native)
    if library == "xgboost":
        return _walked(_xgboost(native, file))
    if library == "lightgbm":  # its text was walked before it was read
        return _walked(native.num_trees())
    return [] if library == "catboost" else _scikit(native, file)


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
    file: File,
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
        raise pointless(file, why)
    if not np.isfinite(np.asarray(values, np.float64)).all():
        raise file.refuse(
            "holds leaves that are NaN or infinite. Fetch it again, or train it anew."
        )


def pointless(file: File, what: str) -> UnsafeFileError:
    """The error that says what is pointed to and is not there."""
    return file.refuse(
        f"points to {what}, which its library would follow unchecked, so it was not used. It is damaged or "
        "made to do harm; fetch it again."
    )


def _walked(trees: int) -> list[str]:
    said = f"{trees:,} trees walked: every child and column is there, none in a circle"
    return [said] if trees else []


def _xgboost(native: Any, file: File) -> int:
    booster = native.get_booster() if hasattr(native, "get_booster") else native
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    parameters, gradient = learner["learner_model_param"], learner["gradient_booster"]
    width = int(parameters["num_feature"])
    model = gradient.get("gbtree", gradient).get("model", {})
    trees = model.get("trees", [])
    for tree in trees:
        left = np.array(tree["left_children"], np.int64)
        check_nodes(
            file,
            left,
            np.array(tree["right_children"], np.int64),
            np.array(tree["split_indices"], np.int64),
            width,
            np.where(left < 0, tree["split_conditions"][: len(left)], 0.0),
        )
    groups = max(int(parameters["num_class"]), int(parameters.get("num_target", 1)), 1)
    outputs = np.array(model.get("tree_info", []), np.int64)
    if len(outputs) != len(trees) or ((outputs < 0) | (outputs >= groups)).any():
        raise pointless(file, f"an output beyond the {groups} it has")
    rounds = np.array(model.get("iteration_indptr", [0, len(trees)]), np.int64)
    if (np.diff(rounds) < 0).any() or rounds[0] != 0 or rounds[-1] != len(trees):
        raise pointless(file, "rounds of trees that are not there")
    if "weight_drop" in gradient and len(gradient["weight_drop"]) != len(trees):
        raise pointless(file, "weights of trees that are not there")
    return len(trees)


def _scikit(native: Any, file: File) -> list[str]:
    trees = indices = 0
    widths: dict[int, int] = {}
    for one in _parts(native, file):
        kind = type(one).__name__
        _note_widths(one, widths, file)
        if kind == "Tree" and hasattr(one, "children_left"):
            width = widths.get(id(one), one.n_features)
            if width != one.n_features:
                raise pointless(
                    file, f"columns of a tree over {one.n_features}, in a model of {width}"
                )
            check_nodes(file, one.children_left, one.children_right, one.feature, width, one.value)
            trees += 1
        elif kind == "TreePredictor":
            _check_predictor(one, widths.get(id(one), 0), file)
            trees += 1
        elif kind in ("KDTree", "BallTree"):
            _check_neighbors(one, file)
            indices += 1
        elif hasattr(one, "check_format") and hasattr(one, "indptr"):
            try:
                one.check_format(full_check=True)
            except ValueError as error:
                raise pointless(file, f"a sparse table that is none: {clean(error)}") from None
            indices += 1
        elif hasattr(one, "_n_support"):
            if np.sum(one._n_support) != len(one.support_vectors_):
                raise pointless(file, "support vectors that are not there")
            indices += 1
    return _walked(trees) + [f"{indices:,} tables of indices checked"] * bool(indices)


def _note_widths(one: Any, widths: dict[int, int], file: File) -> None:
    """Keeps how many columns a tree's owner hands it: it is given rows without a further look."""
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
                raise pointless(file, f"columns of a tree over {part.n_features_in_}, not {width}")


def _check_predictor(predictor: Any, width: int, file: File) -> None:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    check_nodes(file, left, right, nodes["feature_idx"], width, nodes["value"])
    sets = nodes["bitset_idx"][nodes["is_categorical"].astype(bool) & ~leaf]
    known = min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))
    if len(sets) and sets.max() >= known:
        raise pointless(file, "a set of categories that is not there")


def _check_neighbors(tree: Any, file: File) -> None:
    data, index, nodes, _ = (np.asarray(part) for part in tree.get_arrays())
    n = len(data)
    starts, ends = nodes["idx_start"], nodes["idx_end"]
    fits = len(index) == n and index.min() >= 0 and index.max() < n
    if not fits or starts.min() < 0 or ends.max() > n or (starts > ends).any():
        raise pointless(file, "neighbors that are not there")


def _parts(native: Any, file: File) -> Iterator[Any]:
    """Everything that an estimator holds, by its fields, lists and tables."""
    pending, seen, kept = [native], set[int](), []
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen or isinstance(one, str | bytes | int | float | type):
            continue
        seen.add(id(one))
        kept.append(one)  # so that no other object gets its id
        if len(seen) > _OBJECTS:
            raise file.refuse(f"holds more than {_OBJECTS:,} objects. Save a smaller model.")
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
