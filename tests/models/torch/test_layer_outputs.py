"""Whatever a layer wraps its tensors in, both searches find them: for NaN and for cut gradients."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import methods
from workbench.core import Inputs
from workbench.errors import IncompatibleError, ModelError


@dataclass
class Held:
    tensor: object


WRAPPINGS = {
    "alone": lambda tensor: tensor,
    "in a tuple in a tuple": lambda tensor: (None, (tensor,)),
    "in a dict": lambda tensor: {"found": tensor},
    "in a dict in a list": lambda tensor: [OrderedDict(found=tensor)],
    "in a dataclass": lambda tensor: Held((tensor,)),
}


def unwrapped(answer):
    while not isinstance(answer, torch.Tensor):
        if isinstance(answer, Held):
            answer = answer.tensor
        answer = list(answer.values())[-1] if isinstance(answer, dict) else answer
        answer = answer if isinstance(answer, torch.Tensor) else answer[-1]
    return answer


class Layer(nn.Module):
    """Does something to what it is given, and wraps what it gives."""

    def __init__(self, do, wrap) -> None:
        super().__init__()
        self.do, self.wrap = do, wrap

    def forward(self, rows):
        return self.wrap(self.do(rows))


class Doubled(nn.Module):
    """`rows + layer(rows)`, summed: where the layer cuts the gradient, half of it is missing."""

    def __init__(self, layer, *, by_keyword: bool = False) -> None:
        super().__init__()
        self.layer, self.by_keyword = layer, by_keyword

    def forward(self, rows):
        answer = self.layer(rows=rows) if self.by_keyword else self.layer(rows)
        return (rows + unwrapped(answer)).sum(dim=1, keepdim=True)


def explained(net):
    inputs = Inputs(np.ones((1, 3)), kind="tabular", background=np.zeros((1, 3)))
    model = wb.wrap(net, outputs=["y"], scale="raw", like=inputs)
    return wb.explain(model, inputs, methods.IntegratedGradients(), wb.Target(0)).values[0]


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_layer_that_cuts_the_gradient_is_found_in_whatever_it_wraps_its_answer(wrap):
    np.testing.assert_allclose(explained(Doubled(Layer(torch.clone, wrap))), [2.0, 2.0, 2.0])
    with pytest.raises(IncompatibleError, match="layer 'layer', which gives numbers without a der"):
        explained(Doubled(Layer(torch.detach, wrap)))


def test_a_layer_that_cuts_the_gradient_is_found_where_it_is_called_by_keyword():
    layer = Layer(torch.detach, WRAPPINGS["alone"])
    with pytest.raises(IncompatibleError, match="layer 'layer', which gives numbers without a der"):
        explained(Doubled(layer, by_keyword=True))


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_layer_that_gives_nan_is_named_in_whatever_it_wraps_its_answer(wrap):
    model = wb.wrap(Doubled(Layer(torch.log, wrap)), outputs=["y"], scale="raw", shape=(3,))
    with pytest.raises(ModelError, match="The first layer whose output is not finite is 'layer'"):
        model.scores(np.array([[1.0, -1.0, 1.0]]))
