"""LightGBM's models as `Boosted`, read from the text that LightGBM itself writes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Tree, Trees, plain_numbers
from workbench.errors import InputError
from workbench.models.tabular.boosted import NOT_OFFERED, Array, Boosted, Link, unit_of
from workbench.models.tabular.lightgbm_text import TreeText, words_of
from workbench.models.tabular.reading import followed

_LINKS: dict[str, Link] = {
    "binary": "logistic",
    "cross_entropy": "logistic",
    "cross_entropy_lambda": "other",
    "multiclass": "softmax",
    "multiclassova": "logistics",
    "poisson": "log",
    "gamma": "log",
    "tweedie": "log",
}
_CATEGORICAL, _DEFAULT_LEFT, _ZERO_IS_MISSING, _NAN_IS_MISSING = 1, 2, 4, 8
_ZERO = float(np.float32(1e-35))  # LightGBM takes smaller numbers for zero


def read_lightgbm(native: Any, name: str, like: Inputs | None) -> Boosted:
    """The content of a Booster or of one of LightGBM's scikit-learn estimators.

    The iterations that count are those that its own `predict` uses: up to the best of early stopping. The
    average it starts from is part of the leaves of the first trees. Categories in a split's set go left;
    all other codes, and missing values there, go right. Where a split saw no missing values in the fit,
    LightGBM takes NaN for 0.

    Args:
        native: fitted.
        name: what messages call it.
        like: the rows to explain, whose labels are matched with those in the model.

    Raises:
        InputError: it has not been fitted.
    """
    booster = _booster(native, name)
    text = booster.model_to_string()
    head, *blocks = text.split("\nend of trees")[0].split("\nTree=")
    header = words_of(head)
    objective = header.get("objective", "")
    kind, factor, columns = (
        _objective(objective),
        _sigmoid(objective),
        booster.num_model_per_iteration(),
    )
    stored = [TreeText(block) for block in blocks]
    names = tuple(booster.feature_name())
    if all(re.fullmatch(r"Column_\d+", one) for one in names):
        names = ()
    labels = _labels(booster, text, names, like)
    average = "average_output" in head.split("\n")
    rounds = len(stored) // columns
    factor = factor / rounds if average else factor  # LightGBM's raw score is the sum even here
    return Boosted(
        library="LightGBM",
        width=booster.num_feature(),
        names=names,
        link=kind,
        columns=columns,
        classes=_classes(native, kind, columns),
        margin=partial(_margin, booster, factor, columns),
        read=partial(_trees, stored, columns, factor),
        why=_why(stored),
        labels=labels,
        coded=frozenset(j for j, known in labels.items() if not known),
        digest=hashlib.sha256(
            f"lightgbm {text.split('feature_importances:')[0]} {booster.pandas_categorical}".encode()
        ).hexdigest(),
        unit=unit_of(kind, objective),
        notes=(
            _about_rounds(booster, rounds, average=average),
            *_about_link(objective, kind),
        ),
    )


def _booster(native: Any, name: str) -> Any:
    from sklearn.exceptions import NotFittedError

    try:
        return native.booster_ if hasattr(type(native), "booster_") else native
    except NotFittedError:
        raise InputError(
            f"A fitted model is needed, but {name!r} ({type(native).__name__}) has not been fitted. Call "
            "fit first."
        ) from None


def _objective(objective: str) -> Link:
    kind, *settings = objective.split() or [""]
    return "other" if "sqrt" in settings else _LINKS.get(kind, "identity")


def _sigmoid(objective: str) -> float:
    """The factor that turns a sum of trees into log-odds: LightGBM's p is 1 / (1 + exp(-sigmoid * sum))."""
    found = re.search(r"sigmoid:(\S+)", objective)
    return float(found[1]) if found else 1.0


def _classes(native: Any, link: Link, columns: int) -> tuple[str, ...]:
    wanted = 2 if link == "logistic" else columns
    classes: Sequence[Any] = np.asarray(getattr(native, "classes_", ())).tolist()
    if link in ("logistic", "softmax", "logistics") and len(classes) == wanted:
        return tuple(str(one) for one in classes)
    return tuple(str(j) for j in range(columns)) if link == "logistics" else ()


def _why(stored: list[TreeText]) -> str:
    if any(tree.words.get("is_linear", "0").strip() == "1" for tree in stored):
        return f"Its leaves hold linear models (linear_tree), {NOT_OFFERED}"
    return ""


def _about_rounds(booster: Any, rounds: int, *, average: bool) -> str:
    how = "average" if average else "sum"
    if rounds < booster.current_iteration():
        return (
            f"The scores {how} the trees of the first {rounds} of {booster.current_iteration()} "
            "iterations: early stopping found the best there, and predict stops there too."
        )
    return f"The scores {how} the trees of all {rounds} iterations."


def _about_link(objective: str, link: Link) -> list[str]:
    if not objective:
        return [
            "Its objective is none of LightGBM's own: the scores are its margins, in their own unit."
        ]
    if link == "log":
        return [
            f"The scores are the sums of the trees, the logarithm of what predict gives ({objective})."
        ]
    if link == "other":
        return [
            f"The scores are the sums of the trees; predict gives a function of them ({objective})."
        ]
    return []


