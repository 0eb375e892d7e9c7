"""Our numbers beside shap's and lime's on the same rows, or a stated reason why they differ."""

import warnings

import numpy as np
import pytest

import workbench as wb
from workbench.coalitions.bins import quartile_bins
from workbench.coalitions.solvers import ridge
from workbench.core import Inputs
from workbench.methods import LIME, ExactShapley, KernelSHAP, PermutationSHAP

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the peers' imports warn about their own dependencies
    import lime.lime_base
    import lime.lime_tabular
    import shap


def shap_kernel(model, inputs, budget, l1_reg, seed=0):
    state = np.random.get_state()
    np.random.seed(seed)
    explainer = shap.KernelExplainer(lambda rows: model.predict(rows)[:, 0], inputs.background)
    values = explainer.shap_values(inputs.values, nsamples=budget, l1_reg=l1_reg, silent=True)
    np.random.set_state(state)
    return np.asarray(values)


def test_full_enumeration_agrees_with_shap_kernel_explainer_without_regularization(network, table):
    ours = wb.explain(network, table, KernelSHAP(budget=62 * 7 + 9), wb.Target(0))
    peers = shap_kernel(network, table, 2**6 - 2, l1_reg=0)
    np.testing.assert_allclose(
        ours.values, peers, atol=1e-6
    )  # shap stores its samples in float32 steps


def test_above_ten_features_shaps_default_stays_wrong_where_ours_converges():
    """The peer's default keeps ten features; with a budget for every coalition ours is exact."""
    from tests.models_in_numpy import tanh_network

    model = tanh_network(features=13, hidden=8, outputs=1, seed=4)
    rng = np.random.default_rng(4)
    inputs = Inputs(rng.normal(size=(2, 13)), kind="tabular", background=rng.normal(size=(3, 13)))
    exact = wb.explain(model, inputs, ExactShapley()).values
    ours = wb.explain(model, inputs, KernelSHAP(budget=(2**13 - 2) * 3 + 5)).values
    peers = shap_kernel(model, inputs, 2**13 - 2, l1_reg="num_features(10)")
    np.testing.assert_allclose(ours, exact, atol=1e-8)
    assert np.abs(peers - exact).max() > 1e-3


def test_permutation_shap_agrees_with_shap_permutation_explainer_within_the_errors(network, table):
    ours = wb.explain(network, table, PermutationSHAP(budget=12 * 7 * 200), wb.Target(0))
    masker = shap.maskers.Independent(table.background, max_samples=len(table.background))
    state = np.random.get_state()
    explainer = shap.PermutationExplainer(lambda rows: network.predict(rows)[:, 0], masker, seed=0)
    peers = explainer(table.values, max_evals=13 * 300, silent=True).values
    np.random.set_state(state)
    z = (ours.values - peers) / ours.error
    assert np.sqrt((z**2).mean()) < 2.0  # both sample; the peer's error is of the same size as ours


def test_exact_shapley_agrees_with_shap_exact_explainer(network, table):
    masker = shap.maskers.Independent(table.background, max_samples=len(table.background))
    explainer = shap.ExactExplainer(lambda rows: network.predict(rows)[:, 1], masker)
    peers = explainer(table.values, silent=True).values
    ours = wb.explain(network, table, ExactShapley(), wb.Target(1))
    np.testing.assert_allclose(ours.values, peers, atol=1e-10)


def test_the_weighted_ridge_agrees_with_lime_base_on_the_same_design():
    rng = np.random.default_rng(6)
    design = rng.integers(0, 2, (300, 8)).astype(float)
    design[0] = 1
    values = rng.normal(size=(300, 2))
    distance = np.sqrt(8 - design.sum(axis=1))
    width = 0.75 * np.sqrt(8)
    base = lime.lime_base.LimeBase(
        lambda d: np.sqrt(np.exp(-(d**2) / width**2)), random_state=np.random.RandomState(0)
    )
    coefficients, intercept, _, fit = ridge(
        design, values, np.sqrt(np.exp(-(distance**2) / width**2)), 1.0
    )
    for label in range(2):
        peer_intercept, pairs, peer_fit, _ = base.explain_instance_with_data(
            design, values, distance, label, num_features=8, feature_selection="none"
        )
        peers = np.zeros(8)
        for feature, value in pairs:
            peers[feature] = value
        np.testing.assert_allclose(coefficients[:, label], peers, atol=1e-10)
        assert intercept[label] == pytest.approx(peer_intercept, abs=1e-10)
        assert fit[label] == pytest.approx(peer_fit, abs=1e-10)


def test_lime_on_tables_agrees_with_lime_as_well_as_lime_agrees_with_itself(network):
    """Same quartiles, same truncated normals, same kernel: other seeds are the only difference."""
    rng = np.random.default_rng(7)
    background = rng.normal(size=(400, 6)) * np.array([1, 2, 0.5, 1, 3, 1])
    inputs = Inputs(background[:3], kind="tabular", background=background)
    ours = np.mean(
        [wb.explain(network, inputs, LIME(seed=s), wb.Target(0)).values for s in range(4)], axis=0
    )

    def peer(seed):
        explainer = lime.lime_tabular.LimeTabularExplainer(
            background, mode="regression", random_state=seed, feature_selection="none"
        )
        values = np.zeros((3, 6))
        for i, row in enumerate(inputs.values):
            result = explainer.explain_instance(
                row, lambda rows: network.predict(rows)[:, 0], num_features=6, num_samples=5000
            )
            for feature, value in result.as_map()[1]:
                values[i, feature] = value
        return values

    peers = np.array([peer(seed) for seed in range(4)])
    error = wb.explain(network, inputs, LIME(), wb.Target(0)).error
    z = (ours - peers.mean(axis=0)) / (error * np.sqrt(2 / 4))
    assert np.sqrt((z**2).mean()) < 1.6  # two means of four draws each; 18 correlated numbers
    np.testing.assert_array_equal(
        np.sort(quartile_bins(inputs).edges[4]), np.percentile(background[:, 4], [25, 50, 75])
    )
