"""Trained networks for planted truths: the bundled ones, and a small one made here in a second."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import workbench as wb
from workbench import data, models


def bundled(name: str) -> wb.Model:
    """A network of `assets/`, made anew so that nobody soils another's."""
    return wb.load(data.asset(f"{name}.safetensors"), architecture=models.small_cnn)


def biopsies(n: int = 60, background: int = 5) -> wb.Inputs:
    """Test rows of breast cancer, every column scaled by its training rows."""
    train, test = data.breast_cancer("train"), data.breast_cancer("test")
    middle, spread = train.values.mean(axis=0), train.values.std(axis=0)
    return wb.Inputs(
        ((test.values - middle) / spread)[:n],
        kind="tabular",
        features=test.features,
        background=((train.background - middle) / spread)[:background],
        y=test.y[:n],
    )


@cache
def _weights(seed: int, width: int) -> dict[str, Any]:
    import torch
    from torch import nn

    train = data.breast_cancer("train")
    rows = torch.tensor(
        (train.values - train.values.mean(axis=0)) / train.values.std(axis=0)
    ).float()
    classes = torch.tensor(train.y).long()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = perceptron(width)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.003 if width > 64 else 0.01)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(rows), classes).backward()
            optimizer.step()
    return net.state_dict()


def perceptron(width: int) -> Any:
    """30 columns, two hidden layers, two classes."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(30, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 2),
    )


def trained(name: str = "net", seed: int = 0, width: int = 64) -> wb.Model:
    """The perceptron trained on breast cancer, from this seed."""
    net = perceptron(width)
    net.load_state_dict(_weights(seed, width))
    return wb.wrap(
        net.eval(), name=name, outputs=data.BREAST_CANCER, scale="logit", like=biopsies(1)
    )


def accuracy(model: wb.Model, inputs: wb.Inputs) -> float:
    """The share of rows put in their class."""
    return float((model.scores(inputs.values).argmax(axis=1) == np.asarray(inputs.y)).mean())
