"""The rows on which a copy is compared with its original."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, kinds, other_codes
from workbench.errors import InputError, WorkbenchError
from workbench.models.answer import row_like

TRIED = 32
"""Rows on which a copy is compared; enough to see a change, few enough to be quick."""

_FREE = 64  # pixels for a free height or width, where no rows were given


def rows_to_try(model: Model, rows: Inputs | None) -> NDArray[Any] | None:
    """Up to `TRIED` rows `(n, *f)` on which a model and its copies are tried, or None where none are known.

    They are the given ones; else those that the model was wrapped for. Only where the user gave neither,
    they are noise in the model's shape, if the model answers it with numbers: token ids, lengths, codes
    from 1 and logarithms do not go with noise.

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
    like = row_like(model)
    if like is not None and len(like):
        return np.asarray(like.values[:TRIED])
    return None if not model.shape else _accepted(model, _noise(model))


def _noise(model: Model) -> NDArray[Any]:
    shape = tuple(_FREE if length is None else length for length in model.shape)
    rng, shape = np.random.default_rng(0), (TRIED, *shape)
    return rng.normal(size=shape) if model.kind is None else kinds.of(model.kind).noise(rng, shape)


def _accepted(model: Model, noise: NDArray[Any]) -> NDArray[Any] | None:
    """The noise, or None where it is no row of the model: it fails, or its scores are not finite."""
    try:
        model.scores(noise)
    except WorkbenchError:
        return None
    return noise
