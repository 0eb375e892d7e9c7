"""Maps of a layer with no gradient: the same as with one, and where there is none to be had."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.models.torch.test_torch_module import images, wrapped_cnn
from workbench import ensembles, methods
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError


@pytest.mark.parametrize("layer", ["0", "2", "4"])  # a convolution, and two in-place layers
def test_they_are_the_activations_and_the_scores_to_the_last_bit(layer):
    model = wrapped_cnn(batch=3)
    scores, maps = model.feature_maps(images(), layer)
    said, activations, _ = model.activations(images(), layer, np.ones((1, 7, 4)))
    np.testing.assert_array_equal(maps, activations)
    np.testing.assert_array_equal(scores, said)


def test_no_graph_is_kept_and_the_module_is_left_as_it_was_found():
    model = wrapped_cnn(batch=3)
    net, tracked = model.native, []
    net.train()
    model.layers(images())  # looked for once, before the rows are asked
    handle = net[3].register_forward_hook(lambda _, given, out: tracked.append(out.requires_grad))
    model.feature_maps(images(), "3")
    handle.remove()
    assert tracked == [False, False, False]  # seven rows in batches of three
    assert net.training
    assert not any(part._forward_hooks for part in net.modules())
    with pytest.raises(InputError, match=r"no layer '9'.*\['0', '1', '2', '3', '4'\]"):
        model.feature_maps(images(), "9")
    assert not any(part._forward_hooks for part in net.modules())


class Whole(nn.Module):
    """A legacy int8 convolution between a quantization and a dequantization."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.begin, self.conv = torch.ao.quantization.QuantStub(), nn.Conv2d(3, 5, 3)
        self.end, self.head = torch.ao.quantization.DeQuantStub(), nn.Linear(5, 4)

    def forward(self, x):
        return self.head(self.end(self.conv(self.begin(x))).mean((2, 3)))


@pytest.fixture
def in_whole_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end
        net = Whole().eval()
        for part in (net.begin, net.conv, net.end):
            part.qconfig = torch.ao.quantization.get_default_qconfig("x86")
        torch.ao.quantization.prepare(net, inplace=True)
        net(torch.rand(16, 3, 11, 13))
        torch.ao.quantization.convert(net, inplace=True)
    return wb.wrap(net, name="int8", outputs=list("abcd"), scale="logit", kind="image")


def test_maps_in_whole_numbers_are_the_numbers_that_they_stand_for(in_whole_numbers):
    _, maps = in_whole_numbers.feature_maps(images(), "conv")
    torch.manual_seed(1)
    exact = nn.Conv2d(3, 5, 3)(torch.tensor(images()).permute(0, 3, 1, 2).float()).detach().numpy()
    step = (exact.max() - exact.min()) / 255
    assert len(np.unique(maps)) <= 256
    np.testing.assert_allclose(maps, exact, atol=4 * step)  # rows, weights and result are rounded


def test_on_whole_numbers_only_maps_that_need_a_gradient_are_refused(in_whole_numbers):
    inputs = Inputs(images(2), kind="image")
    for method in (methods.EigenCAM(layer="conv"), methods.ScoreCAM(layer="conv")):
        result = wb.explain(in_whole_numbers, inputs, method, wb.Target(0))
        assert result.values.any()
    with pytest.raises(IncompatibleError, match=r"with respect to layer 'conv'.*cannot"):
        wb.explain(in_whole_numbers, inputs, methods.GradCAM(layer="conv"), wb.Target(0))


def test_an_ensemble_says_why_it_has_no_maps_of_its_own():
    pair = ensembles.vote([wrapped_cnn().renamed("one"), wrapped_cnn().renamed("two")])
    with pytest.raises(IncompatibleError, match=r"no maps in common.*Explain its members"):
        wb.explain(pair, Inputs(images(2), kind="image"), methods.EigenCAM())
