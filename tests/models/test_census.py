"""What a module changes about itself while it is asked is put back; changed weights are told."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.core import Inputs
from workbench.errors import InputError, ModelError
from workbench.methods import GradCAM, IntegratedGradients

ROWS = np.random.default_rng(0).normal(size=(5, 6))


class Restless(nn.Linear):
    """6 -> 3; does something to itself on its way."""

    def __init__(self, do=None) -> None:
        torch.manual_seed(0)
        super().__init__(6, 3)
        self.register_buffer("seen", torch.tensor([1.0, 2.0]))
        self.note, self.do, self.fails = "as it was", do, False

    def forward(self, rows):
        if self.do is not None:
            self.do(self)
        if self.fails:
            raise ValueError("on purpose")
        return super().forward(rows)


def wrapped(net: nn.Module):
    return wb.wrap(net, name="net", outputs=list("abc"), scale="logit", shape=(6,), kind="tabular")


def write_through_data(net):
    net.seen.data.add_(1)


def add_to_slopes(net):
    with torch.enable_grad():
        net.weight.requires_grad_(True).sum().backward()


CHANGES = {
    "hook": lambda net: net.register_forward_hook(lambda *_: None),
    "hook before": lambda net: net.register_forward_pre_hook(lambda *_: None),
    "hook behind": lambda net: net.register_full_backward_hook(lambda *_: None),
    "buffer through data": write_through_data,
    "buffer of another shape": lambda net: setattr(net.seen, "data", torch.zeros(7)),
    "buffer exchanged": lambda net: net.register_buffer("seen", torch.zeros(1)),
    "buffer made": lambda net: net.register_buffer("other", torch.zeros(1)),
    "buffer deleted": lambda net: net.__delattr__("seen"),
    "attribute set": lambda net: setattr(net, "note", "another"),
    "attribute made": lambda net: setattr(net, "remembered", torch.zeros(1)),
    "layer without weights": lambda net: net.add_module("late", nn.ReLU()),
    "mode": lambda net: net.train(),
    "gradients wanted": lambda net: net.bias.requires_grad_(True),
    "slopes": add_to_slopes,
    "random numbers": lambda net: (random.random(), np.random.rand(), torch.rand(1)),
}


def seen_from_outside(net: Restless) -> dict:
    tables = [net._forward_hooks, net._forward_pre_hooks, net._backward_hooks]
    return {
        "hooks": [list(table) for table in tables],
        "buffers": {name: one.tolist() for name, one in net.named_buffers()},
        "buffer": id(net.seen),
        "attributes": {name: id(one) for name, one in vars(net).items() if name != "fails"},
        "layers": list(net._modules),
        "wanted": [one.requires_grad for one in net.parameters()],
        "slope": net.weight.grad.tolist(),
        "random": (
            random.getstate(),
            np.random.get_state()[1].tolist(),
            np.random.get_state()[2],
            torch.get_rng_state().tolist(),
        ),
    }


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_what_a_module_changes_about_itself_is_put_back(change, fails):
    net = Restless()
    net.bias.requires_grad_(False)
    net(torch.ones(2, 6)).sum().backward()
    model = wrapped(net)
    net.do, net.fails = CHANGES[change], fails
    before = seen_from_outside(net)
    for ask in (
        lambda: model.scores(ROWS),
        lambda: model.gradient(ROWS, np.ones((1, 5, 3))),
    ):
        if fails:
            with pytest.raises(ModelError, match="on purpose"):
                ask()
        else:
            ask()
        assert seen_from_outside(net) == before


def add_to_weight(net):
    net.weight.data.add_(1)


WRITES = {
    "through data": add_to_weight,
    "one number of many": lambda net: net.weight.data[2].add_(1e-3),
    "other data": lambda net: setattr(net.weight, "data", net.weight.data + 1),
    "in place": lambda net: net.bias.detach().mul_(2),
    "another weight": lambda net: setattr(net, "weight", nn.Parameter(net.weight.detach() + 1)),
    "a new weight": lambda net: net.register_parameter("scale", nn.Parameter(torch.ones(1))),
    "a new layer": lambda net: net.add_module("late", nn.Linear(2, 2)),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_module_whose_weights_change_meanwhile_is_refused(write):
    net = Restless()
    model = wrapped(net)
    model.scores(ROWS)
    net.do = WRITES[write]
    with pytest.raises(ModelError, match="weights of model 'net' changed"):
        model.scores(ROWS)
    assert set(dict(net.named_parameters())) == {"weight", "bias"}


def test_a_weight_that_is_not_a_number_has_not_changed():
    net = Restless()
    net.weight.data[0, 0] = float("nan")
    model = wrapped(net)
    assert np.isnan(model.predict(ROWS)[:, 0]).all()


def test_lazy_layers_are_refused_with_the_way_out():
    with pytest.raises(InputError, match="Run the module once on a batch"):
        wb.wrap(nn.Sequential(nn.LazyLinear(3)), outputs=list("abc"), scale="logit")


class TestInPlaceLayers:
    def test_a_first_layer_that_writes_to_its_rows_has_the_gradient_of_one_that_does_not(self):
        found = []
        for inplace in (False, True):
            torch.manual_seed(0)
            net = nn.Sequential(nn.ReLU(inplace=inplace), nn.Linear(6, 3))
            found.append(wrapped(net).gradient(ROWS, np.ones((1, 5, 3)))[1])
        np.testing.assert_array_equal(*found)

    @pytest.mark.parametrize("layer", ["0", "1", "2"])
    def test_maps_at_and_before_an_in_place_layer_are_those_of_its_plain_twin(self, layer):
        images = Inputs(np.random.default_rng(1).random((4, 9, 8, 3)), kind="image")
        found = []
        for inplace in (False, True):
            torch.manual_seed(0)
            first = nn.Conv2d(3, 5, 3), nn.ReLU(inplace=inplace), nn.Conv2d(5, 4, 3)
            then = nn.ReLU(inplace=inplace), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
            model = wb.wrap(nn.Sequential(*first, *then), outputs=list("abc"), scale="logit")
            found.append(wb.explain(model, images, GradCAM(layer=layer), wb.Target(0)).values)
        assert np.abs(found[0]).max() > 0
        np.testing.assert_array_equal(*found)


class TestNumbersThatAreNotFinite:
    def told(self, net: nn.Module, method=None, **more) -> str:
        rows = Inputs(np.abs(ROWS), kind="tabular", background=np.ones((1, 6)))
        model = wb.wrap(
            net, name="net", outputs=list("abc"), scale="logit", shape=(6,), kind="tabular", **more
        )
        with pytest.raises(ModelError) as error:
            wb.explain(model, rows, method or IntegratedGradients(steps=3), wb.Target(0))
        return str(error.value)

    def test_the_first_layer_at_fault_is_named_with_its_weights(self):
        net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
        net[2].bias.data[1] = float("inf")
        said = self.told(net)
        assert "5 of 5 rows got NaN" in said
        assert "is '2' (Linear), with NaN or infinity in its bias." in said

    def test_a_layer_whose_output_overflows_comes_before_those_that_pass_it_on(self):
        class Overflowing(nn.Module):
            def forward(self, rows):
                return rows * 1e38 * 10

        net = nn.Sequential(nn.Linear(6, 4), Overflowing(), nn.Linear(4, 3))
        assert "is '1' (Overflowing)." in self.told(net)

    def test_preprocessing_is_named_before_any_layer(self):
        said = self.told(nn.Linear(6, 3), preprocess=lambda rows: rows / 0)
        assert "Its preprocessing turns that row into NaN" in said

    def test_what_no_layer_gives_is_told(self):
        class Log(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = nn.Linear(6, 3)

            def forward(self, rows):
                return torch.log(-self.inner(rows).abs() - 1)

        assert "between the layers, or after the last" in self.told(Log())

    def test_perturbed_copies_are_told_with_the_row_that_they_are_copies_of(self):
        from workbench.methods import Occlusion

        class Fragile(nn.Linear):
            def forward(self, rows):
                return super().forward(rows / (rows - 1))  # a background row holds ones

        said = self.told(Fragile(6, 3), Occlusion())
        assert "perturbed copies of row '0'" in said
