"""scikit-learn's tree models as `Trees`, where their trees add up in the model's own scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Scale, Tree, Trees
from workbench.models.tabular.reading import Order, Tables, in_columns
from workbench.models.tabular.unlabeled import PATH_LENGTH, expected_splits

Parser = Callable[[], Trees]

_CLASSIFIERS = ("DecisionTreeClassifier", "ExtraTreeClassifier")
_REGRESSORS = ("DecisionTreeRegressor", "ExtraTreeRegressor")
_FORESTS = ("RandomForestClassifier", "ExtraTreesClassifier")
_REGRESSION_FORESTS = ("RandomForestRegressor", "ExtraTreesRegressor")
_SUMMED_LOSSES = ("squared_error", "absolute_error", "quantile", "huber")
_BOOSTING = (
    "GradientBoostingClassifier",
    "GradientBoostingRegressor",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
)
_ISOLATION = "IsolationForest"
_NOT_OFFERED = "so TreeSHAP is not offered."


def of_trees(estimator: Any) -> bool:
    """Whether it is one of scikit-learn's sums of trees; only its class is looked at."""
    kinds = (*_CLASSIFIERS, *_REGRESSORS, *_FORESTS, *_REGRESSION_FORESTS, *_BOOSTING, _ISOLATION)
    return _kind(estimator) in kinds


def _kind(estimator: Any) -> str:
    """The class of scikit-learn whose scores these are: its own, or what a subclass fits otherwise."""
    own = type(estimator)
    for one in own.__mro__:
        if one.__module__.startswith("sklearn."):
            asked = (
                "predict_proba",
                "decision_function",
                "predict",
                "_raw_predict",
                "apply",
                "score_samples",
            )
            same = all(getattr(own, name, None) is getattr(one, name, None) for name in asked)
            if same and not one.__name__.startswith(("_", "Base")):
                return one.__name__
            if not same:
                return ""
    return ""


def tree_parser(
    estimator: Any, scale: Scale, order: Order, like: Inputs | None, names: Sequence[str] = ()
) -> tuple[Parser | None, str]:
    """A function that reads the trees, or None and the reason; no reason for other models.

    A forest is the mean of its trees' class frequencies, so it adds up in probabilities; gradient
    boosting adds up in log-odds; regressors add up in the unit of what they predict; an isolation forest
    in the mean length of its paths.

    Args:
        estimator: the step that gives the scores, on columns nothing has changed.
        scale: the scale of the model's scores.
        order: the row column of each column of the estimator, or None when they agree.
        like: example rows, like those to be explained; where there is an order, labels reach the estimator.
        names: of the scores, as the estimator calls them.
    """
    columns: Order = order
    tables: Tables = numbers_of_labels(like, order)
    kind = _kind(estimator)
    if kind == _ISOLATION:
        if PATH_LENGTH not in names:
            return None, (
                "Its score is 2 to the power of minus the mean depth of a row in its trees, which is no "
                f"sum over them, {_NOT_OFFERED} Wrap it with outputs=[{PATH_LENGTH!r}] for that depth."
            )
        wanted, read = "raw", _read_isolation
    elif kind in (*_CLASSIFIERS, *_REGRESSORS, *_FORESTS, *_REGRESSION_FORESTS):
        wanted, read = ("probability" if "Classifier" in kind else "raw"), _read_forest
    elif kind in ("GradientBoostingClassifier", "GradientBoostingRegressor"):
        wanted, read = ("logit" if "Classifier" in kind else "raw"), _read_boosting
        if not (estimator.init is None or isinstance(estimator.init, str)):
            return None, f"Its boosting starts from another model (init=...), {_NOT_OFFERED}"
    elif kind in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        wanted, read = ("logit" if "Classifier" in kind else "raw"), _read_histograms
        if np.any(estimator.is_categorical_):
            try:
                columns, tables = _encoded_columns(estimator, order, like, tables)
            except _UnknownCodesError as error:
                return None, f"{error}, {_NOT_OFFERED}"
        if wanted == "raw" and estimator.loss not in _SUMMED_LOSSES:
            return None, (
                f"With loss={estimator.loss!r} it predicts the exponential of the sum of its trees, "
                f"{_NOT_OFFERED}"
            )
    else:
        return None, ""
    if scale != wanted:
        return None, (
            f"Its trees add up in scale {wanted!r}, but the scores are in {scale!r}, {_NOT_OFFERED} "
            f"Wrap it with scale={wanted!r} for that."
        )
    return cache(lambda: in_columns(read(estimator), columns, tables)), ""


