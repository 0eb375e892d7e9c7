"""Members of small ensembles, and rows for them."""

from dataclasses import replace

import numpy as np
import torch

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench import models
from workbench.core import Inputs

RNG = np.random.default_rng(6)
ROWS = RNG.normal(size=(60, 4))


def table(n=3) -> Inputs:
    return Inputs(ROWS[:n], kind="tabular", background=ROWS[40:45])


def pictures() -> Inputs:
    rng = np.random.default_rng(7)
    return Inputs(rng.random((2, 24, 16, 3)), kind="image", background=rng.random((2, 24, 16, 3)))


def networks():
    return [replace(tanh_network(features=4, seed=s), name=f"seed {s}") for s in (1, 2, 3)]


def small_cnns():
    made = []
    for seed, width in ((0, 4), (1, 6)):
        torch.manual_seed(seed)
        module = models.small_cnn(3, width=width)
        made.append(wb.wrap(module, name=f"cnn {seed}", outputs=["a", "b", "c"], scale="logit"))
    return made


def was_tried(_):
    """The trial of a model that had it: its four rows are in no count."""
