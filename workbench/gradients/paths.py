"""Gradients averaged along straight lines from a fill to a row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model

Array = NDArray[np.float64]


def line_gradients(
    model: Model,
    row: NDArray[np.floating],
    fills: NDArray[np.floating],
    which: NDArray[np.intp],
    places: Array,
    weights: Array,
) -> Iterator[tuple[slice, Array]]:
    """Gradients `(t, m, *f)` at points between fills and a row, m points at a time.

    Point s lies between its fill `fills[which[s]]` and the row, at the share `places[s]` of the way. Memory
    depends on the model's batch size, not on the number of points; all targets share one forward pass.

    Args:
        model: a model with the `gradient` capability.
        row: the explained row `(*f)`.
        fills: the starts of the lines `(b, *f)`.
        which: each line's fill `(s,)`.
        places: how far along each line `(s,)`, from 0 to 1.
        weights: the targets' weights over the outputs `(t, k)`.
    """
    count = len(places)
    along = places.reshape(-1, *(1,) * row.ndim)
    for begin in range(0, count, model.batch):
        part = slice(begin, min(begin + model.batch, count))
        start = fills[which[part]]
        points = (start + along[part] * (row - start)).astype(row.dtype)
        repeated = np.repeat(weights[:, None], part.stop - begin, axis=1)
        _, gradients = model.gradient(points, repeated)  # type: ignore[misc]
        del start, points, repeated  # frees memory: the next batch is made while this one is in use
        yield part, np.asarray(gradients, dtype=np.float64)
        del gradients


def distance(row: NDArray[np.floating], fills: NDArray[np.floating]) -> NDArray[np.floating]:
    """How far a row is from each fill `(b, *f)`; 0 where both are missing: the line stands still."""
    return np.where(np.isnan(row) & np.isnan(fills), 0.0, row - fills)


def no_line(inputs: Inputs, fills: NDArray[np.floating]) -> str | None:
    """Why there is no line from these fills `(b, f)` to every row, as the rest of a sentence, or None.

    Between a number and a missing value there is nothing to pass through, and infinity is endlessly far.
    Where both ends are missing the line stands still.

    Args:
        inputs: the rows.
        fills: where the lines begin.
    """
    rows = inputs.values
    if not inputs.of_kind.columns or (np.isfinite(rows).all() and np.isfinite(fills).all()):
        return None
    away, start_away = np.isnan(rows), np.isnan(fills)
    broken = np.isinf(rows) | np.isinf(fills).any(axis=0)
    broken |= away & ~start_away.all(axis=0) | ~away & start_away.any(axis=0)
    return _said(
        inputs, broken, "goes along lines, but between a number and a missing value (or infinity)"
    )


def no_slope(inputs: Inputs) -> str | None:
    """Why some rows have no slope in every column, as the rest of a sentence, or None."""
    if not inputs.of_kind.columns:
        return None
    broken = ~np.isfinite(inputs.values)
    return _said(inputs, broken, "needs the slope at a value, but at a missing (or infinite) one")


def _said(inputs: Inputs, broken: NDArray[np.bool_], why: str) -> str | None:
    if not broken.any():
        return None
    rows = np.flatnonzero(broken.any(axis=1)).tolist()
    columns = [inputs.features[j] for j in np.flatnonzero(broken.any(axis=0))]
    named = ", ".join(map(repr, columns[:5])) + f" and {len(columns) - 5} more" * (len(columns) > 5)
    return (
        f"{why} there is none: rows {inputs.some_ids(rows)}, columns {named}. Leave these rows out, or use "
        "KernelSHAP or PermutationSHAP, which take missing values as values."
    )