class _UnknownCodesError(Exception):
    """The rows' codes cannot be matched with those of the encoder inside boosting; stays in this file."""


def numbers_of_labels(like: Inputs | None, order: Order) -> dict[int, NDArray[np.float64]]:
    """{column of the estimator: the number behind each code}, where labels are numbers other than codes."""
    if like is None or order is None:
        return {}
    tables = {}
    for column, at in enumerate(order):
        labels = like.categories.get(like.features[at], ())
        if all(isinstance(label, bool | int | float) for label in labels):
            tables[column] = np.array([float(label) for label in labels])
    return {j: table for j, table in tables.items() if (table != np.arange(len(table))).any()}


def _encoded_columns(
    estimator: Any, order: Order, like: Inputs | None, tables: Tables
) -> tuple[NDArray[np.intp], Tables]:
    """The row column of each column of the trees, and the trees' code for each code of the rows.

    Histogram boosting puts the columns of categories first and numbers their categories from 0.
    """
    chosen = np.asarray(estimator.is_categorical_, dtype=np.bool_)
    place = np.append(np.flatnonzero(chosen), np.flatnonzero(~chosen))
    encoder = estimator._preprocessor.named_transformers_["encoder"]
    found = {new: tables[old] for new, old in enumerate(place.tolist()) if old in tables}
    for new, known in enumerate(encoder.categories_):
        old = int(place[new])
        feature = "" if like is None or order is None else like.features[order[old]]
        codes = {label: float(code) for code, label in enumerate(np.asarray(known).tolist())}
        labels: Iterable[Any]
        if like is not None and feature in like.categories:
            labels = like.categories[feature]
        else:
            labels = _whole_numbers(codes, feature or f"column {old}")
        found[new] = np.array([codes.get(label, np.nan) for label in labels])
    return place if order is None else order[place], found


def _whole_numbers(codes: dict[Any, float], column: str) -> range:
    """The numbers 0, 1, ... that rows without labels may hold in a column of categories."""
    numbers = [
        one for one in codes if one is not None and one == one
    ]  # a missing value has no code
    if all(isinstance(one, int | float) and one >= 0 and one == int(one) for one in numbers):
        return range(int(max(numbers, default=-1)) + 1)
    raise _UnknownCodesError(
        f"Its trees split sets of the categories {numbers[:5]} of {column!r}, which must be whole numbers "
        "from 0 or come as labels (like=workbench.data.table(frame))"
    )


def _read_forest(estimator: Any) -> Trees:
    members = getattr(estimator, "estimators_", [estimator])
    classes = getattr(estimator, "n_classes_", None)
    trees = tuple(
        _read_tree(member.tree_, _leaf_values(member.tree_, classes) / len(members))
        for member in members
    )
    return Trees(trees, np.zeros(trees[0].values.shape[1]), np.float32)


def _read_isolation(estimator: Any) -> Trees:
    """The depth of each leaf, and what is expected below it; a tree sees `estimators_features_` alone."""
    trees = []
    for member, columns in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        tree = member.tree_
        depth = np.zeros(tree.node_count)
        for node in np.flatnonzero(tree.children_left >= 0):  # a parent comes before its children
            depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
        lengths = (depth + expected_splits(tree.n_node_samples)) / len(estimator.estimators_)
        one = _read_tree(tree, lengths[:, None])
        trees.append(replace(one, feature=np.asarray(columns, dtype=np.intp)[one.feature]))
    return Trees(tuple(trees), np.zeros(1), np.float32)


