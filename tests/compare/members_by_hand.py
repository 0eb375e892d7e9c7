"""Ensembles whose every disagreement is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.results_by_hand import image_result, table_result
from workbench.core import Attribution


def member(name: str, values: Any, **changes: Any) -> Attribution:
    """One model's values `(n, f)` on the rows that all members of this file share."""
    values = np.asarray(values, dtype=float)
    fields: dict[str, Any] = {"model": name, "scale": "logit"}
    return table_result(values, **(fields | changes))


def random_members(m: int = 4, n: int = 6, p: int = 5, seed: int = 0) -> list[Attribution]:
    """Members with a common part and parts of their own."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, p))
    return [member(f"member {k}", common + 0.7 * rng.normal(size=(n, p))) for k in range(m)]


def map_members(m: int = 3, seed: int = 0) -> list[Attribution]:
    """Members with maps of 12 x 16 places over one image."""
    rng = np.random.default_rng(seed)
    common = np.linspace(-1, 2, 12 * 16).reshape(1, 12, 16)
    return [
        image_result(common + 0.5 * rng.normal(size=(1, 12, 16)), model=f"network {k}")
        for k in range(m)
    ]
