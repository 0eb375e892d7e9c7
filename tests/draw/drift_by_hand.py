"""Drift whose every number is known: three copies, one per verdict, for pictures and panels."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.compare.drift.curve import Curve, CurvePoint
from workbench.compare.drift.result import Behavior, Drift, Measured, Quality

COPIES = {
    "int8": ("preserved", 0.01, 0.008, 0.013),
    "half pruned": ("changed", 0.3, 0.25, 0.36),
    "student": ("undetermined", 0.06, 0.04, 0.08),
}


def measured(model: str, metric: str = "cosine", **changes: Any) -> Measured:
    """One metric of one copy over 24 rows."""
    verdict, mean, low, high = COPIES.get(model, COPIES["int8"])
    fields: dict[str, Any] = {
        "model": model,
        "method": "GradCAM",
        "metric": metric,
        "stratum": "all",
        "drift": np.full(24, mean),
        "rows": np.arange(24),
        "mean": mean,
        "low": low,
        "high": high,
        "noise": 0.0,
        "retraining": 0.2,
        "random": 0.8,
        "margin": 0.05,
        "p": None,
        "q": None,
        "verdict": verdict,
        "on_rows": verdict,
        "reason": f"the interval up to {high} is held against the margin 0.05",
    }
    return Measured(**(fields | changes))


def behavior(model: str, **changes: Any) -> Behavior:
    """A copy that flips one row in eight."""
    fields: dict[str, Any] = {
        "model": model,
        "flips": 0.125,
        "flips_by": {("circle", "square"): 0.1, ("square", "ring"): 0.025},
        "to_wrong": 0.1,
        "to_right": 0.025,
        "kl": 0.0123,
        "largest": 2.5,
        "typical": 0.5,
        "accuracy": (0.95, 0.875),
        "mcnemar": 0.25,
        "ece": (0.01, 0.02),
        "brier": (0.1, 0.2),
    }
    return Behavior(**(fields | changes))


def drift_by_hand(names: tuple[str, ...] = tuple(COPIES), **changes: Any) -> Drift:
    """A drift of these copies by Grad-CAM, with two deciding metrics and one that does not decide."""
    fields: dict[str, Any] = {
        "reference": "net",
        "models": names,
        "methods": ("GradCAM",),
        "ids": tuple(map(str, range(24))),
        "explained": ("circle",) * 24,
        "behavior": tuple(map(behavior, names)),
        "measured": tuple(
            measured(name, metric)
            for name in names
            for metric in ("cosine", "relative L2", "kendall")
        ),
        "quality": (
            Quality(
                names[0], "GradCAM", "mass in mask", np.full(24, 0.5), np.full(24, 0.25),
                -0.25, -0.3, -0.2, "worse",
            ),
        ),
        "deciding": ("cosine", "relative L2"),
        "verdicts": {name: COPIES[name][0] for name in names if name in COPIES},
    }  # fmt: skip
    return Drift(**(fields | changes))


def curve_by_hand(**changes: Any) -> Curve:
    """Three levels of pruning; the middle one is the knee, the first two are the Pareto set."""
    points = (
        CurvePoint(
            "net, pruned 30 %", 0.3, 0.01, 0.008, 0.013, "preserved", 0.95, 0.0, 240_000, 560_000,
            560_000, seconds=0.004, pareto=True,
        ),
        CurvePoint(
            "net, pruned 50 %", 0.5, 0.06, 0.04, 0.08, "undetermined", 0.94, 0.1, 240_000, 400_000,
            200_000, seconds=0.004, pareto=True, knee=True,
        ),
        CurvePoint(
            "net, pruned 90 %", 0.9, 0.3, 0.25, 0.36, "changed", 0.5, 0.6, 240_000, 400_000,
            40_000, seconds=0.0035,
        ),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "reference": CurvePoint(
            "net",
            0.0,
            0.0,
            0.0,
            0.0,
            "preserved",
            0.95,
            0.0,
            120_000,
            950_000,
            950_000,
            3_000,
            0.004,
        ),
        "points": points,
        "level": "share of weights set to zero",
        "method": "GradCAM",
        "metric": "cosine",
        "noise": 0.0,
        "retraining": 0.2,
        "random": 0.8,
        "margin": 0.05,
    }
    return Curve(**(fields | changes))
