"""Golden verdicts: whose gradient is real among the compressed copies of one network, and whose is not."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import data, methods, models, variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError
from workbench.models.torch.gradient_check import check_gradient
from workbench.models.torch.module import engine_of, remade


@pytest.fixture(scope="module")
def cnn():
    return wb.load(data.asset("shapes_cnn.safetensors"), architecture=models.small_cnn)


@pytest.fixture(scope="module")
def calibration():
    return data.shapes("train", n=32)


@pytest.fixture(scope="module")
def rows():
    return data.shapes("test", n=8)


REAL = {
    "float32": lambda model, some: model,
    "bfloat16": lambda model, some: variants.cast(model, "bfloat16"),
    "pruned": lambda model, some: variants.prune(model, 0.5),
    "8-bit weights by torchao": lambda model, some: variants.quantize_weights(model),
    "8-bit quantize-dequantize": lambda model, some: variants.fake_quantize(model, some),
    "4-bit weights": lambda model, some: variants.fake_quantize(
        model, weight_bits=4, activation_bits=None
    ),
    "PT2E by its twin": lambda model, some: variants.quantize_static(model, some),
}


@pytest.mark.parametrize("make", REAL.values(), ids=REAL)
def test_these_copies_have_a_gradient_of_their_own_scores(make, cnn, calibration, rows):
    made = make(cnn, calibration)
    for seed in range(2):
        found = check_gradient(made, rows, seed=seed)
        assert found.status == "ok", found
    result = wb.explain(made, rows[:1], methods.IntegratedGradients(steps=4))
    assert np.isfinite(result.values).all()


def bare(made, cnn):
    """What a copy really runs, offered as if it had a gradient."""
    return remade(cnn, engine_of(made).module, name="bare")


NONE = {
    "PT2E int8": (lambda model, some: variants.quantize_static(model, some), "disconnected"),
    "torchao dynamic int8": (lambda model, some: variants.quantize_dynamic(model), "disconnected"),
}


@pytest.mark.parametrize(("make", "status"), NONE.values(), ids=NONE)
def test_what_runs_in_whole_numbers_has_none_and_gradient_methods_say_why(
    make, status, cnn, calibration, rows
):
    model = bare(make(cnn, calibration), cnn)
    assert check_gradient(model, rows).status == status
    with pytest.raises(IncompatibleError, match=r"can be differentiated.*perturbation method"):
        wb.explain(model, rows[:1], methods.IntegratedGradients(steps=4))


class Residual(nn.Module):
    """A skip path beside a branch; the branch is what gets quantized."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.branch = nn.Sequential(nn.Linear(30, 20), nn.Tanh(), nn.Linear(20, 30))
        self.head = nn.Linear(30, 4)

    def forward(self, x):
        return self.head(x + 3 * self.branch(x))


def by_torch():
    net = Residual().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end
        net.branch = torch.ao.quantization.quantize_dynamic(net.branch, {nn.Linear})
    return net


def by_torchao():
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    net = Residual().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao's own imports
        quantize_(net.branch, Int8DynamicActivationInt8WeightConfig())
    return net


@pytest.mark.parametrize("make", [by_torch, by_torchao])
def test_one_branch_in_whole_numbers_makes_a_plausible_wrong_gradient_which_is_refused(make):
    values = np.random.default_rng(6).normal(size=(8, 30))
    inputs = Inputs(values, kind="tabular", background=values[4:])
    net, whole = make(), Residual().eval()
    said = {"outputs": list("abcd"), "scale": "logit"}
    model, right = wb.wrap(net, name="half", **said), wb.wrap(whole, **said)
    assert check_gradient(right, inputs).ok
    # Its scores are right to 8 bits, and nothing about it looks unusual from outside.
    spread = right.scores(values).std()
    assert np.abs(model.scores(values) - right.scores(values)).max() < spread / 20
    found = check_gradient(model, inputs)
    assert found.status == "suspect"
    before = copy.deepcopy([m.training for m in net.modules()])
    with pytest.raises(IncompatibleError, match=r"'half'.*perturbation method"):
        wb.explain(model, inputs[:1], methods.IntegratedGradients(steps=4))
    assert [m.training for m in net.modules()] == before
    assert not any(m._forward_hooks for m in net.modules())
    wb.explain(model, inputs[:1], methods.LIME(budget=64))
