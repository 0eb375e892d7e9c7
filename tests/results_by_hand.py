"""Attributions whose every number is known, for pictures, reports and panels."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.core import Attribution, Inputs, Target
from workbench.methods import LIME, GradCAM, PermutationSHAP, TreeSHAP

HOSTILE = (
    r"$\badcmd$",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    '" onerror="alert(1)',
    "n" * 5000,
    "体温 °C",
    "a\x00b\nc",
)


def table_result(values: Any = None, names: Any = None, **changes: Any) -> Attribution:
    """Two rows of a table, exact unless `error` is given."""
    values = (
        np.array([[3.0, -2.0, 0.5], [-1.0, 0.0, 4.0]])
        if values is None
        else np.asarray(values, float)
    )
    n, f = values.shape
    features = tuple(names) if names is not None else tuple(f"column {j}" for j in range(f))
    rows = np.arange(n * f, dtype=float).reshape(n, f)
    fields: dict[str, Any] = {
        "values": values,
        "output": 10.0 + values.sum(axis=1),
        "base": np.full(n, 10.0),
        "error": None,
        "inputs": Inputs(rows, kind="tabular", features=features),
        "model": "forest",
        "method": TreeSHAP(),
        "target": Target(0),
        "explained": ("yes",) * n,
        "scale": "probability",
    }
    return Attribution(**(fields | changes))


def sampled_result() -> Attribution:
    """The same with standard errors, stopped early."""
    values = np.array([[3.0, -2.0, 0.5], [-1.0, 0.0, 4.0]])
    return table_result(values, error=np.abs(values) / 10, method=PermutationSHAP(), complete=False)


def image_result(maps: Any = None, channels: int = 3, **changes: Any) -> Attribution:
    """One image of 12 x 16 places with a map that is signed unless given."""
    maps = (
        np.linspace(-1, 2, 12 * 16).reshape(1, 12, 16) if maps is None else np.asarray(maps, float)
    )
    pixels = np.random.default_rng(0).random((1, 12, 16, channels))
    fields: dict[str, Any] = {
        "values": maps,
        "output": np.array([5.0]),
        "base": np.array([np.nan]),
        "error": None,
        "inputs": Inputs(pixels, kind="image"),
        "model": "network",
        "method": GradCAM(),
        "target": Target(0),
        "explained": ("cat",),
        "scale": "logit",
    }
    return Attribution(**(fields | changes))


def superpixel_result() -> Attribution:
    """One image with a left superpixel worth +3 and a right one worth -1."""
    players = np.zeros((1, 12, 16), dtype=int)
    players[:, :, 10:] = 1
    values = np.where(players == 0, 3.0 / 120, -1.0 / 72)
    return image_result(
        values,
        players=players,
        player_names=("superpixel 0", "superpixel 1"),
        method=LIME(),
        base=np.array([3.0]),
        error=np.abs(values) / 10,
    )
