"""Networks that are the same function in other words: channels permuted, rescaled, in another library."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import nn

import workbench as wb
from workbench import variants

CLASSES = 4


def perceptron(seed: int, columns: int = 8, width: int = 24) -> nn.Sequential:
    """(n, columns) -> (n, 4), with weights as a short training leaves them: not small."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Linear(columns, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, CLASSES),
        )  # fmt: skip
        with torch.no_grad():
            for part in net:
                if isinstance(part, nn.Linear):
                    part.weight.normal_(std=1.6 / part.in_features**0.5)
                    part.bias.normal_(std=0.3)
    return net.eval()


def convolutions(seed: int, channels: int = 6) -> nn.Sequential:
    """(n, 1, 12, 12) -> (n, 4), likewise."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3),
            nn.Flatten(), nn.Linear(18 * channels, CLASSES),
        )  # fmt: skip
        with torch.no_grad():
            for part in net:
                if isinstance(part, nn.Conv2d | nn.Linear):
                    inputs = part.weight[0].numel()
                    part.weight.normal_(std=2.0 / inputs**0.5)
                    part.bias.normal_(std=0.2)
    return net.eval()


def reordered(net: nn.Sequential, seed: int, *, rescaled: bool = False) -> nn.Sequential:
    """The same function: every layer's outputs in another order, and by other factors if asked."""
    other = copy.deepcopy(net)
    layers = [part for part in other if isinstance(part, nn.Conv2d | nn.Linear)]
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for first, second in pairwise(layers):
            n = first.weight.shape[0]
            order = torch.tensor(rng.permutation(n))
            size = torch.tensor(np.exp(rng.normal(size=n)) if rescaled else np.ones(n)).float()
            shape = (n, *[1] * (first.weight.ndim - 1))
            first.weight.copy_((first.weight * size.reshape(shape))[order].clone())
            first.bias.copy_((first.bias * size)[order].clone())
            # What the next layer reads: whole blocks of places after a flattening.
            block = second.weight.shape[1] // n
            weight = second.weight.reshape(second.weight.shape[0], n, block, -1)
            weight = (weight / size[None, :, None, None])[:, order]
            second.weight.copy_(weight.reshape(second.weight.shape).clone())
    return other


def tables(seed: int, n: int = 24, columns: int = 8) -> wb.Inputs:
    """Rows of normal numbers over six background rows."""
    rng = np.random.default_rng((seed, 1))
    names = tuple("abcdefghijkl"[:columns])
    rows, absent = rng.normal(size=(n, columns)), rng.normal(size=(6, columns))
    return wb.Inputs(rows, kind="tabular", features=names, background=absent)


def images(seed: int, n: int = 24) -> wb.Inputs:
    """Smooth images with an edge, and a patch of one color as drawn things have."""
    rng = np.random.default_rng((seed, 2))
    coarse = rng.random((n, 4, 4, 1))
    values = np.repeat(np.repeat(coarse, 3, axis=1), 3, axis=2) + 0.05 * rng.random((n, 12, 12, 1))
    values[:, :4, :4] = 0.0
    return wb.Inputs(np.clip(values, 0, 1), kind="image")


def wrapped(net: nn.Module, name: str, like: wb.Inputs) -> wb.Model:
    """The network as a model of four classes, in logits."""
    return wb.wrap(net, name=name, outputs=list("pqrs"), scale="logit", like=like)


def equals(
    net: nn.Sequential, reference: wb.Model, rows: wb.Inputs, seed: int
) -> Iterator[wb.Model]:
    """The same network in other words."""
    yield wrapped(reordered(net, seed), "permuted", rows)
    yield wrapped(reordered(net, seed, rescaled=True), "rescaled", rows)
    yield variants.cast(reference, "bfloat16").renamed("bfloat16")
