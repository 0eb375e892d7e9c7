"""The twin of an int8 graph is the graph, bit for bit, whatever its layers; and it has a gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.variants.textbook_networks import TEXTBOOK
from workbench import methods
from workbench.core import Inputs
from workbench.models.torch.gradient_check import check_gradient
from workbench.variants import quantize_static
from workbench.variants.quantization import pt2e
from workbench.variants.quantization.rounding import clipped, straight_through
from workbench.variants.quantization.twin import twin_of

BYTE = (0, 255, torch.uint8)


def grays(seed, n=20, channels=3):
    """Pictures of flat tiles in 17 grays, whose averages lie halfway between two steps again and again."""
    levels = np.random.default_rng(seed).integers(0, 17, size=(n, 5, 6, channels)) / 16
    return Inputs(levels.repeat(4, axis=1).repeat(4, axis=2), kind="image")


def wrapped(network, rows, seed=0):
    torch.manual_seed(seed)
    return wb.wrap(network().eval(), name="net", like=rows, scale="logit")


@pytest.mark.parametrize(("seed", "network"), list(enumerate(TEXTBOOK.values())), ids=[*TEXTBOOK])
def test_the_twin_is_the_copy_bit_for_bit_and_has_a_gradient(seed, network):
    rows = grays(seed)
    copy = quantize_static(wrapped(network, rows, seed), rows)
    assert copy.variant.twin_gap == 0.0
    assert copy.gradient is not None, copy.absent
    assert copy.variant.gradient.ok
    twin = copy.gradient.__self__
    others = grays(seed + 7).values  # rows that it was not calibrated on
    np.testing.assert_array_equal(twin.predict(others), copy.scores(others))
    assert check_gradient(copy, others, seed=seed).ok
    found = wb.explain(copy, rows[:2], methods.IntegratedGradients(steps=2), wb.Target(0))
    assert np.abs(found.values).max() > 0


def one_channel():
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(16, 4)),
    )


@pytest.mark.parametrize("seed", range(4))
def test_pictures_of_one_channel_too(seed):
    """Their memory reads as channels first and last alike, and a convolution adds by how it is read."""
    rows = grays(seed, channels=1)
    copy = quantize_static(wrapped(one_channel, rows, seed), rows)
    assert copy.variant.twin_gap == 0.0
    assert copy.gradient is not None, copy.absent


@pytest.mark.parametrize("scale", [1 / 3, 1 / 255, 0.1, 0.003913797438144684])
@pytest.mark.parametrize("zero", [0, 1, 128])
def test_a_step_gives_what_the_two_operators_give_halfway_between_steps_too(scale, zero):
    rounding = torch.ops.quantized_decomposed
    values = (torch.arange(-600, 600) / 4 * scale).float()
    whole = rounding.quantize_per_tensor.default(values, scale, zero, *BYTE)
    expected = rounding.dequantize_per_tensor.default(whole, scale, zero, *BYTE)
    found = straight_through(values, scale, zero, *BYTE)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_step_passes_one_where_it_rounds_and_nothing_where_it_clips():
    # Steps of 1/2 from -1 to 126.5; halfway beyond the last one it still rounds to it.
    values = torch.tensor([-1.3, -1.2, 0.1, 126.7, 126.8], requires_grad=True)
    straight_through(values, 0.5, 2, *BYTE).backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert values.grad.tolist() == [0.0, 2.0, 3.0, 4.0, 0.0]
    assert clipped(values, 0.5, 2, *BYTE).tolist() == pytest.approx([-1.0, -1.0, 0.1, 126.5, 126.5])


def test_values_stored_in_whole_numbers_are_no_obstacle_and_what_is_in_the_way_has_its_layers_name():
    rows = grays(0)
    model = wrapped(TEXTBOOK["global average pooling"], rows)
    graph = quantize_static(model, rows).native
    assert twin_of(graph)[1] == ()
    steps = torch.ops.quantized_decomposed
    half = next(n for n in graph.graph.nodes if n.target is steps.dequantize_per_tensor.default)
    half.args = (
        half.args[0],
        half.args[1] * 2,
        *half.args[2:],
    )  # a pair that does not belong together
    graph.recompile()
    (first, second) = twin_of(graph)[1]
    assert first.endswith("(quantized_decomposed.quantize_per_tensor.default)")
    answering = pt2e.answered_by(graph, replace(model, shape=(20, 24, 3)), name="odd", rows=rows)
    assert answering.model.gradient is None
    assert second in answering.model.absent["gradient"]


def test_a_twin_that_differs_says_at_which_layer_first(monkeypatch):
    def bent(graph):
        twin, left = twin_of(graph)
        layer = twin.get_submodule("3")
        layer.bias = nn.Parameter(layer.bias + 0.5)
        return twin, left

    monkeypatch.setattr(pt2e, "twin_of", bent)
    rows = grays(0)
    copy = quantize_static(wrapped(TEXTBOOK["two average poolings"], rows), rows)
    assert copy.gradient is None
    assert "first at layer '3', so its gradients" in copy.absent["gradient"]


def test_a_branch_without_a_derivative_is_still_noticed():
    class Detached(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4)

        def forward(self, x):
            x = torch.relu(self.first(x))
            return self.head((x + x.detach()).mean((2, 3)))

    rows = grays(0)
    copy = quantize_static(wrapped(Detached, rows), rows)
    assert copy.variant.twin_gap == 0.0
    assert copy.gradient is None
    assert "Without the steps of its rounding" in copy.absent["gradient"]
