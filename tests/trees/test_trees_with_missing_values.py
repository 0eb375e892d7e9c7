"""TreeSHAP on rows with missing values, held against enumeration of every coalition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeRegressor

import workbench as wb
from tests.every_coalition import shapley_of
from workbench.methods import TreeSHAP

NAN = np.nan


@pytest.fixture(scope="module")
def table():
    """Columns a, b, c with a fifth of values missing, and d, which is always known in training."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4))
    rows[:, :3][rng.random((300, 3)) < 0.2] = NAN
    y = 2 * np.nan_to_num(rows[:, 0], nan=1.0) + np.nan_to_num(rows[:, 1], nan=-1.0) + rows[:, 3]
    return rows, y


GROWN = {
    "a tree": DecisionTreeRegressor(max_depth=4, random_state=0),
    "a forest": RandomForestRegressor(5, max_depth=4, random_state=0),
    "a forest of classes": RandomForestClassifier(5, max_depth=4, random_state=0),
    "extra trees": ExtraTreesClassifier(5, max_depth=4, random_state=0),
    "histograms": HistGradientBoostingRegressor(max_iter=8, random_state=0),
    "histograms of classes": HistGradientBoostingClassifier(max_iter=8, random_state=0),
}


def fitted(name, rows, y):
    estimator = GROWN[name]
    classes = hasattr(estimator, "predict_proba")
    estimator.fit(rows, y > 0 if classes else y)
    if hasattr(estimator, "decision_function"):
        return estimator, estimator.decision_function
    if classes:
        return estimator, lambda asked: estimator.predict_proba(asked)[:, 1]
    return estimator, estimator.predict


def explained(rows):
    """Known, some missing, d missing (which training never saw), and nothing known at all."""
    some = rows[:4].copy()
    some[0] = [0.3, -0.2, 1.0, 0.5]
    some[1, 0] = some[2, 3] = NAN
    some[3] = NAN
    return some


BACKGROUNDS = {
    "some missing": lambda rows: rows[100:110],
    "a whole column missing": lambda rows: np.where(
        [True, False, False, False], NAN, rows[100:110]
    ),
    "nothing missing": lambda rows: np.nan_to_num(rows[100:110], nan=0.1),
}


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("name", GROWN)
def test_interventional_values_are_those_of_enumeration(name, background, table):
    rows, y = table
    estimator, scores = fitted(name, rows, y)
    absent = BACKGROUNDS[background](rows)
    inputs = wb.Inputs(explained(rows), features=tuple("abcd"), background=absent)
    model = wb.wrap(estimator, like=inputs)
    target = wb.Target(len(model.outputs) - 1)
    found = wb.explain(model, inputs, TreeSHAP(), target)
    for row, own in enumerate(inputs.values):
        right = shapley_of(lambda mask, own=own: scores(np.where(mask, own, absent)).mean(), 4)
        np.testing.assert_allclose(found.values[row], right, atol=1e-12)
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)


def histogram_nodes(estimator):
    """Each tree of a HistGradientBoosting model as (feature, threshold, missing left, ...) arrays."""
    for (one,) in estimator._predictors:
        nodes = one.nodes
        yield (
            np.where(nodes["is_leaf"], -1, nodes["left"].astype(int)),
            nodes["right"].astype(int),
            nodes["feature_idx"],
            nodes["num_threshold"],
            nodes["missing_go_to_left"].astype(bool),
            nodes["value"],
            nodes["count"].astype(float),
        )


def forest_nodes(estimator):
    for one in estimator.estimators_:
        tree = one.tree_
        yield (
            tree.children_left,
            tree.children_right,
            tree.feature,
            tree.threshold,
            tree.missing_go_to_left.astype(bool),
            tree.value[:, 0, 0] / len(estimator.estimators_),
            tree.weighted_n_node_samples,
        )


def by_paths(tree, row, mask):
    """The mean of a tree's leaves where absent features follow both branches, as training rows did."""
    left, right, feature, threshold, missing_left, value, cover = tree

    def at(node):
        if left[node] < 0:
            return value[node]
        j = feature[node]
        if not mask[j]:
            both = [left[node], right[node]]
            return np.average([at(one) for one in both], weights=[cover[one] for one in both])
        goes = missing_left[node] if np.isnan(row[j]) else row[j] <= threshold[node]
        return at(left[node] if goes else right[node])

    return at(0)


@pytest.mark.parametrize(
    ("name", "trees_of"), [("a forest", forest_nodes), ("histograms", histogram_nodes)]
)
def test_path_dependent_values_are_those_of_enumeration(name, trees_of, table):
    rows, y = table
    estimator, _ = fitted(name, rows, y)
    inputs = wb.Inputs(explained(rows).astype(np.float32), features=tuple("abcd"))
    model = wb.wrap(estimator, like=inputs)
    found = wb.explain(model, inputs, TreeSHAP("tree_path_dependent"))
    trees = list(trees_of(estimator))
    for row, own in enumerate(inputs.values):
        right = shapley_of(
            lambda mask, own=own: sum(by_paths(tree, own, mask) for tree in trees), 4
        )
        np.testing.assert_allclose(found.values[row], right, atol=1e-12)


@pytest.mark.parametrize("far", [np.inf, -np.inf])
def test_infinity_is_beyond_every_threshold(far, table):
    rows, y = table
    estimator, scores = fitted("histograms", rows, y)
    own, absent = np.array([far, 0.0, NAN, far]), rows[100:105]
    inputs = wb.Inputs(own[None], features=tuple("abcd"), background=absent)
    found = wb.explain(wb.wrap(estimator, like=inputs), inputs, TreeSHAP())
    right = shapley_of(lambda mask: scores(np.where(mask, own, absent)).mean(), 4)
    np.testing.assert_allclose(found.values[0], right, atol=1e-12)
