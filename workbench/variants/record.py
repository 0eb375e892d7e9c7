"""The record that every copy carries, and the rows on which it was tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import GradientCheck, Inputs, Model, Size, Variant
from workbench.errors import InputError
from workbench.models.probes import probed

TRIED = 32
"""Rows on which a copy is held against its original; enough to see a change, few enough to be quick."""

_FREE = 64  # pixels for a free height or width, where no rows were given


def recorded(
    copy: Model,
    original: Model,
    *,
    recipe: str,
    description: str,
    runs_as: str,
    touched: int,
    layers: int,
    rows: Inputs | None = None,
    size: Size | None = None,
    original_size: Size | None = None,
    explained_as: str = "itself",
    gradient: GradientCheck | None = None,
    twin_gap: float | None = None,
    notes: tuple[str, ...] = (),
) -> Model:
    """The copy with its record, its lineage and its warnings among the notes.

    Both models are asked for the scores of up to `TRIED` rows, and the copy for a few of them among other
    neighbors: so a copy that changed nothing, and one whose scores depend on the neighbors, are found here.

    Args:
        rows: to try both on; rows of noise in the model's shape when left out.
    """
    tried = rows_to_try(original, rows)
    change = batch_gap = None
    if tried is not None:
        change = float(np.abs(copy.scores(tried) - original.scores(tried)).max())
        batch_gap = probed(copy, tried).batch_gap
    variant = Variant(
        of=original.name,
        recipe=recipe,
        description=description,
        runs_as=runs_as,
        explained_as=explained_as,
        size=size,
        original_size=original_size,
        touched=touched,
        layers=layers,
        change=change,
        gradient=gradient,
        twin_gap=twin_gap,
        batch_gap=batch_gap,
        notes=notes,
    )
    lineage = (*original.lineage, f"{recipe}: {description}")
    return replace(copy, variant=variant, lineage=lineage, notes=(*copy.notes, *notes))


def rows_to_try(model: Model, rows: Inputs | None) -> NDArray[Any] | None:
    """Up to `TRIED` rows `(n, *f)`: those given, or noise in the model's shape, or None without either.

    Raises:
        InputError: no row was given.
    """
    if rows is not None:
        if not len(rows):
            raise InputError(
                f"Rows to try {model.name!r} on are needed, but {rows.name!r} has none."
            )
        return np.asarray(rows.values[:TRIED])
    if not model.shape:
        return None
    shape = tuple(_FREE if length is None else length for length in model.shape)
    noise = np.random.default_rng(0)
    if model.kind == "image":
        return noise.uniform(0.0, 1.0, (TRIED, *shape))
    return noise.normal(size=(TRIED, *shape))
