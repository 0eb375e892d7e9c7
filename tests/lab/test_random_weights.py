"""A model with random weights: as large as the original, and knowing nothing."""

import warnings

import numpy as np
import pytest

import workbench as wb
from tests.lab.networks import biopsies, bundled, trained
from tests.lab.rows_by_hand import network
from workbench import data, variants
from workbench.lab.random_weights import with_random_weights


def test_a_torch_module_is_initialized_again_and_left_as_found():
    import torch

    model, inputs = trained(), biopsies()
    before = {name: value.clone() for name, value in model.native.state_dict().items()}
    state = torch.random.get_rng_state()
    first, again, other = (with_random_weights(model, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(
        torch.equal(before[name], value) for name, value in model.native.state_dict().items()
    )
    scores = [one.scores(inputs.values) for one in (first, again, other)]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])
    assert first.name == "net, random weights"
    assert (first.outputs, first.scale, first.features) == (
        model.outputs,
        model.scale,
        model.features,
    )
    for name, value in first.native.state_dict().items():
        assert value.shape == before[name].shape
        assert not torch.equal(value, before[name])


def test_running_statistics_of_batch_norm_are_forgotten_too():
    blank = with_random_weights(bundled("shapes_cnn"), seed=0)
    means = [
        value for name, value in blank.native.state_dict().items() if name.endswith("running_mean")
    ]
    assert means
    assert all((value == 0).all() for value in means)
    assert "activations" in blank.capabilities


def test_parameters_that_no_layer_initializes_are_shuffled():
    import torch
    from torch import nn

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.arange(30.0).reshape(1, 30))
            self.last = nn.Linear(30, 2)

        def forward(self, rows):
            return self.last(rows * self.factor)

    model = wb.wrap(Scaled().eval(), outputs=("a", "b"), scale="logit", like=biopsies(1))
    blank = with_random_weights(model, seed=0).native.factor
    assert not torch.equal(blank, model.native.factor)
    assert torch.equal(blank.sort().values, model.native.factor.sort().values)


def test_trees_keep_their_splits_and_shuffle_their_leaves():
    from sklearn.ensemble import GradientBoostingClassifier

    train, rows = data.breast_cancer("train"), data.breast_cancer("test")[:30]
    fitted = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(train.values, train.y)
    model = wb.wrap(fitted, outputs=("malignant", "benign"), like=rows)
    blank = with_random_weights(model, seed=0)
    for mine, theirs in zip(model.trees().trees, blank.trees().trees, strict=True):
        assert np.array_equal(mine.threshold, theirs.threshold)
        leaf = mine.left < 0
        assert np.array_equal(
            np.sort(mine.values[leaf], axis=0), np.sort(theirs.values[leaf], axis=0)
        )
    assert not np.allclose(blank.scores(rows.values), model.scores(rows.values))
    result = wb.explain(blank, rows, wb.methods.TreeSHAP(), wb.Target(0))
    # The trees are the model: values and base add up to its own scores, but for rounding.
    assert np.abs(result.gap).max() < 1e-9
    found = wb.drift(model, model.renamed("copy"), rows)
    assert found.methods == ("TreeSHAP",)
    assert all(one.random > 0 for one in found.measured if one.metric == "distance")


def test_a_function_hides_its_weights_and_has_no_such_line():
    assert with_random_weights(network(), seed=0) is None


@pytest.mark.parametrize("seed", [0, 1])
def test_what_was_learned_is_gone(seed):
    model, inputs = trained(), biopsies()
    found = wb.drift(
        model, with_random_weights(model, seed), inputs, wb.methods.IntegratedGradients()
    )
    assert found.behavior[0].accuracy[0] > 0.9
    assert found.behavior[0].accuracy[1] < 0.9


def test_weights_that_a_layer_computes_from_others_are_shuffled():
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # deprecated, and in many trained networks
            layer = nn.utils.weight_norm(nn.Linear(30, 2, bias=False))
    model = wb.wrap(layer.eval(), outputs=("a", "b"), scale="logit", like=biopsies(1))
    blank = with_random_weights(model, seed=0)
    assert not torch.equal(blank.native.weight_v, layer.weight_v)
    rows = biopsies(4).values
    assert np.abs(blank.scores(rows) - model.scores(rows)).max() > 0.1


@pytest.mark.parametrize("recipe", ["quantize_static", "quantize_weights"])
def test_weights_that_are_packed_as_integers_are_out_of_reach(recipe):
    make = getattr(variants, recipe)
    rows = biopsies(8)
    copy = make(trained()) if recipe == "quantize_weights" else make(trained(), rows)
    assert with_random_weights(copy, seed=0) is None