def _labels(
    booster: Any, text: str, names: tuple[str, ...], like: Inputs | None
) -> dict[int, tuple[Any, ...]]:
    """The labels by column: LightGBM keeps them only in the order of the frame's category columns.

    It does not keep which columns those were. They are looked for among the columns that are split as sets
    and among those of the rows that hold labels; () where they cannot be found.
    """
    kept = [tuple(labels) for labels in booster.pandas_categorical or ()]
    if not kept:
        return {}
    found = re.search(r"\[categorical_feature: ([\d,]+)\]", text)
    columns = sorted(int(one) for one in found[1].split(",")) if found else []
    if like is None or not names:
        fits = len(kept) == len(columns)
        return dict(zip(columns, kept, strict=True)) if fits else dict.fromkeys(columns, ())
    spelled = {feature.replace(" ", "_"): own for feature, own in like.categories.items()}
    owned = {
        j: like.categories.get(one, spelled.get(one, ()))
        for j, one in enumerate(names)
        if one in like.categories or one in spelled
    }
    numbers = [j for j in owned if all(isinstance(label, bool) for label in owned[j])]
    # Plain numbers in the rows may be labels where labels are numbers; then the sets decide.
    sure = not any(isinstance(label, int | float) for labels in kept for label in labels)
    for candidates in (columns, [j for j in owned if j not in numbers], list(owned)):
        if (
            len(candidates) == len(kept)
            and (sure or set(columns) <= set(candidates))
            and all(
                set(owned.get(j, ())) & set(labels)
                for j, labels in zip(candidates, kept, strict=True)
            )
        ):
            return dict(zip(candidates, kept, strict=True))
    if len(columns) == len(kept) and not set(columns) & set(owned):
        return dict(zip(columns, kept, strict=True))
    unclear = {*columns, *(j for j in owned if not plain_numbers(owned[j]))}
    return dict.fromkeys(unclear, ())


def _margin(booster: Any, factor: float, columns: int, rows: NDArray[Any]) -> Array:
    scores = booster.predict(np.asarray(rows, dtype=np.float64), raw_score=True)
    return factor * np.asarray(scores, dtype=np.float64).reshape(len(rows), columns)


def _trees(stored: list[TreeText], columns: int, factor: float) -> Trees:
    trees = tuple(
        followed(_tree(text, i % columns, columns, factor)) for i, text in enumerate(stored)
    )
    return Trees(trees, np.zeros(columns))


def _tree(tree: TreeText, output: int, columns: int, factor: float) -> Tree:
    """Inner nodes first, then leaves: LightGBM counts both from 0, and leaf j is written as -1 - j."""
    kinds = tree.numbers("decision_type").astype(int)
    inner, leaves = len(kinds), int(tree.words["num_leaves"])
    edges = _edges(tree)
    none = np.full(leaves, -1, dtype=np.intp)
    values = np.zeros((inner + leaves, columns))
    values[inner:, output] = factor * tree.numbers("leaf_value")
    learned = kinds & (_ZERO_IS_MISSING | _NAN_IS_MISSING) > 0
    missing_left = np.where(learned, kinds & _DEFAULT_LEFT > 0, edges >= 0)
    missing_left &= kinds & _CATEGORICAL == 0
    hole = np.full((inner + leaves, 2), np.nan)
    hole[np.flatnonzero((kinds & _ZERO_IS_MISSING > 0) & (kinds & _CATEGORICAL == 0))] = (
        -_ZERO,
        _ZERO,
    )
    counts = np.append(tree.numbers("internal_count"), tree.numbers("leaf_count"))
    return Tree(
        left=np.append(_children(tree, "left_child", inner), none),
        right=np.append(_children(tree, "right_child", inner), none),
        feature=np.append(tree.numbers("split_feature"), np.zeros(leaves)).astype(np.intp),
        threshold=np.append(edges, np.zeros(leaves)),
        missing_left=np.append(missing_left, np.zeros(leaves, dtype=np.bool_)),
        values=values,
        cover=counts if len(counts) == inner + leaves else np.ones(inner + leaves),
        goes_left=_sets(tree, kinds),
        hole=None if np.isnan(hole).all() else hole,
    )


def _edges(tree: TreeText) -> NDArray[np.float64]:
    """The thresholds; LightGBM takes tiny numbers for 0, so none lies among them."""
    edges = tree.numbers("threshold")
    below = np.nextafter(-_ZERO, -np.inf)
    return np.where(np.abs(edges) > _ZERO, edges, np.where(edges < 0, below, _ZERO))


def _children(tree: TreeText, key: str, inner: int) -> NDArray[np.intp]:
    child = tree.numbers(key).astype(np.intp)
    return np.where(child >= 0, child, inner - 1 - child)


def _sets(tree: TreeText, kinds: NDArray[np.int_]) -> dict[int, NDArray[np.bool_]]:
    """The sets of categories that go left, written as bits in words of 32."""
    which = tree.numbers("threshold")
    edge = tree.numbers("cat_boundaries").astype(int)
    bits = np.array(tree.words.get("cat_threshold", "").split(), dtype="<u4")
    sets = {}
    for node in np.flatnonzero(kinds & _CATEGORICAL):
        at = int(which[node])
        chosen = np.unpackbits(bits[edge[at] : edge[at + 1]].view(np.uint8), bitorder="little")
        sets[int(node)] = np.append(np.trim_zeros(chosen, "b"), 0).astype(np.bool_)
    return sets
