"""TreeSHAP on our arrays beside shap on the library's own object, and beside enumeration."""

import copy
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import workbench as wb
from workbench.core import Inputs
from workbench.methods import ExactShapley, PermutationSHAP, TreeSHAP

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shap

CLASSIFIERS = [
    DecisionTreeClassifier(max_depth=5, random_state=0),
    RandomForestClassifier(12, max_depth=6, random_state=0),
    ExtraTreesClassifier(12, max_depth=6, random_state=0),
    GradientBoostingClassifier(n_estimators=12, random_state=0),
    HistGradientBoostingClassifier(max_iter=12, random_state=0),
]
REGRESSORS = [
    DecisionTreeRegressor(max_depth=5, random_state=0),
    RandomForestRegressor(12, max_depth=6, random_state=0),
    ExtraTreesRegressor(12, max_depth=6, random_state=0),
    GradientBoostingRegressor(n_estimators=12, random_state=0),
    HistGradientBoostingRegressor(max_iter=12, random_state=0),
]
named = {"ids": lambda estimator: type(estimator).__name__}


def fitted(estimator, load):
    rows, truth = load(return_X_y=True)
    model = copy.deepcopy(estimator).fit(rows[:300], truth[:300])
    # Rows off the thresholds: shap sends a row that equals a threshold the wrong way, see below.
    inputs = Inputs(rows[300:312] * 1.001, kind="tabular", background=rows[:120] * 1.001)
    return model, inputs


def shaps_values(estimator, inputs, variant):
    """shap on a copy: with a background it overwrites the node weights of the model it is given."""
    background = None
    if variant == "interventional":
        background = shap.maskers.Independent(inputs.background, max_samples=len(inputs.background))
    explainer = shap.TreeExplainer(
        copy.deepcopy(estimator),
        background,
        feature_perturbation=variant if background else "tree_path_dependent",
    )
    values = np.asarray(explainer.shap_values(inputs.values, check_additivity=False))
    return values.reshape(*inputs.values.shape, -1)


@pytest.mark.parametrize("variant", ["interventional", "tree_path_dependent"])
@pytest.mark.parametrize("estimator", CLASSIFIERS, **named)
def test_binary_classifiers_agree_with_shap(estimator, variant):
    estimator, inputs = fitted(estimator, load_breast_cancer)
    model = wb.wrap(estimator)
    last = len(model.outputs) - 1
    ours = wb.explain(model, inputs, TreeSHAP(variant), wb.Target(last))
    theirs = shaps_values(estimator, inputs, variant)[..., -1]
    np.testing.assert_allclose(ours.values, theirs, atol=1e-6 * np.abs(theirs).max())
    np.testing.assert_allclose(ours.gap, 0.0, atol=2e-6)


@pytest.mark.parametrize("variant", ["interventional", "tree_path_dependent"])
@pytest.mark.parametrize("estimator", REGRESSORS, **named)
def test_regressors_agree_with_shap(estimator, variant):
    estimator, inputs = fitted(estimator, load_diabetes)
    ours = wb.explain(wb.wrap(estimator), inputs, TreeSHAP(variant))
    theirs = shaps_values(estimator, inputs, variant)[..., 0]
    np.testing.assert_allclose(ours.values, theirs, atol=1e-6 * np.abs(theirs).max())
    np.testing.assert_allclose(ours.gap, 0.0, atol=1e-6 * np.abs(ours.output).max())


@pytest.mark.parametrize("variant", ["interventional", "tree_path_dependent"])
def test_ten_classes_agree_with_shap(variant):
    estimator, inputs = fitted(RandomForestClassifier(8, max_depth=7, random_state=0), load_digits)
    targets = tuple(map(wb.Target, range(10)))
    study = wb.Study((wb.wrap(estimator),), (TreeSHAP(variant),), inputs[:4], targets)
    theirs = shaps_values(estimator, inputs[:4], variant)
    for digit, ours in enumerate(wb.run(study)):
        np.testing.assert_allclose(ours.values, theirs[..., digit], atol=1e-7)


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(5, max_depth=4, random_state=0),
        GradientBoostingClassifier(n_estimators=6, random_state=0),
    ],
    **named,
)
def test_interventional_values_equal_enumeration_of_every_coalition(estimator):
    rows, truth = load_breast_cancer(return_X_y=True)
    columns = [0, 7, 20, 22, 23, 27, 28, 11]
    model = wb.wrap(copy.deepcopy(estimator).fit(rows[:300][:, columns], truth[:300]))
    inputs = Inputs(rows[300:304][:, columns], kind="tabular", background=rows[:150][:, columns])
    ours = wb.explain(model, inputs, TreeSHAP("interventional"), wb.Target(0))
    exact = wb.explain(model, inputs, ExactShapley(), wb.Target(0))
    np.testing.assert_allclose(
        ours.values, exact.values, atol=1e-7
    )  # shap's C++ keeps single precision


def test_background_rows_on_a_threshold_go_the_way_the_model_sends_them():
    """The peer compares the background in single precision: its values are off here."""
    rows, truth = load_breast_cancer(return_X_y=True)
    columns = [21, 27, 22, 0, 13]
    estimator = HistGradientBoostingClassifier(max_iter=12, random_state=0)
    estimator.fit(rows[:300][:, columns], truth[:300])
    inputs = Inputs(rows[300:303][:, columns], kind="tabular", background=rows[:120][:, columns])
    model = wb.wrap(estimator)
    ours = wb.explain(model, inputs, TreeSHAP("interventional"))
    exact = wb.explain(model, inputs, ExactShapley())
    np.testing.assert_allclose(ours.values, exact.values, atol=2e-7)
    theirs = shaps_values(estimator, inputs, "interventional")[..., 0]
    assert np.abs(theirs - exact.values).max() > 1e-4


def test_sampling_approaches_the_exact_trees_within_its_errors():
    estimator, inputs = fitted(CLASSIFIERS[1], load_breast_cancer)
    model = wb.wrap(estimator)
    exact = wb.explain(model, inputs[:3], TreeSHAP(), wb.Target(1))
    sampled = wb.explain(model, inputs[:3], PermutationSHAP(budget=4 * 60 * 120), wb.Target(1))
    z = (sampled.values - exact.values) / np.maximum(sampled.error, 1e-9)
    assert np.sqrt((z**2).mean()) < 1.4


def test_the_live_estimator_is_left_as_it_was():
    estimator, inputs = fitted(
        RandomForestClassifier(3, max_depth=3, random_state=0), load_breast_cancer
    )
    before = [tree.tree_.weighted_n_node_samples.copy() for tree in estimator.estimators_]
    scores = estimator.predict_proba(inputs.values)
    model = wb.wrap(estimator)
    for variant in ("interventional", "tree_path_dependent", "interventional"):
        wb.explain(model, inputs, TreeSHAP(variant), wb.Target(0))
    for tree, weights in zip(estimator.estimators_, before, strict=True):
        np.testing.assert_array_equal(tree.tree_.weighted_n_node_samples, weights)
    np.testing.assert_array_equal(estimator.predict_proba(inputs.values), scores)
