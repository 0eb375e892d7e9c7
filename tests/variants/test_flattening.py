"""Ways to write the same network: each is understood, or keeps its channels; none gives other scores."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.small_nets import ROUNDING, images, of_images
from workbench import variants
from workbench.errors import IncompatibleError

PLACES = 9 * 11


class Written(nn.Module):
    """A convolution and a head, with a sentence of one's own between them."""

    def __init__(self, between, inner: int = 6, width: int = 6 * PLACES) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, inner, 1)
        self.between = between
        self.head = nn.Linear(width, 4)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self.head(self.between(torch.relu(self.first(maps))))


UNDERSTOOD = {
    "view": lambda x: x.view(x.size(0), -1),
    "view of a tuple": lambda x: x.view((x.size(0), -1)),
    "view by shape": lambda x: x.view(x.shape[0], -1),
    "view by keyword": lambda x: x.reshape(x.size(dim=0), -1),
    "reshape": lambda x: x.reshape(x.shape[0], -1),
    "torch.reshape": lambda x: torch.reshape(x, (x.shape[0], -1)),
    "torch.flatten": lambda x: torch.flatten(x, 1),
    "flatten": lambda x: x.flatten(1),
}
LEFT = {
    "a number": lambda x: x.view(-1, 6 * PLACES),
    "channels by size": lambda x: x.view(x.size(0), x.size(1) * PLACES),
    "channels by shape": lambda x: x.reshape(x.shape[0], x.shape[1] * PLACES),
}
AVERAGED = {
    "mean": lambda x: x.mean((2, 3)),
    "mean from the end": lambda x: x.mean([-1, -2]),
    "one by one": lambda x: x.mean(3).mean(2),
    "by keyword": lambda x: x.amax(dim=(2, 3)),
    "torch.sum": lambda x: torch.sum(x, (2, 3)) / 99,
    "axes put back": lambda x: (x * x.mean((2, 3))[:, :, None, None]).mean((2, 3)),
    "axes by unsqueeze": lambda x: (x * x.mean((2, 3)).unsqueeze(-1).unsqueeze(-1)).mean((2, 3)),
}


def dead(net: Written) -> Written:
    """The network with every other channel zero for every row: what pruning half of them removes."""
    with torch.no_grad():
        net.first.weight[::2] = 0
        net.first.bias[::2] = 0
    return net


@pytest.mark.parametrize("name", [*UNDERSTOOD, *AVERAGED])
def test_however_it_is_written_half_of_the_channels_go_and_the_scores_stay(name):
    between = {**UNDERSTOOD, **AVERAGED}[name]
    net = dead(Written(between, width=6 if name in AVERAGED else 6 * PLACES))
    copy = variants.prune_channels(of_images(net), 0.5, rows=images())
    assert copy.native.first.weight.shape[0] == 3
    assert copy.variant.change <= ROUNDING
    moved = variants.reorder_channels(of_images(net), rows=images())
    assert moved.variant.change <= ROUNDING
    assert not torch.equal(moved.native.first.weight, net.first.weight)


@pytest.mark.parametrize("name", LEFT)
def test_what_counts_channels_keeps_them_all(name):
    net = dead(Written(LEFT[name]))
    with pytest.raises(IncompatibleError, match="hidden channels is needed"):
        variants.prune_channels(of_images(net), 0.5, rows=images())
