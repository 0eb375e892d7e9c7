"""How explanations of the same rows differ, formula by formula, all rows at once.

Two explanations `a`, `b` are `(n, p)`, or `(n, h, w)` where places matter; `similarities` compares all
pairs of many. Where a row is zero in both explanations, they agree. Where it is zero in only one, they have
nothing in common.

Formulas that rank or pick the largest use `snapped` values, so that there is one rule for ties.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOP = 5
TIES = 1e-6
"""Values closer than this share of the row's largest are ties: in float32 they differ only by chance."""


def cosine(a: Array, b: Array) -> Array:
    """Cosine of the angle between rows `(n,)`: 1 where both are zero, 0 where one is.

    >>> one, other = np.array([[[3.0, 0.0], [1.0, 1.0], [0.0, 0.0]], [[5.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    >>> cosine(one, other)
    array([1., 0., 1.])
    """
    # Divided by the largest first: squares of tiny numbers would vanish.
    a, b = a / _or_one(_size(a)), b / _or_one(_size(b))
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both = ~a.any(axis=1) & ~b.any(axis=1)
    product = np.einsum("np,np->n", a, b) / np.where(sizes > 0, sizes, 1.0)
    return np.asarray(np.clip(product, -1.0, 1.0) + both)


def spearman(a: Array, b: Array) -> Array:
    """Pearson's correlation of the ranks `(n,)`, ties at their mean rank; 1 or 0 where all ranks are ties.

    >>> spearman(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]]))
    array([0.5])
    """
    return cosine(_centered_ranks(a), _centered_ranks(b))


def kendall(a: Array, b: Array) -> Array:
    """Tau-b `(n,)`: pairs in the same order less those in the other, over the pairs that are no ties.

    Source: Kendall (1945), "The treatment of ties in ranking problems".

    >>> kendall(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])).round(3)
    array([0.333])
    """
    # One row at a time: with many players the pairs of all rows together would not fit.
    rows = [
        cosine(_orders(x[None]), _orders(y[None]))
        for x, y in zip(snapped(a), snapped(b), strict=True)
    ]
    return np.concatenate(rows) if rows else np.zeros(0)


def largest(rows: Array, k: int) -> NDArray[np.intp]:
    """Positions of each row's k largest sizes `(..., k)`, largest first, the first of ties first.

    >>> largest(np.array([[1.0, -3.0, 2.0]]), 2)
    array([[1, 2]])
    """
    return np.argsort(-np.abs(snapped(rows)), axis=-1, kind="stable")[..., :k]


def feature_agreement(a: Array, b: Array) -> Array:
    """The overlap of the five largest by size `(n,)`, of all players where there are fewer."""
    return np.asarray((_members(a) & _members(b)).sum(axis=1) / _k(a))


def sign_agreement(a: Array, b: Array) -> Array:
    """The share of the five largest that both have with the same sign `(n,)`."""
    shared = _members(a) & _members(b) & (np.sign(snapped(a)) == np.sign(snapped(b)))
    return np.asarray(shared.sum(axis=1) / _k(a))


def rank_agreement(a: Array, b: Array) -> Array:
    """The share of the five largest that have the same place in both `(n,)`."""
    return np.asarray((_tops(a) == _tops(b)).mean(axis=1))


def signed_rank_agreement(a: Array, b: Array) -> Array:
    """The share of the five largest that have the same place and the same sign `(n,)`."""
    top_a, top_b = _tops(a), _tops(b)
    sign_a = np.take_along_axis(np.sign(snapped(a)), top_a, axis=1)
    sign_b = np.take_along_axis(np.sign(snapped(b)), top_b, axis=1)
    return np.asarray(((top_a == top_b) & (sign_a == sign_b)).mean(axis=1))


def jaccard(a: Array, b: Array) -> Array:
    """How many of the five largest both have, over how many either has `(n,)`."""
    both = (_members(a) & _members(b)).sum(axis=1)
    return np.asarray(both / (2 * _k(a) - both))