def _leaf_values(tree: Any, classes: Any) -> NDArray[np.float64]:
    """Class frequencies of all outputs side by side, or predicted values `(nodes, k)`."""
    values = np.asarray(tree.value, dtype=np.float64)
    if classes is None:
        return values[:, :, 0]
    counts: Sequence[int] = np.atleast_1d(np.asarray(classes)).tolist()
    return np.concatenate([values[:, j, :count] for j, count in enumerate(counts)], axis=1)


def _read_tree(tree: Any, values: NDArray[np.float64]) -> Tree:
    return Tree(
        left=np.asarray(tree.children_left, dtype=np.intp),
        right=np.asarray(tree.children_right, dtype=np.intp),
        feature=np.maximum(np.asarray(tree.feature, dtype=np.intp), 0),
        threshold=np.asarray(tree.threshold, dtype=np.float64),
        missing_left=np.asarray(tree.missing_go_to_left, dtype=np.bool_),
        values=values,
        cover=np.asarray(tree.weighted_n_node_samples, dtype=np.float64),
    )


def _read_boosting(estimator: Any) -> Trees:
    stages = estimator.estimators_
    k = stages.shape[1]
    rate = estimator.learning_rate
    if getattr(estimator, "loss", None) == "exponential":
        rate = 2.0 * rate  # like the scores: log-odds are twice the margin
    trees = []
    for stage in stages:
        for output, member in enumerate(stage):
            values = np.zeros((member.tree_.node_count, k))
            values[:, output] = rate * member.tree_.value[:, 0, 0]
            trees.append(_read_tree(member.tree_, values))
    return _with_offset(estimator, tuple(trees), k, np.float32)


def _read_histograms(estimator: Any) -> Trees:
    k = len(estimator._predictors[0]) if estimator._predictors else 1
    trees = []
    for stage in estimator._predictors:
        for output, predictor in enumerate(stage):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            values = np.zeros((len(nodes), k))
            values[:, output] = nodes["value"]
            trees.append(
                Tree(
                    left=np.where(leaf, -1, nodes["left"].astype(np.intp)),
                    right=np.where(leaf, -1, nodes["right"].astype(np.intp)),
                    feature=np.where(leaf, 0, nodes["feature_idx"].astype(np.intp)),
                    threshold=nodes["num_threshold"].astype(np.float64),
                    missing_left=nodes["missing_go_to_left"].astype(bool),
                    values=values,
                    cover=nodes["count"].astype(np.float64),
                    goes_left=_sets(estimator, predictor),
                )
            )
    offset = np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(-1)
    return Trees(tuple(trees), offset)


def _sets(estimator: Any, predictor: Any) -> dict[int, NDArray[np.bool_]]:
    """The sets of codes that go left; a code unknown from training goes the way of missing values."""
    nodes, sets = predictor.nodes, {}
    for node in np.flatnonzero(nodes["is_categorical"] & (1 - nodes["is_leaf"])):
        words = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        known = len(estimator._bin_mapper.bin_thresholds_[nodes["feature_idx"][node]])
        chosen = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[:known]
        table = np.append(chosen, nodes["missing_go_to_left"][node])
        sets[int(node)] = table.astype(np.bool_)
    return sets


def _with_offset(
    estimator: Any, trees: tuple[Tree, ...], k: int, dtype: type[np.floating[Any]]
) -> Trees:
    """The score that boosting starts from: its score of one row minus the sum of its trees there."""
    zeros = np.zeros((1, estimator.n_features_in_))
    if hasattr(estimator, "feature_names_in_"):
        import pandas as pd

        row: Any = pd.DataFrame(zeros, columns=list(estimator.feature_names_in_))
    else:
        row = zeros
    classifies = hasattr(estimator, "decision_function")
    score = estimator.decision_function(row) if classifies else estimator.predict(row)
    factor = 2.0 if getattr(estimator, "loss", None) == "exponential" else 1.0
    offset = factor * np.asarray(score, dtype=np.float64).reshape(k)
    without = Trees(trees, np.zeros(k), dtype)
    return replace(without, offset=offset - without.scores(zeros)[0])
