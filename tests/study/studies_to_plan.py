"""Rows, models and a method of one's own for what a study will cost."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from sklearn.ensemble import RandomForestRegressor

import workbench as wb
from workbench.core import Estimate, Inputs, Progress, check_parameters

ZERO = (wb.Target(0),)
THREE = (wb.Target(0), wb.Target(1), wb.Target(2, against=0))


def table(**changes) -> Inputs:
    """Four rows of six columns, over seven background rows."""
    rng = np.random.default_rng(3)
    given = {
        "values": rng.normal(size=(4, 6)),
        "kind": "tabular",
        "features": tuple("uvwxyz"),
        "background": rng.normal(size=(7, 6)),
    }
    return Inputs(**(given | changes))


def with_categories() -> Inputs:
    values, background = table().values.copy(), table().background.copy()
    for rows in (values, background):
        rows[:, 1] = np.arange(len(rows)) % 3
    return table(values=values, background=background, categories={"v": ("red", "green", "blue")})


def pictures(n: int = 3) -> Inputs:
    rng = np.random.default_rng(8)
    return Inputs(
        rng.random((n, 16, 12, 3)),
        kind="image",
        background=rng.random((2, 16, 12, 3)),
        name="pictures",
    )


def tiles() -> Inputs:
    """24 tiles of one color each, which quickshift tells apart: more than ExactShapley takes."""
    colors = np.random.default_rng(0).random((1, 4, 6, 3))
    return Inputs(colors.repeat(16, axis=1).repeat(16, axis=2), kind="image")


@cache
def forest():
    rows = table().background
    outputs = rows[:, :3]
    return wb.wrap(
        RandomForestRegressor(3, max_depth=3, random_state=0).fit(rows, outputs),
        name="forest",
        scale="raw",
    )


@cache
def convolutional():
    torch.manual_seed(3)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 7, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(7, 5, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 4),
    ).eval()
    return wb.wrap(module, name="images", outputs=tuple("abcd"), scale="logit", batch=2)


@dataclass(frozen=True)
class Mine:
    """A user's own method: asks for the rows' scores again and again, and does not say how often."""

    rounds: int = 5
    needs = ()
    kinds = ("tabular", "image")
    additive = False
    source = "mine"

    def __post_init__(self):
        check_parameters(self)

    def attribute(self, model, inputs, targets, /):
        output = np.zeros((len(targets), len(inputs)))
        values = np.zeros((len(targets), *inputs.values.shape))
        for done in range(self.rounds):
            model.scores(inputs.values + done)
            yield Progress(done + 1, self.rounds, lambda: Estimate(values, output, output))
