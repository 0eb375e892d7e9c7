"""scikit-learn's tree models as `Trees`, where they are a sum of trees in the model's own scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Scale, Tree, Trees

Order = NDArray[np.intp] | None
Parser = Callable[[], Trees]

_CLASSIFIERS = ("DecisionTreeClassifier", "ExtraTreeClassifier")
_REGRESSORS = ("DecisionTreeRegressor", "ExtraTreeRegressor")
_FORESTS = ("RandomForestClassifier", "ExtraTreesClassifier")
_REGRESSION_FORESTS = ("RandomForestRegressor", "ExtraTreesRegressor")
_SUMMED_LOSSES = ("squared_error", "absolute_error", "quantile", "huber")
_NOT_OFFERED = "so TreeSHAP is not offered."


def tree_parser(estimator: Any, scale: Scale, order: Order) -> tuple[Parser | None, str]:
    """What reads the trees when first called, or None and the reason; no reason for other models.

    A forest is the mean of its trees' class frequencies, so it adds up in probabilities; gradient
    boosting adds up in log-odds; regressors add up in the unit of what they predict.

    Args:
        estimator: the step that gives the scores, on columns nothing has changed.
        scale: the scale of the model's scores.
        order: which column of the rows each column of the estimator is, or None when they agree.
    """
    kind = type(estimator).__name__
    if not type(estimator).__module__.startswith("sklearn."):
        return None, ""
    if kind in (*_CLASSIFIERS, *_REGRESSORS, *_FORESTS, *_REGRESSION_FORESTS):
        wanted, read = ("probability" if "Classifier" in kind else "raw"), _read_forest
    elif kind in ("GradientBoostingClassifier", "GradientBoostingRegressor"):
        wanted, read = ("logit" if "Classifier" in kind else "raw"), _read_boosting
        if not (estimator.init is None or isinstance(estimator.init, str)):
            return None, f"Its boosting starts from another model (init=...), {_NOT_OFFERED}"
    elif kind in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        wanted, read = ("logit" if "Classifier" in kind else "raw"), _read_histograms
        if np.any(estimator.is_categorical_):
            return None, f"Its trees split categories into sets, not by a threshold, {_NOT_OFFERED}"
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
    return cache(lambda: _in_order(read(estimator), order)), ""


def _in_order(trees: Trees, order: Order) -> Trees:
    """The same trees over the columns of the rows."""
    if order is None:
        return trees
    return replace(
        trees,
        trees=tuple(
            replace(tree, feature=np.where(tree.left < 0, tree.feature, order[tree.feature]))
            for tree in trees.trees
        ),
    )


def _read_forest(estimator: Any) -> Trees:
    members = getattr(estimator, "estimators_", [estimator])
    classes = getattr(estimator, "n_classes_", None)
    trees = tuple(
        _read_tree(member.tree_, _leaf_values(member.tree_, classes) / len(members))
        for member in members
    )
    return Trees(trees, np.zeros(trees[0].values.shape[1]), np.float32)


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
        rate = 2.0 * rate  # as the scores: log-odds are twice the margin
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
                )
            )
    return _with_offset(estimator, tuple(trees), k, np.float64)


def _with_offset(
    estimator: Any, trees: tuple[Tree, ...], k: int, dtype: type[np.floating[Any]]
) -> Trees:
    """What the boosting starts from: its score of one row minus what the trees add to it there."""
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
