"""One copy that cannot do what its reference can ends no drift study: its cells are left out, and said."""

from __future__ import annotations

import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import methods, variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.lab import assert_explanations_preserved

ROWS = Inputs(
    np.random.default_rng(1).normal(size=(24, 5)).astype("float32"),
    kind="tabular",
    background=np.zeros((1, 5)),
)
IG = methods.IntegratedGradients(fill="zero", steps=4)


class Branched(nn.Module):
    """With `cut`, one of two branches passes no gradient: the graph is whole, and its gradient wrong."""

    def __init__(self, *, cut: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cut, self.a, self.b = cut, nn.Linear(5, 2), nn.Linear(5, 2)

    def forward(self, x):
        other = 3 * torch.tanh(self.b(x))
        return self.a(x) + (other.detach() if self.cut else other)


def plain():
    return wb.wrap(Branched(cut=False).eval(), like=ROWS, name="net")


def int8():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end
        made = torch.ao.quantization.quantize_dynamic(Branched(cut=False).eval(), {nn.Linear})
    return wb.wrap(made, like=ROWS, name="int8")


def cut():
    return wb.wrap(Branched(cut=True).eval(), like=ROWS, name="cut")


@pytest.mark.parametrize("make", [int8, cut], ids=["known when wrapped", "found while it runs"])
class TestAmongFloatCopies:
    def test_a_method_it_cannot_do_is_left_out_for_it_alone(self, make):
        model, odd = plain(), make()
        half = variants.prune(model, 0.2)
        found = wb.drift(model, [odd, half], ROWS, [IG, methods.Occlusion()], random_weights=False)
        assert found.models == (odd.name, half.name)
        done = {(one.model, one.method) for one in found.measured}
        assert (odd.name, "IntegratedGradients") not in done
        assert {(odd.name, "Occlusion"), (half.name, "IntegratedGradients")} <= done
        assert any(f"Left out for '{odd.name}'" in note for note in found.notes)

    def test_a_copy_that_no_method_can_explain_is_left_out_whole(self, make):
        model, odd = plain(), make()
        half = variants.prune(model, 0.2)
        for order in ([odd, half], [half, odd]):
            found = wb.drift(model, order, ROWS, IG, random_weights=False)
            assert found.models == (half.name,)
            if order[0] is odd:
                assert any(f"Copy '{odd.name}' can be explained by none" in n for n in found.notes)

    def test_alone_it_is_refused_and_a_gate_is_never_held_without_it(self, make):
        model, odd = plain(), make()
        with pytest.raises(IncompatibleError, match=f"Copy '{odd.name}' can be explained by none"):
            wb.drift(model, odd, ROWS, IG, random_weights=False)
        half = variants.prune(model, 0.0)
        with pytest.raises(IncompatibleError, match="A gate needs a verdict on"):
            assert_explanations_preserved(model, [odd, half], ROWS, IG)


def test_the_reference_itself_is_refused():
    with pytest.raises(IncompatibleError, match="'cut'"):
        wb.drift(cut(), plain(), ROWS, IG, random_weights=False)


def test_a_copy_without_the_named_layer_does_not_end_the_study_of_the_others():
    """A user's own copy calls its layers otherwise, as one between two stubs does."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)).eval()
    net(torch.zeros(1, 3, 6, 6))
    rows = wb.Inputs(np.random.default_rng(1).random((4, 6, 6, 3)), kind="image")
    model = wb.wrap(net, like=rows, name="net")
    inside = nn.Sequential(OrderedDict(before=nn.Identity(), inner=net))
    within = wb.wrap(inside.eval(), like=rows, name="within")
    half = variants.prune(model, 0.2)
    found = wb.drift(model, [within, half], rows, methods.GradCAM(layer="0"), random_weights=False)
    assert found.models == (half.name,)
    assert any("'within' has no layer" in n or "Copy 'within' can be" in n for n in found.notes)
    with pytest.raises(InputError, match="has no layer 'nowhere'"):
        wb.drift(model, [half], rows, methods.GradCAM(layer="nowhere"), random_weights=False)
