"""The record that every copy carries, and the rows on which it was tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import GradientCheck, Inputs, Model, Size, Variant
from workbench.errors import InputError

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

    Both models are asked for the scores of up to `TRIED` rows, and the copy for one of them alone: so a
    copy that changed nothing, and one whose scores depend on the neighbours, are found here.

    Args:
        rows: to try both on; rows of noise in the model's shape when left out.
    """
    tried = rows_to_try(original, rows)
    change = batch_gap = None
    if tried is not None:
        scores = copy.scores(tried)
        change = float(np.abs(scores - original.scores(tried)).max())
        batch_gap = _batch_gap(copy, tried, scores)
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


def _batch_gap(copy: Model, rows: NDArray[Any], scores: NDArray[np.float64]) -> float:
    """How far a row's scores alone are from its scores among the others.

    Kernels for other batch sizes add in another order, so differences of a few units in the last place of
    single precision are none.
    """
    alone = np.concatenate([copy.scores(rows[i : i + 1]) for i in range(min(4, len(rows)))])
    gap = float(np.abs(alone - scores[: len(alone)]).max())
    return gap if gap > 1e-5 * max(1.0, float(np.abs(scores).max())) else 0.0
