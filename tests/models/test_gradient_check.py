"""Is the gradient real? Verdicts on nets whose derivatives are known to be right, missing or wrong."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.core import Model
from workbench.models.gradient_check import check_gradient


def table(n: int = 24) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(n, 30))


def pictures(n: int = 12) -> np.ndarray:
    return np.random.default_rng(4).random((n, 16, 12, 3))


def mlp() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 24), nn.ReLU(), nn.Linear(24, 4)
    )


def cnn() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 10, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(40, 4),
    ).eval()


class Branched(nn.Module):
    """A skip path and a branch of equal weight: half is missing where the branch has no derivative."""

    def __init__(self, branch=None) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.branch = nn.Sequential(nn.Linear(30, 20), nn.Tanh(), nn.Linear(20, 30))
        self.head = nn.Linear(30, 4)
        self.through = branch or (lambda branch, x: branch(x))

    def forward(self, x):
        return self.head(x + 3 * self.through(self.branch, x))


def halved() -> nn.Module:
    """The legacy int8 branch: a graph with an operator that has no derivative on one of two ways."""
    net = Branched().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.ao announces its end
        net.branch = torch.ao.quantization.quantize_dynamic(net.branch, {nn.Linear})
    return net


def in_whole_numbers() -> nn.Module:
    """Legacy static int8: real quantized operators from end to end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end, and its observers theirs
        from torch.ao.quantization import get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

        rows = torch.tensor(table(), dtype=torch.float32)
        watched = prepare_fx(mlp().eval(), get_default_qconfig_mapping("x86"), (rows,))
        watched(rows)
        return convert_fx(watched)


class Rounded(nn.Module):
    """Eight bits for what goes into every layer, with the straight-through gradient."""

    def __init__(self, net: nn.Module, rows: np.ndarray, bits: int = 8) -> None:
        super().__init__()
        self.net, self.levels, self.ranges = net.eval(), 2**bits - 1, []
        x = torch.tensor(rows, dtype=torch.float32)
        x = x.permute(0, 3, 1, 2) if rows.ndim == 4 else x
        with torch.no_grad():
            for part in net:
                low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
                step = (high - low) / self.levels
                self.ranges.append((step, round(-low / step)))
                x = part(x)

    def forward(self, x):
        for part, (step, zero) in zip(self.net, self.ranges, strict=True):
            if isinstance(part, nn.Linear | nn.Conv2d):
                x = torch.fake_quantize_per_tensor_affine(x, step, zero, 0, self.levels)
            x = part(x)
        return x


def pruned() -> nn.Module:
    net = cnn()
    with torch.no_grad():
        for part in net:
            if hasattr(part, "weight"):
                part.weight[part.weight.abs() < part.weight.abs().median()] = 0.0
    return net


def wrapped(net: nn.Module, kind: str = "tabular") -> Model:
    return wb.wrap(net, name="net", outputs=tuple("abcd"), scale="logit", kind=kind)


GOOD = {
    "float32 on a table": lambda: (mlp(), table()),
    "float64 on a table": lambda: (mlp().double(), table()),
    "bfloat16 on a table": lambda: (mlp().bfloat16(), table()),
    "float32 on images": lambda: (cnn(), pictures()),
    "bfloat16 on images": lambda: (cnn().bfloat16(), pictures()),
    "pruned": lambda: (pruned(), pictures()),
    "8-bit steps on a table": lambda: (Rounded(mlp(), table()), table()),
    "8-bit steps on images": lambda: (Rounded(cnn(), pictures()), pictures()),
    "two whole branches": lambda: (Branched(), table()),
}


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_gradient_that_is_the_slope_of_the_scores_passes(make, seed):
    net, rows = make()
    found = check_gradient(wrapped(net, "image" if rows.ndim == 4 else "tabular"), rows, seed=seed)
    assert found.status == "ok", found
    assert found.error is not None


BAD = {
    "whole numbers": (in_whole_numbers, "none", "no graph"),
    "a branch in whole numbers": (halved, "suspect", "one of several ways"),
    "a branch without a graph": (
        lambda: Branched(lambda branch, x: branch(x).detach()),
        "suspect",
        "off by",
    ),
    "a branch that reads no graph": (
        lambda: Branched(lambda branch, x: branch(x.detach())),
        "suspect",
        "off by",
    ),
    "rows that are cut off": (
        lambda: nn.Sequential(Cut(), mlp()),
        "disconnected",
        "does not reach the rows",
    ),
}


class Cut(nn.Module):
    def forward(self, x):
        return x.detach()


@pytest.mark.parametrize(("make", "status", "said"), BAD.values(), ids=BAD)
def test_a_missing_or_wrong_gradient_gets_its_verdict_without_a_warning(make, status, said):
    found = check_gradient(wrapped(make()), table())
    assert found.status == status
    assert said in found.detail
    assert found.ok == (status == "ok")
