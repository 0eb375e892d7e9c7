"""Networks and rows that the tests of quantized copies share; all shapes differ."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import workbench as wb
from workbench import data, models
from workbench.core import Inputs


class Mixed(nn.Module):
    """A residual, a depthwise convolution, hardswish twice by one module, a concatenation."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.Hardswish()
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.after = nn.BatchNorm2d(8)
        self.point = nn.Conv2d(8, 7, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(15, 5)

    def forward(self, x):
        stem = self.act(self.norm(self.stem(x)))
        sum_ = stem + self.act(self.after(self.depth(stem)))
        both = torch.cat([sum_, self.point(sum_)], 1)
        return self.head(self.pool(both).flatten(1))


class Shared(nn.Module):
    """One linear layer in two branches, the second of which reads values five times as large."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.again = self.first
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        first = torch.relu(self.first(x))
        return self.head(self.again(5 * first) + first)


class Convolutions(nn.Module):
    """No linear layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        return self.head(torch.relu(self.first(x))).mean((2, 3))


class Bare(nn.Module):
    """Weights, and no layer that could be rounded."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(6, 3))

    def forward(self, x):
        return x @ self.weight


def bundled():
    return wb.load(data.asset("shapes_cnn.safetensors"), architecture=models.small_cnn)


def shapes(n=8):
    return data.shapes("test")[:n]


def images(n=8):
    return Inputs(np.random.default_rng(3).uniform(size=(n, 20, 24, 3)), kind="image")


def table(n=40, **more):
    return Inputs(np.random.default_rng(4).normal(size=(n, 6)), kind="tabular", **more)


def wrapped(network, like, **more):
    """The network with seeded weights large enough that rounding is small beside its slopes."""
    torch.manual_seed(0)
    module = network().eval()
    with torch.no_grad():
        for weights in module.parameters():
            if weights.ndim > 1:
                weights.mul_(2)
    return wb.wrap(
        module, name=getattr(network, "__name__", "network"), like=like, scale="logit", **more
    )


def state_of(module):
    """Everything about a module that must not change: weights, buffers, modes, flags, classes and hooks."""
    return (
        {name: tensor.clone() for name, tensor in module.state_dict().items()},
        [
            (type(part), part.training, len(part._forward_hooks), len(part._forward_pre_hooks))
            for part in module.modules()
        ],
        [(one.requires_grad, one.grad) for one in module.parameters()],
    )


def assert_same_state(module, before):
    tensors, parts, flags = state_of(module)
    assert tensors.keys() == before[0].keys()
    assert all(torch.equal(tensors[name], before[0][name]) for name in tensors)
    assert parts == before[1]
    assert flags == before[2]
