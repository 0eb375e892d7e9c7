"""Cost-complexity pruning of fitted trees: the trees that scikit-learn grows with ccp_alpha, bit by bit."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

import workbench as wb
from workbench import data, methods, variants
from workbench.errors import IncompatibleError, InputError
from workbench.variants.trees.native import members_of

BREAST, PROGRESS = data.breast_cancer("train"), data.diabetes("train")
SPARSE = BREAST.values.copy()
SPARSE[::3, 4] = np.nan

CLASSIFIERS = {
    "tree": DecisionTreeClassifier(random_state=0),
    "tree by entropy, classes balanced": DecisionTreeClassifier(
        criterion="entropy", class_weight="balanced", random_state=0
    ),
    "extra tree": ExtraTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(6, random_state=0),
    "extra trees": ExtraTreesClassifier(5, bootstrap=True, random_state=0),
}
REGRESSORS = {
    "tree": DecisionTreeRegressor(random_state=0),
    "forest": RandomForestRegressor(4, random_state=0),
    "extra trees": ExtraTreesRegressor(3, random_state=0),
}


def states(estimator):
    return [member.tree_.__getstate__() for member in members_of(estimator)]


def assert_same_trees(one, other):
    """Every array of every tree: structure, thresholds, impurities, values and depth."""
    for a, b in zip(states(one), states(other), strict=True):
        assert np.array_equal(a["nodes"], b["nodes"])
        assert np.array_equal(a["values"], b["values"])
        assert a["max_depth"] == b["max_depth"]


@pytest.mark.parametrize("alpha", [0.0, 0.003, 0.01, 0.05, 0.9])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_pruning_a_fitted_classifier_gives_the_trees_of_a_fit_with_that_alpha(kind, alpha):
    fitted = clone(CLASSIFIERS[kind]).fit(BREAST.values, BREAST.y)
    pruned = variants.prune_trees(wb.wrap(fitted), alpha)
    refit = clone(fitted).set_params(ccp_alpha=alpha).fit(BREAST.values, BREAST.y)
    assert_same_trees(pruned.native, refit)
    assert np.array_equal(pruned.scores(BREAST.values), refit.predict_proba(BREAST.values))
    assert pruned.native.get_params() == refit.get_params()


@pytest.mark.parametrize("alpha", [1.0, 30.0])
@pytest.mark.parametrize("kind", REGRESSORS)
def test_pruning_a_fitted_regressor_gives_the_trees_of_a_fit_with_that_alpha(kind, alpha):
    fitted = clone(REGRESSORS[kind]).fit(PROGRESS.values, PROGRESS.y)
    refit = clone(fitted).set_params(ccp_alpha=alpha).fit(PROGRESS.values, PROGRESS.y)
    assert_same_trees(variants.prune_trees(wb.wrap(fitted), alpha).native, refit)


def test_missing_values_and_weighted_rows_are_pruned_as_they_are_fitted():
    weights = np.linspace(0.1, 2.0, len(SPARSE))
    fit = {"X": SPARSE, "y": BREAST.y, "sample_weight": weights}
    fitted = DecisionTreeClassifier(random_state=0).fit(**fit)
    refit = DecisionTreeClassifier(random_state=0, ccp_alpha=0.01).fit(**fit)
    pruned = variants.prune_trees(wb.wrap(fitted), 0.01)
    assert_same_trees(pruned.native, refit)
    assert 0 < pruned.native.get_n_leaves() < fitted.get_n_leaves()


def test_the_original_stays_and_the_record_counts_leaves_and_trees():
    fitted = RandomForestClassifier(6, random_state=0).fit(BREAST.values, BREAST.y)
    before = states(fitted)
    model = wb.wrap(fitted, name="forest", outputs=data.BREAST_CANCER)
    pruned = variants.prune_trees(model, keep=0.5, rows=BREAST)
    for a, b in zip(before, states(fitted), strict=True):
        assert np.array_equal(a["nodes"], b["nodes"])
    every = sum(member.get_n_leaves() for member in fitted.estimators_)
    left = sum(member.get_n_leaves() for member in pruned.native.estimators_)
    assert left <= every / 2
    assert pruned.name == f"forest, {left} of {every} leaves"
    assert f"{left} of {every} leaves" in pruned.variant.description
    assert pruned.variant.recipe == "prune_trees(model, keep=0.5)"
    assert (pruned.variant.touched, pruned.variant.layers) == (6, 6)
    assert pruned.variant.changed
    assert pruned.variant.size.parameters < pruned.variant.original_size.parameters
    assert pruned.outputs == data.BREAST_CANCER
    assert pruned.scale == model.scale


@pytest.mark.parametrize("keep", [0.15, 0.3, 0.4, 0.55, 0.7, 0.85])
def test_keep_takes_the_smallest_alpha_that_leaves_no_more(keep):
    fitted = RandomForestClassifier(3, random_state=0).fit(BREAST.values, BREAST.y)
    model = wb.wrap(fitted)
    pruned = variants.prune_trees(model, keep=keep)
    alpha = pruned.native.ccp_alpha
    every = sum(member.get_n_leaves() for member in fitted.estimators_)
    left = sum(member.get_n_leaves() for member in pruned.native.estimators_)
    cheaper = variants.prune_trees(model, np.nextafter(alpha, 0.0))
    more = sum(member.get_n_leaves() for member in cheaper.native.estimators_)
    assert left <= keep * every < more


def test_tree_shap_of_the_pruned_copy_adds_up():
    fitted = RandomForestClassifier(6, random_state=0).fit(BREAST.values, BREAST.y)
    pruned = variants.prune_trees(wb.wrap(fitted), keep=0.5)
    result = wb.explain(pruned, BREAST[:5], methods.TreeSHAP())
    assert np.abs(result.gap).max() < 1e-12  # sums of frequencies in double precision


def test_an_alpha_of_nothing_is_said_to_change_nothing():
    fitted = DecisionTreeClassifier(random_state=0).fit(BREAST.values, BREAST.y)
    pruned = variants.prune_trees(wb.wrap(fitted), 0.0)
    assert pruned.variant.touched == 0
    assert pruned.variant.change == 0
    assert "none of 1 layers was touched" in pruned.variant.warnings[0]


def test_the_tree_at_the_end_of_a_pipeline_is_pruned_and_the_steps_before_stay():
    tree = DecisionTreeClassifier(random_state=0)
    pipeline = make_pipeline(StandardScaler(), tree).fit(BREAST.values, BREAST.y)
    leaves = tree.get_n_leaves()
    pruned = variants.prune_trees(wb.wrap(pipeline), 0.02)
    refit = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0, ccp_alpha=0.02))
    refit.fit(BREAST.values, BREAST.y)
    assert np.array_equal(pruned.scores(BREAST.values), refit.predict_proba(BREAST.values))
    assert pipeline[-1] is tree
    assert tree.get_n_leaves() == leaves > pruned.native[-1].get_n_leaves()


def test_a_pruned_forest_is_saved_by_skops_and_loaded_bit_by_bit(tmp_path):
    import skops.io

    fitted = RandomForestClassifier(4, random_state=0).fit(BREAST.values, BREAST.y)
    pruned = variants.prune_trees(wb.wrap(fitted), keep=0.5)
    skops.io.dump(pruned.native, tmp_path / "pruned.skops")
    again = wb.load(tmp_path / "pruned.skops")
    assert np.array_equal(again.scores(BREAST.values), pruned.scores(BREAST.values))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "got neither"),
        ({"alpha": 0.1, "keep": 0.5}, "got both"),
        ({"alpha": -0.1}, "zero or more"),
        ({"alpha": float("nan")}, "zero or more"),
        ({"alpha": True}, "zero or more"),
        ({"keep": 0.0}, "above 0 and at most 1"),
        ({"keep": 1.5}, "above 0 and at most 1"),
    ],
)
def test_prices_and_shares_out_of_range_are_refused(given, words):
    fitted = DecisionTreeClassifier(random_state=0).fit(BREAST.values, BREAST.y)
    with pytest.raises(InputError, match=words):
        variants.prune_trees(wb.wrap(fitted), **given)


def test_boosting_other_models_and_models_that_answer_otherwise_are_refused():
    boosted = HistGradientBoostingClassifier(max_iter=3).fit(BREAST.values, BREAST.y)
    with pytest.raises(IncompatibleError, match="wraps a HistGradientBoostingClassifier"):
        variants.prune_trees(wb.wrap(boosted), 0.1)
    function = wb.wrap(lambda rows: rows[:, :1], name="f", outputs=["y"], scale="raw")
    with pytest.raises(IncompatibleError, match="wraps a function"):
        variants.prune_trees(function, 0.1)
    from dataclasses import replace

    fitted = DecisionTreeClassifier(random_state=0).fit(BREAST.values, BREAST.y)
    model = wb.wrap(fitted)
    other = replace(model, predict=lambda rows: 1.0 - model.predict(rows))
    with pytest.raises(IncompatibleError, match="gives other scores than that object"):
        variants.prune_trees(other, 0.1)
