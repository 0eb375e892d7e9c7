"""Small networks for compressors: all lengths differ, and channels meet in every way that they can."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import workbench as wb
from workbench.core import Inputs, Model

ROUNDING = 1e-5  # float32 sums of a few hundred terms near 1, added in another order


def mlp() -> nn.Sequential:
    """(n, 6) -> (n, 3) by way of 12 and 8."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3))


def table(n: int = 9) -> Inputs:
    return Inputs(np.random.default_rng(3).normal(size=(n, 6)), kind="tabular")


def images(n: int = 5) -> Inputs:
    return Inputs(np.random.default_rng(4).random((n, 9, 11, 3)), kind="image")


class Meeting(nn.Module):
    """(n, 3, h, w) -> (n, 4): a residual sum, a depthwise layer, a gate, a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2)
        self.stem_norm = nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 10, 3, padding=1, bias=False)
        self.back = nn.Conv2d(10, 8, 1)
        self.back_norm = nn.BatchNorm2d(8)
        self.alone = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.gate = nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 8))
        self.other = nn.Conv2d(8, 6, 1)
        self.pool = nn.AdaptiveMaxPool2d((2, 3))
        self.hidden = nn.Linear(14 * 6, 13)
        self.head = nn.Linear(13, 4)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        maps = torch.relu(self.stem_norm(self.stem(maps)))
        maps = torch.relu(maps + self.back_norm(self.back(torch.relu(self.inner(maps)))))
        maps = self.alone(maps)
        gate = torch.sigmoid(self.gate(maps.mean((2, 3))))
        maps = maps * gate[:, :, None, None]
        both = torch.cat([maps, torch.relu(self.other(maps))], dim=1)
        return self.head(torch.relu(self.hidden(torch.flatten(self.pool(both), 1))))


def settled(net: nn.Module, batch: torch.Tensor) -> nn.Module:
    """The network with running statistics and affine numbers that are no longer 0 and 1."""
    torch.manual_seed(5)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias)
    net.train()(batch)
    return net.eval()


def pixels(n: int = 8) -> torch.Tensor:
    return torch.rand(n, 3, 9, 11, generator=torch.Generator().manual_seed(6))


def of_table(net: nn.Module, **more) -> Model:
    return wb.wrap(net, name="net", outputs=list("abc"), scale="logit", **more)


def of_images(net: nn.Module, outputs: str = "abcd", **more) -> Model:
    more = {"shape": (9, 11, 3), **more}
    return wb.wrap(net, name="net", outputs=list(outputs), scale="logit", kind="image", **more)


def as_it_is(net: nn.Module) -> tuple:
    """Everything of a module that a careless copy could soil, as values that can be compared."""
    state = {name: one.detach().clone() for name, one in net.state_dict().items()}
    modes = [part.training for part in net.modules()]
    hooks = [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in net.modules()]
    grads = [one.requires_grad for one in net.parameters()]
    return (
        state,
        modes,
        hooks,
        grads,
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
    )


def same_as(before: tuple, net: nn.Module) -> bool:
    state, *rest = as_it_is(net)
    return (
        list(state) == list(before[0])
        and all(torch.equal(one, before[0][name]) for name, one in state.items())
        and tuple(rest) == before[1:]
    )


def loaded_again(copy: Model, folder) -> Model:
    """The copy from its own file, in the architecture that it is."""
    from workbench.models import save

    save(copy, folder / "copy.safetensors")
    return wb.load(folder / "copy.safetensors", architecture=copy.native)