def distance(a: Array, b: Array) -> Array:
    """The length of the difference over the longer of the two `(n,)`, 0 to 2; 1 where one is zero.

    >>> distance(np.array([[3.0, 4.0]]), np.array([[3.0, 0.0]]))
    array([0.8])
    """
    largest_ = np.maximum(_size(a), _size(b))
    a, b = a / _or_one(largest_), b / _or_one(largest_)
    longer = np.maximum(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    return np.asarray(np.linalg.norm(a - b, axis=1) / np.where(longer > 0, longer, 1.0))


def scale(a: Array, b: Array) -> Array:
    """1 less the shorter length over the longer `(n,)`: 1 - exp(-|log of the ratio|), 0 to 1.

    >>> scale(np.array([[3.0, 4.0]]), np.array([[0.0, 4.0]]))
    array([0.2])
    """
    largest_ = np.maximum(_size(a), _size(b))
    lengths = np.stack([np.linalg.norm(x / _or_one(largest_), axis=1) for x in (a, b)])
    longer = lengths.max(axis=0)
    return np.asarray(np.where(longer > 0, 1 - lengths.min(axis=0) / _or_one(longer)[:, 0], 0.0))


def top_places(a: Array, b: Array) -> Array:
    """Intersection over union of the 5 % of places largest by size `(n,)`; places of no size never count.

    1 where both are empty.
    """
    k = -(-a.shape[1] // 20)
    first, second = (_marked(rows, k) & (snapped(rows) != 0) for rows in (a, b))
    either, both = (first | second).sum(axis=1), (first & second).sum(axis=1)
    return np.where(either > 0, both / np.where(either > 0, either, 1), 1.0)


def ssim(a: Array, b: Array) -> Array:
    """Structural similarity of maps `(n, h, w)`, each divided by its own largest size `(n,)`.

    Windows of 7 x 7 places (the largest odd size that fits in smaller maps); the range of values is 1 where
    both maps are nowhere negative, else 2.

    Source: Wang et al. (2004), "Image quality assessment"; computed by scikit-image.
    """
    from skimage.metrics import structural_similarity

    side = min(7, *a.shape[1:])
    window = side - 1 + side % 2
    found = np.zeros(len(a))
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        sizes = np.abs(x).max(), np.abs(y).max()
        if not all(sizes):
            found[i] = float(not any(sizes))
            continue
        x, y = x / sizes[0], y / sizes[1]
        span = 2.0 if min(x.min(), y.min()) < 0 else 1.0
        found[i] = structural_similarity(x, y, data_range=span, win_size=window)
    return found


def earth_mover(a: Array, b: Array) -> Array:
    """How far the positive part of maps `(n, h, w)` must be carried, in pixels `(n,)`.

    The totals per line and per column are each moved along their axis, and the two distances added: a lower
    bound of the city-block distance in the plane. Where only one map is nowhere positive it is h + w - 2,
    the longest possible way; where both are, 0.

    Source: Rubner, Tomasi & Guibas (2000), "The earth mover's distance as a metric for image retrieval".
    **Differs:** marginals instead of the plane.

    >>> left, right = np.zeros((2, 1, 3, 5))
    >>> left[0, 0, 0], right[0, 2, 4] = 2.0, 7.0
    >>> earth_mover(left, right)
    array([6.])
    """
    masses = []
    empty = []
    for maps in (a, b):
        positive = np.maximum(maps, 0.0)
        positive = positive / _or_one(positive.max(axis=(1, 2)))[:, :, None]
        total = positive.sum(axis=(1, 2))
        empty.append(total == 0)
        masses.append(positive / _or_one(total)[:, :, None])
    moved = sum(
        np.abs(np.cumsum(masses[0].sum(axis=axis) - masses[1].sum(axis=axis), axis=1)).sum(axis=1)
        for axis in (1, 2)
    )
    far = float(a.shape[1] + a.shape[2] - 2)
    return np.where(empty[0] & empty[1], 0.0, np.where(empty[0] | empty[1], far, moved))


def similarities(credit: Array, metric: str) -> Array:
    """The similarity of every pair of members, row by row.

    `cosine`: of the values, so signs and sizes count. `spearman`, `kendall`: as above, of every pair.
    `top5`, `top tenth`: the overlap of the players with the largest sizes. Where a member
    distinguishes no players (all zeros for cosine, all the same for ranks), it agrees fully with another
    such member and not at all with the rest.

    Args:
        credit: `(m, n, p)`.
        metric: a key of `SIMILARITIES`.

    Returns:
        `(n, m, m)`, symmetric; 1 is agreement, -1 (overlaps: 0) the opposite.

    Example:
        >>> two = np.array([[[3.0, 2.0, 1.0]], [[3.0, 1.0, 2.0]]])
        >>> similarities(two, "kendall")[0].round(3)
        array([[1.   , 0.333],
               [0.333, 1.   ]])
    """
    return SIMILARITIES[metric](np.moveaxis(credit, 0, 1))


def _cosines(rows: Array) -> Array:
    """`cosine` of all pairs of vectors `(n, m, p)`."""
    scaled = rows / _or_one(_size(rows))
    size = np.linalg.norm(scaled, axis=-1, keepdims=True)
    unit = scaled / np.where(size > 0, size, 1.0)
    nothing = size[..., 0] == 0
    both = nothing[:, :, None] & nothing[:, None, :]
    return np.asarray(np.clip(unit @ np.swapaxes(unit, 1, 2), -1.0, 1.0) + both)


def _kendalls(rows: Array) -> Array:
    # One row at a time, as in `kendall`.
    return np.stack([_cosines(_orders(row)[None])[0] for row in snapped(rows)])


def _overlaps(rows: Array, k: int) -> Array:
    top = _marked(rows, k).astype(np.float64)
    return np.asarray(top @ np.swapaxes(top, 1, 2) / k)


SIMILARITIES: dict[str, Callable[[Array], Array]] = {
    "cosine": _cosines,
    "spearman": lambda rows: _cosines(_centered_ranks(rows)),
    "kendall": _kendalls,
    f"top{TOP}": lambda rows: _overlaps(rows, _k(rows)),
    "top tenth": lambda rows: _overlaps(rows, max(1, rows.shape[-1] // 10)),
}


def snapped(rows: Array) -> Array:
    """Rows `(..., p)` in steps of `TIES` times their largest size, so that rounding makes no order."""
    return np.asarray(np.round(rows / _or_one(_size(rows)) / TIES))


def _size(rows: Array) -> Array:
    """Each row's largest size `(...,)`; 0 for an empty row."""
    return np.asarray(np.abs(rows).max(axis=-1, initial=0.0))


def _or_one(sizes: Array) -> Array:
    return np.where(sizes > 0, sizes, 1.0)[..., None]


def _centered_ranks(rows: Array) -> Array:
    """Ranks less their mean `(..., p)`, ties at their mean rank."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(snapped(rows), axis=-1) - (rows.shape[-1] + 1) / 2)


def _orders(rows: Array) -> Array:
    """For each pair of players of snapped rows `(m, p)`, which is larger: 1, -1, or 0 for ties."""
    first, second = np.triu_indices(rows.shape[-1], k=1)
    return np.asarray(np.sign(rows[:, first] - rows[:, second]))


def _k(rows: Array) -> int:
    return min(TOP, int(rows.shape[-1]))


def _tops(rows: Array) -> NDArray[np.intp]:
    return largest(rows, _k(rows))


def _members(rows: Array) -> NDArray[np.bool_]:
    """Which players are among the five largest `(..., p)`."""
    return _marked(rows, _k(rows))


def _marked(rows: Array, k: int) -> NDArray[np.bool_]:
    marked = np.zeros(rows.shape, dtype=bool)
    np.put_along_axis(marked, largest(rows, k), True, axis=-1)
    return marked
