"""The record that every copy carries: what was done, what changed, and what it can no longer explain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import GradientCheck, Inputs, Model, Size, Variant
from workbench.errors import ModelError
from workbench.models.asking import probed, steady_batches
from workbench.models.torch import check_gradient
from workbench.variants.record.sizes import size_of
from workbench.variants.record.trying import TRIED, rows_to_try

__all__ = ["TRIED", "recorded", "rows_to_try"]

_NOT_TRIED = (
    "The copy was not compared with the original, because there were no rows of its size. "
    "Give rows=inputs."
)


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

    Both models score up to `TRIED` rows, and the copy also scores a few of them among other neighbors. This
    finds a copy that changed nothing, and one whose scores depend on the neighbors. Sizes not given are
    measured. The gradient is checked too: where it is wrong, gradient methods are not offered, and
    `Model.absent` says why.

    Args:
        rows: to try both models on; rows of noise in the model's shape when left out.
    """
    change = batch_gap = None
    # With timed batch sizes, two models with the same weights would differ by rounding, and a copy that
    # changed nothing would look changed.
    with steady_batches():
        tried, expected = _tried(original, rows)
        if tried is not None:
            change = float(np.abs(copy.scores(tried) - expected).max())
            found = probed(copy, tried)
            batch_gap = found.batch_gap
            notes = (*notes, *replace(found, batch_gap=0.0).faults)
            if gradient is None and copy.gradient is not None:
                gradient = check_gradient(copy, tried)
    if tried is None:
        notes = (*notes, _NOT_TRIED)
    if original_size is None:
        original_size = _known_size(original, rows)
    variant = Variant(
        of=original.name,
        recipe=recipe,
        description=description,
        runs_as=runs_as,
        explained_as=explained_as,
        size=size if size is not None else _measured(copy, rows, original_size),
        original_size=original_size,
        touched=touched,
        layers=layers,
        change=change,
        gradient=gradient,
        twin_gap=twin_gap,
        batch_gap=batch_gap,
        notes=notes,
    )
    if gradient is not None and not gradient.ok:
        copy = _without_gradient(copy, gradient.detail)
    lineage = (*original.lineage, f"{recipe}: {description}")
    all_notes = tuple(dict.fromkeys((*copy.notes, *notes, *variant.warnings)))
    return replace(copy, variant=variant, lineage=lineage, notes=all_notes)


def _without_gradient(copy: Model, reason: str) -> Model:
    """The copy without capabilities that need gradients; its layers' outputs can still be seen."""
    lost = [name for name in ("gradient", "activations") if getattr(copy, name) is not None]
    absent = dict.fromkeys(lost, f"Its gradient is not used: {reason}")
    return replace(
        copy, gradient=None, activations=None, deep_lift=None, absent={**copy.absent, **absent}
    )


def _measured(copy: Model, rows: Inputs | None, original: Size | None) -> Size | None:
    """The copy's size; where its operations cannot be seen and it has as many weights as the original, it
    counts as many multiplications."""
    size = size_of(copy, rows)
    if size is None or original is None or size.macs is not None:
        return size
    return replace(size, macs=original.macs) if size.parameters == original.parameters else size


def _known_size(original: Model, rows: Inputs | None) -> Size | None:
    """The size of a copy, measured when it was made; for an original, the size is measured now."""
    if original.variant is not None and original.variant.size is not None:
        return original.variant.size
    return size_of(original, rows)


def _tried(original: Model, rows: Inputs | None) -> tuple[NDArray[Any] | None, NDArray[np.float64]]:
    """Rows and the original's scores of them; none where the model does not accept the noise's size."""
    nothing = np.zeros((0, len(original.outputs)))
    tried = rows_to_try(original, rows)
    if tried is None:
        return None, nothing
    try:
        return tried, original.scores(tried)
    except ModelError:
        if rows is not None or None not in original.shape:
            raise
        return None, nothing
