"""Copies whose reasons were changed by hand, so that the verdict and what to name are known.

By hand: `python -m tests.verdicts.planted` prints how often each was found, at 20, 50, 100 and 200 rows.
"""

from __future__ import annotations

import copy as copying
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

import workbench as wb
from tests.verdicts.equal_networks import convolutions, wrapped
from workbench import lab
from workbench.compare import Drift
from workbench.core import Inputs, Method, Model
from workbench.methods import GradCAM, Occlusion, PermutationSHAP

NAMES = tuple("abcdefgh")
WEIGHTS = np.array([1.2, 0.0, 0.8, -0.6, 0.5, 0.3, -0.2, 0.1])
METHOD = PermutationSHAP(budget=320)  # two rotations over ten background rows
TAIL = 1.6449  # five in a hundred normal numbers lie above
TENTH = 1.2816


def rows(n: int, seed: int) -> Inputs:
    """Normal columns, the second of which is a twin of the first: nearly the same numbers."""
    rng = np.random.default_rng((seed, n))
    values, absent = rng.normal(size=(n, 8)), rng.normal(size=(10, 8))
    for one in (values, absent):
        one[:, 1] = one[:, 0] + 0.02 * one[:, 1]
    known = (values @ WEIGHTS > 0).astype(int)
    return Inputs(values, kind="tabular", features=NAMES, background=absent, y=known)


def linear(
    name: str,
    weights: np.ndarray = WEIGHTS,
    more: Callable[[Any], Any] | None = None,
    bias: float = 0.0,
) -> Model:
    """Two logits from a weighted sum of the columns, and whatever else is added to it."""

    def predict(x: Any) -> Any:
        total = x @ weights + bias + (0.0 if more is None else more(x))
        return np.stack([-total / 2, total / 2], axis=1)

    return Model(name, predict, ("no", "yes"), "logit", kind="tabular")


def swapped_above(edge: float) -> Callable[[Any], Any]:
    """Where column e lies above an edge, column a's weight goes to d, turned."""
    return lambda x: (x[:, 4] > edge) * (-1.2 * x[:, 0] + 1.2 * x[:, 3])


def noised(share: float, seed: int) -> np.ndarray:
    return WEIGHTS * (1 + share * np.random.default_rng(seed).normal(size=8))


@dataclass(frozen=True)
class Plant:
    """One change made by hand.

    Args:
        title: what was done.
        copy: the copy, by a seed.
        words: verdicts for rows like these that are right; the first is what enough rows say.
        named: whether the findings name what moved; None where nothing did.
        enough: rows from which nine of ten are found.
    """

    title: str
    copy: Callable[[int], Model]
    words: tuple[str, ...]
    named: Callable[[lab.Findings], bool] | None
    enough: int = 20


def _feature(name: str, change: str, other: str = "") -> Callable[[lab.Findings], bool]:
    def found(findings: lab.Findings) -> bool:
        first = findings.features[0]
        there = {(one.feature, one.change, one.other) for one in findings.features[:2]}
        return (name, change, other) in there and (bool(other) or first.feature == name)

    return found


def _slice(column: str) -> Callable[[lab.Findings], bool]:
    return lambda findings: any(
        one.harder and one.slice.startswith(f"{column} ") for one in findings.slices
    )


CALM = ("preserved", "undetermined")
TWIN = np.array([0.0, 1.2, *WEIGHTS[2:]])
TURNED = WEIGHTS * np.array([1, 1, -1, 1, 1, 1, 1, 1])

