"""Explanations whose every number is given, and a network explained by permutations, for drift."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from workbench.core import Attribution, Inputs, Target


@dataclass(frozen=True)
class Exact:
    """A recipe without a seed."""

    needs: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Sampled:
    """A recipe with a seed."""

    budget: int = 8
    seed: int = 0


def explanation(values: Any, model: str = "reference", **changes: Any) -> Attribution:
    """Values `(n, p)` of a table or `(n, h, w)` of images, as one model's explanation."""
    values = np.asarray(values, dtype=float)
    n, image = len(values), values.ndim == 3
    rows = np.zeros((*values.shape, 3) if image else values.shape)
    rows += np.arange(n).reshape(n, *[1] * (rows.ndim - 1))  # no row is another's
    fields: dict[str, Any] = {
        "values": values,
        "output": np.zeros(n),
        "base": np.zeros(n),
        "error": None,
        "inputs": Inputs(rows, kind="image" if image else "tabular"),
        "model": model,
        "method": Exact(),
        "target": Target(0),
        "explained": ("yes",) * n,
        "scale": "logit",
    }
    return Attribution(**(fields | changes))


def network(rng: np.random.Generator, p: int = 8, hidden: int = 64) -> list[np.ndarray]:
    """The weights of a network with two hidden layers and one output."""
    sizes = (p, hidden, hidden, 1)
    return [1.5 * rng.normal(size=(a, b)) / np.sqrt(a) for a, b in pairwise(sizes)]


def perturbed(weights: list[np.ndarray], share: float, rng: np.random.Generator) -> Any:
    """Every weight moved by a normal draw of `share` of its own size."""
    return [w * (1 + share * rng.normal(size=w.shape)) for w in weights]


def permutation_shapley(
    weights: list[np.ndarray], rows: np.ndarray, permutations: int, seed: int
) -> np.ndarray:
    """Shapley values `(n, p)` against zeros, from permutations and their reverses, one sample for all."""
    rng = np.random.default_rng(seed)
    n, p = rows.shape
    values = np.zeros((n, p))
    for _ in range(permutations // 2):
        drawn = rng.permutation(p)
        for order in (drawn, drawn[::-1]):
            present = np.argsort(order) < np.arange(p + 1)[:, None]
            hidden = np.where(present, rows[:, None], 0.0)
            for w in weights[:-1]:
                hidden = np.tanh(hidden @ w)
            values[:, order] += np.diff((hidden @ weights[-1])[..., 0], axis=1)
    return values / (2 * (permutations // 2))
