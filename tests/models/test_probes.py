"""Probes: scores that are random, that depend on the neighbors, or that are no numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench.core import Inputs, Model
from workbench.errors import InputError
from workbench.models.asking.probes import probed


def rows(n: int = 8) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, 6))


def mlp(dtype=torch.float32) -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 70), nn.ReLU(), nn.Linear(70, 3)).to(dtype).eval()


def model_of(predict) -> Model:
    return Model("model", predict, tuple("abcdef"), "raw")


@pytest.mark.parametrize("n", [1, 2, 5, 8, 20])
def test_a_function_of_one_row_passes(n):
    found = probed(tanh_network(), rows(n))
    assert (found.finite, found.repeat_gap, found.batch_gap) == (True, 0.0, 0.0)
    assert found.faults == ()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_torch_module_passes_in_any_precision_to_the_last_bit(dtype):
    model = wb.wrap(mlp(dtype), scale="logit")
    # Alone, other kernels add in another order: in bfloat16 that is no small difference.
    assert probed(model, rows()).batch_gap == 0.0


def test_dropout_that_stays_on_is_found():
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()

        def forward(self, x):
            return nn.functional.dropout(self.net(x), training=True)

    found = probed(wb.wrap(Stubborn(), scale="logit"), rows())
    # The engine gives the random states back, so the same question has the same answer; neighbors differ.
    assert not (found.repeatable and found.independent)
    assert found.faults


def test_a_random_answer_is_found_and_not_taken_for_a_neighbor():
    random = np.random.default_rng(3)
    noise = model_of(lambda x: x + random.uniform(0, 1e-3, x.shape))
    found = probed(noise, rows())
    assert 0 < found.repeat_gap < 1e-3
    assert found.batch_gap == 0  # where answers are random, that cannot be told
    assert "something in the model is random" in found.faults[0]


@pytest.mark.parametrize("n", [1, 2, 8])
def test_one_scale_for_a_whole_batch_is_found(n):
    def rounded(x):
        step = np.abs(x).max() / 127
        return np.rint(x / step) * step

    found = probed(model_of(rounded), rows(n))
    assert 0 < found.batch_gap < 0.1
    assert "depend on the rows beside it" in found.faults[0]


def test_legacy_dynamic_int8_depends_on_its_batch_and_torchao_does_not():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end
        legacy = torch.ao.quantization.quantize_dynamic(mlp(), {nn.Linear})
    said = {"outputs": list("abc"), "scale": "logit", "kind": "tabular"}
    assert probed(wb.wrap(legacy, **said), rows()).batch_gap > 0
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    net = mlp()
    quantize_(net, Int8DynamicActivationInt8WeightConfig())
    assert probed(wb.wrap(net, **said), rows()).batch_gap == 0


def test_scores_that_are_no_numbers_are_found():
    found = probed(model_of(lambda x: np.where(x > 1, np.nan, x)), np.full((3, 6), 2.0))
    assert not found.finite
    assert found.repeatable
    assert found.independent


def test_rows_are_needed():
    with pytest.raises(InputError, match="Rows to try 'model' on are needed"):
        probed(model_of(lambda x: x), Inputs(rows(), kind="tabular")[[]])
