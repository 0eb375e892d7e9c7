"""CatBoost's models as `Boosted`, read from the JSON that CatBoost itself writes."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core import Tree, Trees
from workbench.errors import InputError
from workbench.models.tabular.boosted import NOT_OFFERED, Array, Boosted, Link, unit_of
from workbench.models.tabular.reading import followed

_LINKS: dict[str, Link] = {
    "Logloss": "logistic",
    "CrossEntropy": "logistic",
    "MultiClass": "softmax",
    "MultiClassOneVsAll": "logistics",
    "MultiLogloss": "logistics",
    "MultiCrossEntropy": "logistics",
    "Poisson": "log",
    "Tweedie": "log",
    "LogLinQuantile": "log",
    "RMSEWithUncertainty": "other",
}


def read_catboost(native: Any, name: str) -> Boosted:
    """The content of a CatBoost model.

    Early stopping has already cut the model to its best size. CatBoost goes right where `x > border` in
    float32. A symmetric tree asks one question per level: a row reaches leaf i where its answers are the
    bits of i. A missing value counts as the smallest or the largest number, as learned in the fit.

    Raises:
        InputError: it has not been fitted.
    """
    if not native.is_fitted():
        raise InputError(
            f"A fitted model is needed, but {name!r} ({type(native).__name__}) has not been fitted. Call "
            "fit first."
        )
    loss = _loss(native)
    link: Link = _LINKS.get(loss, "identity")
    names = tuple(str(one) for one in native.feature_names_ or ())
    labeled = [*native.get_cat_feature_indices(), *native.get_text_feature_indices()]
    odd = [*labeled, *native.get_embedding_feature_indices()]
    stored = {} if odd else _stored(native)
    columns = len(np.atleast_1d(native.get_scale_and_bias()[1]))
    why = ""
    if odd:
        why = (
            f"Its trees split statistics of the categories, texts or embeddings in columns "
            f"{[names[j] if names else j for j in sorted(odd)][:10]}, not the columns themselves, "
            f"{NOT_OFFERED} Perturbed rows are exact: ExactShapley, or PermutationSHAP for many columns."
        )
    return Boosted(
        library="CatBoost",
        width=len(names),
        names=() if names == tuple(str(j) for j in range(len(names))) else names,
        link=link,
        columns=columns,
        classes=_classes(native, link, columns),
        margin=partial(_margin, native, columns),
        read=partial(_trees, stored, columns),
        why=why,
        labels={int(j): () for j in labeled},
        coded=_used(native),
        framed=bool(labeled),
        digest=_digest(native, stored),
        unit=unit_of(link, loss),
        notes=(
            f"The scores sum all {native.tree_count_} trees the model kept.",
            *_about_link(loss, link),
        ),
    )


def _used(native: Any) -> frozenset[int]:
    """The columns of categories that some tree reads."""
    columns = [int(j) for j in native.get_cat_feature_indices()]
    if not columns:
        return frozenset()
    shares = np.ravel(native.get_feature_importance(type="PredictionValuesChange"))
    return frozenset(j for j in columns if shares[j] > 0)


def _loss(native: Any) -> str:
    """The loss's name without its settings; "" for a loss the user wrote, and for a sum of models."""
    from catboost import CatBoostError

    try:
        loss = native.get_all_params()["loss_function"]
    except (KeyError, CatBoostError):  # the latter from a sum of models, which keeps no parameters
        return ""
    return str(loss).split(":")[0]


def _about_link(loss: str, link: Link) -> list[str]:
    if link == "log":
        return [
            f"The scores are the sums of the trees, the logarithm of what predict gives ({loss})."
        ]
    if link == "other":
        return [f"The scores are the sums of the trees; predict gives a function of them ({loss})."]
    return []


def _classes(native: Any, link: Link, columns: int) -> tuple[str, ...]:
    wanted = 2 if link == "logistic" else columns
    classes: Sequence[Any] = np.asarray(native.classes_).tolist()
    fits = link in ("logistic", "softmax", "logistics") and len(classes) == wanted
    return tuple(str(one) for one in classes) if fits else ()


def _stored(native: Any) -> dict[str, Any]:
    """The model as CatBoost writes it; CatBoost can only write to a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        native.save_model(str(path), format="json")
        found: dict[str, Any] = json.loads(path.read_text())
    return found


def _digest(native: Any, stored: dict[str, Any]) -> str:
    """The sha256, without what training recorded, such as its time, where only the trees decide."""
    kept = {key: value for key, value in stored.items() if key != "model_info"}
    data = json.dumps(kept, sort_keys=True).encode() if kept else native._serialize_model()
    return hashlib.sha256(b"catboost" + data).hexdigest()


def _margin(native: Any, columns: int, rows: Any) -> Array:
    import catboost

    # A ranker's own predict knows no types, and gives this one.
    scores = catboost.CatBoost.predict(native, rows, prediction_type="RawFormulaVal")
    return np.asarray(scores, dtype=np.float64).reshape(len(rows), columns)


def _trees(stored: dict[str, Any], columns: int) -> Trees:
    factor, bias = stored["scale_and_bias"]
    about = {
        one["feature_index"]: (one["flat_feature_index"], one["nan_value_treatment"] != "AsTrue")
        for one in stored["features_info"]["float_features"]
    }
    roots = [_grown(tree, columns) for tree in stored.get("oblivious_trees", ())]
    roots += stored.get("trees", ())
    trees = tuple(followed(_tree(root, about, columns, factor)) for root in roots)
    return Trees(trees, np.array(np.broadcast_to(bias, (columns,)), dtype=np.float64), np.float32)


def _grown(tree: dict[str, Any], columns: int) -> dict[str, Any]:
    """A symmetric tree in the nested form of the other trees: its last question is asked first."""
    values = np.reshape(tree["leaf_values"], (-1, columns))
    level = [
        {"value": value, "weight": weight}
        for value, weight in zip(values.tolist(), tree["leaf_weights"], strict=True)
    ]
    for split in tree["splits"] or ():
        level = [
            {"split": split, "left": left, "right": right}
            for left, right in zip(level[::2], level[1::2], strict=True)
        ]
    return level[0]


def _tree(
    root: dict[str, Any], about: dict[int, tuple[int, bool]], columns: int, factor: float
) -> Tree:
    """The nodes from the root down."""
    left: list[int] = []
    right: list[int] = []
    feature, edge, missing, values, cover = [], [], [], [], []

    def grow(node: dict[str, Any]) -> int:
        at = len(left)
        for kept in (left, right):
            kept.append(-1)
        cover.append(_weight(node))
        inner = "split" in node
        column, missing_left = about[node["split"]["float_feature_index"]] if inner else (0, False)
        feature.append(column)
        edge.append(node["split"]["border"] if inner else 0.0)
        missing.append(missing_left)
        values.append(np.zeros(columns) if inner else factor * np.atleast_1d(node["value"]))
        if inner:
            left[at] = grow(node["left"])
            right[at] = grow(node["right"])
        return at

    grow(root)
    return Tree(
        left=np.array(left, dtype=np.intp),
        right=np.array(right, dtype=np.intp),
        feature=np.array(feature, dtype=np.intp),
        threshold=np.array(edge, dtype=np.float64),
        missing_left=np.array(missing, dtype=np.bool_),
        values=np.array(values, dtype=np.float64).reshape(len(left), columns),
        cover=np.array(cover, dtype=np.float64),
    )


def _weight(node: dict[str, Any]) -> float:
    if "split" not in node:
        return float(node["weight"])
    return _weight(node["left"]) + _weight(node["right"])
