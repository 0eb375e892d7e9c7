"""Small networks for tests of training: one trained on the bundled table, and rows for it."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import nn

import workbench as wb
from workbench import data, models
from workbench.core import Inputs, Model


def untrained(outputs: int = 2, *, seed: int = 0) -> nn.Sequential:
    """30 columns to logits, with what makes training delicate: batch normalization and dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(30, 24),
            nn.BatchNorm1d(24),
            nn.ReLU(),
            nn.Linear(24, 16),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(16, outputs),
        ).eval()


def wrapped(module: nn.Module, name: str = "net") -> Model:
    rows = data.breast_cancer("train").values
    normalize = models.Normalize(rows.mean(axis=0), rows.std(axis=0))
    outputs = data.BREAST_CANCER
    return wb.wrap(module, name=name, outputs=outputs, scale="logit", preprocess=normalize)


@cache
def learned() -> dict[str, torch.Tensor]:
    """The weights of `untrained` after 30 epochs, by a plain loop of its own."""
    rows = data.breast_cancer("train")
    scaled = (rows.values - rows.values.mean(axis=0)) / rows.values.std(axis=0)
    x, y = torch.tensor(scaled, dtype=torch.float32), torch.tensor(rows.y)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = untrained().train()
        steps = torch.optim.Adam(module.parameters(), lr=5e-3)
        for _ in range(30):
            for some in torch.randperm(len(x)).split(100):
                steps.zero_grad()
                nn.functional.cross_entropy(module(x[some]), y[some]).backward()
                steps.step()
    return module.state_dict()


def network(name: str = "net") -> Model:
    """A trained network, made anew: whoever soils it soils its own."""
    module = untrained()
    module.load_state_dict(learned())
    return wrapped(module.eval(), name)


def accuracy(model: Model, rows: Inputs) -> float:
    return float((model.scores(rows.values).argmax(axis=1) == rows.y).mean())


def same_bits(one: Model, other: Model) -> bool:
    """Whether two torch models have the same weights and buffers, bit for bit."""
    a, b = one.native.state_dict(), other.native.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def some(n: int, **given: object) -> Inputs:
    """The first n training rows, with other classes if given."""
    rows = data.breast_cancer("train")[np.arange(n)]
    return (
        rows if not given else Inputs(rows.values, kind="tabular", features=rows.features, **given)
    )
