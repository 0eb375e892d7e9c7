"""DeepLIFT: the rescale rule by hand, captum's own numbers, and what it refuses or says."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import workbench as wb
from workbench.core import Inputs
from workbench.errors import IncompatibleError, MissingDependency
from workbench.methods import DeepLIFT, IntegratedGradients

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum's imports warn about their own dependencies
    import captum.attr


def wrapped(module: nn.Module, outputs: str = "ab"):
    return wb.wrap(module, name="net", outputs=list(outputs), scale="logit", kind="tabular")


def small(activation: nn.Module) -> nn.Sequential:
    """Sums 2a - b and a + 3b - 4, an activation, and y = (h1 + 2 h2, -h1)."""
    net = nn.Sequential(nn.Linear(2, 2), activation, nn.Linear(2, 2)).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[2.0, -1.0], [1.0, 3.0]]))
        net[0].bias.copy_(torch.tensor([0.0, -4.0]))
        net[2].weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, 0.0]]))
        net[2].bias.zero_()
    return net


def test_each_multiplier_is_a_change_over_a_change():
    """From (0, 0) to (1, 3): sums 0 to -1 and -4 to 6; ReLU gives 0 to 0 and 0 to 6: 0 and 0.6."""
    model = wrapped(small(nn.ReLU()))
    rows = Inputs([[1.0, 3.0]], kind="tabular")
    found = wb.explain(model, rows, DeepLIFT(fill="zero"), wb.Target(0))
    # y0 counts the second twice: 2 * 0.6 * (1 * 1, 3 * 3).
    np.testing.assert_allclose(found.values, [[1.2, 10.8]], atol=1e-12)
    assert (found.output[0], found.base[0]) == (12.0, 0.0)
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)
    plain = wb.explain(model, rows, IntegratedGradients(steps=512, fill="zero"), wb.Target(0))
    np.testing.assert_allclose(plain.values, found.values, atol=0.05)  # nodes beside the kink


@pytest.mark.parametrize("activation", [nn.ReLU(inplace=True), nn.Tanh(), nn.Sigmoid()], ids=repr)
def test_its_values_are_captums_for_every_target_of_one_pass(activation):
    module = small(activation)
    rng = np.random.default_rng(0)
    rows = Inputs(rng.normal(size=(5, 2)), kind="tabular", background=rng.normal(size=(4, 2)))
    peer = captum.attr.DeepLift(small(nn.ReLU() if isinstance(activation, nn.ReLU) else activation))
    targets = (wb.Target(0), wb.Target(1), wb.Target(0, against=1))
    found = list(wb.run(wb.Study((wrapped(module),), (DeepLIFT(),), rows, targets)))
    start = torch.from_numpy(rows.background.mean(axis=0, keepdims=True))
    for target, one in enumerate(found[:2]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it sets hooks
            theirs = peer.attribute(torch.tensor(rows.values), start, target=target)
        np.testing.assert_allclose(one.values, theirs.detach().numpy(), atol=1e-12)
        np.testing.assert_allclose(one.gap, 0, atol=1e-12)
        assert not any("do not sum" in note for note in one.notes)
    np.testing.assert_allclose(found[2].values, found[0].values - found[1].values, atol=1e-12)


def test_an_image_keeps_its_channels_and_the_module_is_left_as_it_was():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(60, 2)
    ).double()
    rows = Inputs(np.random.default_rng(1).random((3, 7, 5, 3)), kind="image")
    model = wb.wrap(module, name="net", outputs=["a", "b"], scale="logit")
    state = {name: one.clone() for name, one in module.state_dict().items()}
    found = wb.explain(model, rows, DeepLIFT(), wb.Target(1))
    peer = captum.attr.DeepLift(module.eval())
    start = torch.tensor(rows.values.mean(axis=(1, 2), keepdims=True)).permute(0, 3, 1, 2)
    module[2].inplace = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it sets hooks
        theirs = peer.attribute(
            torch.tensor(rows.values).permute(0, 3, 1, 2), start.expand(3, 3, 7, 5), target=1
        )
    np.testing.assert_allclose(found.values, theirs.detach().permute(0, 2, 3, 1), atol=1e-12)
    assert all(torch.equal(one, state[name]) for name, one in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


class Functional(nn.Module):
    """The activation is a call in `forward`, which captum cannot see."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = small(nn.ReLU())[0], small(nn.ReLU())[2]

    def forward(self, rows):
        return self.last(F.relu(self.first(rows)))


class Reused(Functional):
    """One activation module that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, rows):
        return self.act(self.last(self.act(self.first(rows))))


def test_values_that_do_not_sum_up_are_never_given_without_a_word():
    rows = Inputs([[1.0, 3.0]], kind="tabular")
    found = wb.explain(wrapped(Functional()), rows, DeepLIFT(fill="zero"), wb.Target(0))
    assert abs(found.gap[0]) > 1
    assert any("do not sum to the output less the base" in note for note in found.notes)
    with pytest.raises(IncompatibleError, match="needs a module that captum can read"):
        wb.explain(wrapped(Reused()), rows, DeepLIFT(fill="zero"), wb.Target(0))


class Cut(nn.Module):
    """The connection to the rows is cut."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 2).double()

    def forward(self, rows):
        return self.last(rows.detach())


def test_a_gradient_that_is_none_is_refused_before_captum_is_asked():
    rows = Inputs(np.random.default_rng(0).normal(size=(3, 2)), kind="tabular")
    with pytest.raises(IncompatibleError, match="A gradient method needs"):
        wb.explain(wrapped(Cut()), rows, DeepLIFT(fill="zero"), wb.Target(0))


def test_other_models_are_refused_with_a_way_out_and_a_missing_captum_is_named(monkeypatch):
    rows = Inputs([[1.0, 3.0]], kind="tabular")
    model = wrapped(small(nn.ReLU()))
    other = replace(model, deep_lift=None)
    with pytest.raises(IncompatibleError, match="goes through a torch module layer by layer"):
        wb.explain(other, rows, DeepLIFT(fill="zero"), wb.Target(0))
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingDependency, match=r"DeepLIFT needs the extra 'referees'"):
        wb.explain(model, rows, DeepLIFT(fill="zero"), wb.Target(0))
