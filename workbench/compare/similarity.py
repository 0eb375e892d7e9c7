"""How alike members' credits are, all pairs of members at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from workbench.compare.row_formulas import TOP

Array = NDArray[np.float64]


def similarities(credit: Array, metric: str) -> Array:
    """Every member beside every other, row by row.

    `cosine`: of the values, so signs and sizes count. `spearman`: Pearson's correlation of the ranks, ties
    at their mean rank. `kendall`: tau-b, pairs of players in the same order less pairs in the other, over
    the geometric mean of the pairs that are no ties. `top5`, `top tenth`: the overlap of the players with
    the largest sizes. Where a member tells nothing apart (all zeros for cosine, all the same for ranks),
    it agrees fully with another such member and not at all with the rest.

    Args:
        credit: `(m, n, p)`.
        metric: a key of `METRICS`.

    Returns:
        `(n, m, m)`, symmetric; 1 is agreement, -1 (overlaps: 0) the opposite.

    Source: Kendall (1945), "The treatment of ties in ranking problems", for tau-b.

    Example:
        >>> two = np.array([[[3.0, 2.0, 1.0]], [[3.0, 1.0, 2.0]]])
        >>> similarities(two, "kendall")[0].round(3)
        array([[1.   , 0.333],
               [0.333, 1.   ]])
    """
    return METRICS[metric](np.moveaxis(credit, 0, 1))


def _cosine(rows: Array) -> Array:
    """Of vectors `(n, m, p)`."""
    # Divided by the largest first: squares of tiny numbers would vanish.
    largest = np.abs(rows).max(axis=-1, keepdims=True, initial=0.0)
    scaled = rows / np.where(largest > 0, largest, 1.0)
    size = np.linalg.norm(scaled, axis=-1, keepdims=True)
    unit = scaled / np.where(size > 0, size, 1.0)
    nothing = largest[..., 0] == 0
    both = nothing[:, :, None] & nothing[:, None, :]
    return np.asarray(np.clip(unit @ np.swapaxes(unit, 1, 2), -1.0, 1.0) + both)


def _spearman(rows: Array) -> Array:
    from scipy.stats import rankdata

    ranks = rankdata(rows, axis=-1)
    return _cosine(ranks - (rows.shape[-1] + 1) / 2)  # ranks' mean, exactly


def _kendall(rows: Array) -> Array:
    first, second = np.triu_indices(rows.shape[-1], k=1)
    # One row at a time: with many players the pairs of all rows together would not fit.
    return np.stack([_cosine(np.sign(row[:, first] - row[:, second])[None])[0] for row in rows])


def _overlap(rows: Array, k: int) -> Array:
    order = np.argsort(-np.abs(rows), axis=-1, kind="stable")[..., :k]
    top = np.zeros(rows.shape)
    np.put_along_axis(top, order, 1.0, axis=-1)
    return np.asarray(top @ np.swapaxes(top, 1, 2) / k)


def _top(rows: Array) -> Array:
    return _overlap(rows, min(TOP, rows.shape[-1]))


def _tenth(rows: Array) -> Array:
    return _overlap(rows, max(1, rows.shape[-1] // 10))


METRICS: dict[str, Callable[[Array], Array]] = {
    "cosine": _cosine,
    "spearman": _spearman,
    "kendall": _kendall,
    f"top{TOP}": _top,
    "top tenth": _tenth,
}
