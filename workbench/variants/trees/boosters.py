"""Leaf values of XGBoost's, LightGBM's and CatBoost's models, read and written by these libraries."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import IncompatibleError
from workbench.models.tabular import booster_library

Array = NDArray[np.float64]
Put = Callable[[list[Array]], Any]


def booster_leaves(final: Any, name: str) -> tuple[list[Array], Put]:
    """The leaf values of each tree, and a function that makes a copy of the booster with other values.

    Raises:
        IncompatibleError: it has no trees, or leaves that hold more than values.
    """
    readers = {"xgboost": _of_xgboost, "lightgbm": _of_lightgbm, "catboost": _of_catboost}
    leaves, put = readers[booster_library(final) or ""](final, name)
    if not leaves:
        raise IncompatibleError(
            f"Rounding leaves needs trees, but {name!r} has none. Give a model that was boosted on trees."
        )
    return leaves, put


def _of_xgboost(final: Any, name: str) -> tuple[list[Array], Put]:
    booster = final.get_booster() if hasattr(final, "get_booster") else final
    stored = json.loads(bytes(booster.save_raw("json")))
    path = stored["learner"]["gradient_booster"]
    trees = path.get("gbtree", path).get("model", {}).get("trees", [])
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        raise IncompatibleError(
            f"The leaves of {name!r} hold one value per output at once (multi_output_tree), which are not "
            "rounded here. Fit it with multi_strategy='one_output_per_tree'."
        )
    ends = [np.array(tree["left_children"]) < 0 for tree in trees]
    leaves = [
        np.array(tree["split_conditions"])[end] for tree, end in zip(trees, ends, strict=True)
    ]

    def put(new: list[Array]) -> Any:
        import xgboost

        for tree, end, values in zip(trees, ends, new, strict=True):
            for node, value in zip(np.flatnonzero(end).tolist(), values.tolist(), strict=True):
                tree["split_conditions"][node] = tree["base_weights"][node] = value
        part = xgboost.Booster()
        part.load_model(bytearray(json.dumps(stored).encode()))
        if final is booster:
            return part
        own = copy.copy(final)
        own._Booster = part
        return own

    return leaves, put


def _of_lightgbm(final: Any, name: str) -> tuple[list[Array], Put]:
    booster = final.booster_ if hasattr(type(final), "booster_") else final
    text = booster.model_to_string(num_iteration=-1)
    if "is_linear=1" in text:
        raise IncompatibleError(
            f"The leaves of {name!r} hold linear models (linear_tree), which are not rounded here. Fit it "
            "with linear_tree=False."
        )
    lines = [line for line in text.split("\n") if line.startswith("leaf_value=")]
    counts = [len(line.removeprefix("leaf_value=").split()) for line in lines]
    leaves = [
        np.array([booster.get_leaf_output(tree, leaf) for leaf in range(count)])
        for tree, count in enumerate(counts)
    ]

    def put(new: list[Array]) -> Any:
        import lightgbm

        part = lightgbm.Booster(model_str=text)
        part.best_iteration = booster.best_iteration
        for tree, values in enumerate(new):
            for leaf, value in enumerate(values.tolist()):
                part.set_leaf_output(tree, leaf, value)
        if final is booster:
            return part
        own = copy.copy(final)
        own._Booster = part
        return own

    return leaves, put


def _of_catboost(final: Any, name: str) -> tuple[list[Array], Put]:
    del name
    counts = np.asarray(final.get_tree_leaf_counts(), dtype=np.intp)
    values = np.asarray(final.get_leaf_values(), dtype=np.float64)
    per_leaf = len(values) // max(1, int(counts.sum()))
    edges = np.cumsum(counts * per_leaf)[:-1]
    leaves = [] if not len(counts) else np.split(values, edges)

    def put(new: list[Array]) -> Any:
        own = type(final)()
        with tempfile.TemporaryDirectory() as folder:
            # CatBoost does not let a copy made in memory be changed, but one that it has read from a file.
            path = str(Path(folder) / "model.cbm")
            final.save_model(path)
            own.load_model(path)
        own.set_leaf_values(np.concatenate(new))
        return own

    return leaves, put
