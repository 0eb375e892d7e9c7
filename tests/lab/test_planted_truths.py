"""Changes whose verdict is known before: each must be found, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.lab.networks import accuracy, biopsies, bundled, trained
from tests.lab.rows_by_hand import network, table
from workbench import data, lab, variants
from workbench.lab.random_weights import with_random_weights
from workbench.methods import (
    LIME,
    GradCAM,
    GradientSHAP,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    PermutationSHAP,
)
from workbench.models.asking.batches import steady_batches

WINDOWS = Occlusion(window=16, stride=16)


def means(found, metric, method=None):
    """Mean drift over all rows by copy."""
    return {
        one.model: one.mean
        for one in found.measured
        if (one.metric, one.stratum) == (metric, "all") and method in (None, one.method)
    }


def test_rewrites_that_keep_the_weights_are_preserved_with_drift_at_rounding():
    model, inputs = bundled("shapes_cnn"), data.shapes("test", n=60)
    copies = [variants.fold_batch_norm(model), variants.reorder_channels(model)]
    found = wb.drift(model, copies, inputs, (GradCAM(), WINDOWS), random_weights=False)
    assert set(found.verdicts.values()) == {"preserved"}
    assert [one.flips for one in found.behavior] == [0.0, 0.0]
    assert all(one.largest > 0 for one in found.behavior)  # other bits, so the copies are copies
    for method in found.methods:
        # Single precision keeps 7 digits; sums of some hundred products lose two or three of them.
        assert max(means(found, "distance", method).values()) < 1e-4


def test_a_feature_whose_weights_are_removed_is_named_and_its_copy_changed():
    import copy as copying

    import torch

    from workbench.models.torch.module import remade

    model, inputs = trained(), biopsies()
    method = IntegratedGradients()
    sizes = np.abs(wb.explain(model, inputs, method).values).mean(axis=0)
    column = int(sizes.argmax())
    module = copying.deepcopy(model.native)
    with torch.no_grad():
        module[0].weight[:, column] = 0.0
    blind = remade(model, module, name="blind")
    found = wb.drift(model, [blind, model.renamed("same")], inputs, method)
    assert dict(found.verdicts) == {"blind": "changed", "same": "preserved"}
    first = lab.findings(found).features[0]
    assert (first.model, first.feature) == ("blind", inputs.features[column])
    assert (first.change, first.size_after) == ("shrank", 0.0)
    untouched = [one for one in lab.findings(found).features if one.model == "same"]
    assert all(one.size_before == one.size_after for one in untouched)


def test_the_shortcut_network_is_changed_with_equal_accuracy_and_worse_at_pointing():
    inputs = data.shapes("test", n=24, shortcut=True)
    model, other = bundled("shapes_cnn"), bundled("shapes_shortcut_cnn")
    siblings = [bundled("shapes_member_1"), bundled("shapes_member_2")]
    found = wb.drift(model, other, inputs, GradCAM(), siblings=siblings)
    assert dict(found.verdicts) == {other.name: "changed"}
    (behavior,) = found.behavior
    before, after = behavior.accuracy
    assert before == accuracy(model, inputs)
    assert abs(before - after) <= 1 / 24
    assert behavior.mcnemar == 1.0
    measures = {one.measure: one.verdict for one in found.quality}
    assert measures == {"pointing game": "worse", "mass in mask": "worse"}
    of = {one.metric: one for one in found.measured if one.stratum == "all"}
    for metric in found.deciding:
        # Farther from the clean network than networks of its own recipe are: news, not only retraining.
        assert of[metric].mean > of[metric].retraining > 0
    assert of["spearman"].mean > 3 * of["spearman"].retraining
    budget = lab.Budget(accuracy_drop=0.05, pointing_game=0.5)
    broken = [check.what for check in lab.check_budget(found, budget).checks if not check.held]
    assert broken == ["verdict", "pointing game by GradCAM"]


def test_random_pruning_is_worse_than_magnitude_pruning_row_by_row():
    model, inputs = trained(), biopsies()
    copies = [
        variants.prune(model, 0.9, by="magnitude", name="magnitude"),
        variants.prune(model, 0.9, by="random", name="random"),
    ]
    found = wb.drift(model, copies, inputs, IntegratedGradients())
    of = {
        one.model: one.drift
        for one in found.measured
        if (one.metric, one.stratum) == ("distance", "all")
    }
    assert of["random"].mean() > of["magnitude"].mean()
    assert (of["random"] > of["magnitude"]).mean() > 0.8
    assert found.verdicts["random"] == "changed"


def test_random_weights_are_the_far_line_itself():
    model, inputs = trained(), biopsies(60)
    blank = with_random_weights(model, seed=0)
    assert blank is not None
    found = wb.drift(model, blank.renamed("blank"), inputs, (IntegratedGradients(), GradientSHAP()))
    every = [one for one in found.measured if one.stratum == "all"]
    # The copy is the line's own model: the same mean, so exactly 1 between noise and random weights.
    assert {round(one.normalized, 12) for one in every} == {1.0}
    assert any(one.noise > 0 for one in every)
    assert dict(found.verdicts) == {"blank": "changed"}


@pytest.mark.parametrize(
    ("method", "activations"),
    [
        (KernelSHAP(budget=640), 8),
        (LIME(budget=300), 8),
        (GradientSHAP(), 8),
        # With 8-bit activations 61 to 89 times: antithetic walks leave independent runs less to cut.
        (PermutationSHAP(budget=600), None),
    ],
)
def test_common_random_numbers_cut_the_variance_of_a_difference_a_hundredfold(method, activations):
    model, inputs = trained(width=256), biopsies(8)
    int8 = variants.fake_quantize(model, biopsies(171), activation_bits=activations)

    def values(one, seed):
        with steady_batches():
            return wb.explain(one, inputs, replace(method, seed=seed), wb.Target(0)).values

    seeds = range(8)
    reference = np.stack([values(model, seed) for seed in seeds])
    shared = np.stack([values(int8, seed) for seed in seeds]) - reference
    alone = np.stack([values(int8, 100 + seed) for seed in seeds]) - reference
    assert alone.var(axis=0).sum() >= 100 * shared.var(axis=0).sum()
    assert np.abs(shared).max() > 0


def test_one_model_run_again_with_other_seeds_is_not_called_changed():
    called = 0
    for seed in range(10):
        found = wb.drift(
            network(),
            network("again"),
            table(20),
            PermutationSHAP(budget=250, seed=1000 * seed),
            paired=False,
            random_weights=False,
        )
        called += found.verdicts["again"] == "changed"
    assert called == 0  # at 5 % each, one of ten would be expected less than half the time


def test_a_real_change_is_found_without_shared_seeds_too():
    whole = network()
    moved = wb.Model("moved", lambda rows: whole.predict(rows * 4), whole.outputs, "logit")
    found = wb.drift(whole, moved, table(40), PermutationSHAP(budget=2000), paired=False)
    assert found.verdicts["moved"] == "changed"
