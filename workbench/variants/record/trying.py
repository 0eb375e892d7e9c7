"""The rows on which a copy is compared with its original."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, kinds, other_codes
from workbench.errors import InputError

TRIED = 32
"""Rows on which a copy is compared; enough to see a change, few enough to be quick."""

_FREE = 64  # pixels for a free height or width, where no rows were given


def rows_to_try(model: Model, rows: Inputs | None) -> NDArray[Any] | None:
    """Up to `TRIED` rows `(n, *f)`: the given ones, else noise in the model's shape, or None if unknown.

    Raises:
        InputError: no row was given, or its numbers stand for other labels.
    """
    if rows is not None:
        if not len(rows):
            raise InputError(
                f"Rows to try {model.name!r} on are needed, but {rows.name!r} has none."
            )
        if other := other_codes(model.categories, rows.categories, rows.features):
            raise InputError(
                f"Rows to try {model.name!r} on must mean what it reads, but {other}. Read them with "
                "data.table(frame, like=...), like the rows it was wrapped for."
            )
        return np.asarray(rows.values[:TRIED])
    if not model.shape:
        return None
    shape = tuple(_FREE if length is None else length for length in model.shape)
    rng, shape = np.random.default_rng(0), (TRIED, *shape)
    return rng.normal(size=shape) if model.kind is None else kinds.of(model.kind).noise(rng, shape)