TABLES = (
    Plant("twin swapped", lambda _: linear("copy", TWIN), ("changed",), _feature("a", "lost to", "b")),
    Plant("sign flipped", lambda _: linear("copy", TURNED), ("changed",), _feature("c", "sign turned")),
    Plant(
        "all weights - 10 %",
        lambda _: linear("copy", 0.9 * WEIGHTS),
        ("changed",),
        _feature("a", "shrank"),
    ),
    Plant("1 % noise", lambda seed: linear("copy", noised(0.01, seed)), CALM, None),
    Plant("3 % noise", lambda seed: linear("copy", noised(0.03, seed)), CALM, None),
    Plant(
        "reasons swapped in 10 % of rows",
        lambda _: linear("copy", more=swapped_above(TENTH)),
        ("changed", "changed in part"),
        _slice("e"),
        enough=100,
    ),
    Plant(
        "reasons swapped in 5 % of rows",
        lambda _: linear("copy", more=swapped_above(TAIL)),
        # Exactly as many as are allowed: rows cannot prove more, and never prove fewer.
        ("undetermined", "changed", "changed in part"),
        _slice("e"),
        enough=200,
    ),
    Plant(
        "bias shift", lambda _: linear("copy", bias=0.8), CALM, None
    ),
    Plant(
        "labels shuffled",
        lambda seed: linear("copy", np.random.default_rng((seed, 9)).permutation(WEIGHTS[::-1])),
        ("changed",),
        lambda findings: findings.features[0].change != "same",
    ),
)  # fmt: skip


def held(plant: Plant, n: int, seed: int) -> Drift:
    """The drift of one planted copy on n rows."""
    return wb.drift(
        linear("reference"), plant.copy(seed), rows(n, seed), METHOD, random_weights=False
    )


def counted(plant: Plant, n: int, draws: int) -> tuple[Counter[str], int]:
    """What is said over many draws, and how often what moved was named."""
    said: Counter[str] = Counter()
    named = 0
    for seed in range(draws):
        drift = held(plant, n, seed)
        said[drift.verdicts["copy"]] += 1
        if plant.named is not None:
            named += plant.named(lab.findings(drift))
    return said, named


LAYER = "3"
NETWORK_METHODS: tuple[Method, ...] = (GradCAM(), Occlusion(window=4, stride=4))


def class_head_shuffled(net: nn.Sequential, seed: int, one: int) -> nn.Sequential:
    """One class decides by other weights of the same sizes, the others as before."""
    other = copying.deepcopy(net)
    order = torch.tensor(np.random.default_rng(seed).permutation(other[-1].weight.shape[1]))
    with torch.no_grad():
        other[-1].weight[one] = other[-1].weight[one][order]
    return other


def layer_noised(net: nn.Sequential, seed: int) -> nn.Sequential:
    """A third of every weight of one layer, up or down."""
    other = copying.deepcopy(net)
    drawn = torch.tensor(np.random.default_rng(seed).normal(size=other[3].weight.shape)).float()
    with torch.no_grad():
        other[3].weight.mul_(1 + 0.3 * drawn)
    return other


def pictures(n: int, seed: int) -> Inputs:
    """Patches of chance colors: every image its own."""
    coarse = np.random.default_rng((seed, n, 3)).random((n, 4, 4, 1))
    return Inputs(np.repeat(np.repeat(coarse, 3, axis=1), 3, axis=2), kind="image")


def balanced(seed: int, images: Inputs) -> nn.Sequential:
    """A network that gives each of its classes to a fair share of these images."""
    net = convolutions(seed)
    with torch.no_grad():
        scores = net(torch.tensor(images.values.transpose(0, 3, 1, 2)).float())
        net[-1].bias -= scores.mean(dim=0)
    return net


def against(net: nn.Sequential, other: nn.Sequential, images: Inputs) -> tuple[Drift, Model, Model]:
    """The drift of a network changed by hand, and the two models."""
    reference, copy = wrapped(net, "net", images), wrapped(other, "copy", images)
    drift = wb.drift(reference, copy, images, NETWORK_METHODS, random_weights=False)
    return drift, reference, copy


def table(draws: int = 40) -> str:
    """How often each plant was found, in Markdown."""
    lines = [
        "| planted | rows | preserved | changed in part | changed | undetermined | named |",
        "|---|---|---|---|---|---|---|",
    ]
    words = ("preserved", "changed in part", "changed", "undetermined")
    for plant in TABLES:
        for n in (20, 50, 100, 200):
            said, named = counted(plant, n, draws)
            told = "" if plant.named is None else f"{named} of {draws}"
            lines.append(
                f"| {plant.title} | {n} | {' | '.join(str(said[word]) for word in words)} | {told} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(*map(int, sys.argv[1:])))  # noqa: T201
