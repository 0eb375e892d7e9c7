"""Gradients averaged along straight lines from a fill to a row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workbench.core import Model

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
