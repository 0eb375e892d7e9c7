"""Small models and rows for the lab, and a `Drift` whose every number is written down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.models_in_numpy import tanh_network
from workbench.compare.drift.result import Behavior, Drift, Measured
from workbench.core import Attribution, Inputs, Model, Target
from workbench.methods import Occlusion

BEHAVIOR: dict[str, Any] = {
    "flips": 0.0,
    "flips_by": {},
    "to_wrong": None,
    "to_right": None,
    "kl": None,
    "largest": 0.0,
    "typical": 0.0,
    "accuracy": None,
    "mcnemar": None,
    "ece": None,
    "brier": None,
}


def table(n: int = 24, f: int = 6, background: int | None = 7, **changes: Any) -> Inputs:
    """Rows of normal numbers, over background rows unless None."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(n, f))
    absent = None if background is None else rng.normal(size=(background, f))
    fields = {"features": tuple("uvwxyz"[:f]), "background": absent}
    return Inputs(values, kind="tabular", **(fields | changes))


def network(name: str = "network", seed: int = 0) -> Model:
    """A tanh network of 6 columns and 3 outputs."""
    return tanh_network(seed=seed).renamed(name)


def linear(name: str, *weights: float) -> Model:
    """One score: a weighted sum of the columns, and nothing but `predict`."""
    column = np.array([weights], dtype=float).T
    return Model(name, lambda rows: rows @ column, ("y",), "raw")


def measured(model: str, drift: Any, **changes: Any) -> Measured:
    """One metric of one copy, over as many rows as there are drifts."""
    drift = np.asarray(drift, dtype=float)
    fields: dict[str, Any] = {
        "model": model,
        "method": "Occlusion",
        "metric": "distance",
        "stratum": "all",
        "drift": drift,
        "rows": np.arange(len(drift)),
        "mean": float(drift.mean()),
        "low": float(drift.mean()) - 0.01,
        "high": float(drift.mean()) + 0.01,
        "noise": 0.0,
        "retraining": None,
        "random": 1.0,
        "margin": 0.1,
        "p": None,
        "q": None,
        "verdict": "changed" if drift.mean() > 0.1 else "preserved",
        "reason": "as written down",
    }
    return Measured(**(fields | changes))


def drift_of(*found: Measured, **changes: Any) -> Drift:
    """A drift of what was measured, with one `Behavior` per copy in which nothing happened."""
    models = tuple(dict.fromkeys(one.model for one in found))
    verdicts = {one.model: one.verdict for one in found if one.stratum == "all"}
    n = max(len(one.drift) for one in found)
    fields: dict[str, Any] = {
        "reference": "net",
        "models": models,
        "methods": tuple(dict.fromkeys(one.method for one in found)),
        "ids": tuple(f"row {i}" for i in range(n)),
        "explained": ("yes",) * n,
        "behavior": tuple(Behavior(name, **BEHAVIOR) for name in models),
        "measured": found,
        "deciding": ("distance",),
        "verdicts": verdicts,
    }
    return Drift(**(fields | changes))


def behaving(drift: Drift, model: str, **changes: Any) -> Drift:
    """The same drift with other behavior of one copy."""
    return replace(
        drift,
        behavior=tuple(
            replace(one, **changes) if one.model == model else one for one in drift.behavior
        ),
    )


def explained(model: str, values: Any, inputs: Inputs, **changes: Any) -> Attribution:
    """Values by Occlusion, of output "yes"."""
    values = np.asarray(values, dtype=float)
    n = len(values)
    fields: dict[str, Any] = {
        "values": values,
        "output": np.zeros(n),
        "base": np.zeros(n),
        "error": None,
        "inputs": inputs,
        "model": model,
        "method": Occlusion(),
        "target": Target((0,) * n),
        "explained": ("yes",) * n,
        "scale": "logit",
    }
    return Attribution(**(fields | changes))
