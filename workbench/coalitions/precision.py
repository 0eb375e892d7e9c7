"""How far a mean of sampled credits may be from the truth, all players together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FEW = 6.0
"""Up to so many degrees of freedom, unequal parts may reduce them to one; above, at least two remain."""

_PRIOR = 2.0
"""A variance is shrunk toward the mean of the players' variances, which counts as so many draws."""

_ROUNDING = 1e-10
"""A variance below this share of the row's largest is nothing but rounding."""


@dataclass(frozen=True, eq=False)
class Spread:
    """How far one row's credit may be from the truth.

    Args:
        error: standard errors `(p, t)`.
        freedom: their degrees of freedom `(t,)`, for Student's t.
    """

    error: Array
    freedom: Array


def freedom_of(sums: Array, squares: Array, most: float, per: float = 1.0) -> Array:
    """Degrees of freedom `(t,)` of variances that the draws may have estimated very unequally well.

    `(sum of parts)² / sum of squared parts` is how many draws of equal weight would tell as much: where one
    rare draw decides, a variance of a thousand is known no better than one of a few. A row has the freedom
    that nine of ten of its players have.

    >>> equal, one = np.full((4, 1), 0.25), np.array([[1.0], [0.0], [0.0], [0.0]])
    >>> [freedom_of(q.sum(0, keepdims=True), (q**2).sum(0, keepdims=True), 9.0) for q in (equal, one)]
    [array([4.]), array([2.])]

    Args:
        sums: of every player's parts `(p, t)`.
        squares: of the squares of these parts `(p, t)`.
        most: the degrees of freedom if all draws were alike.
        per: degrees of freedom per draw, where means took some.
    """
    found = np.full(sums.shape[1], most)
    for target in range(len(found)):
        part, square = sums[:, target], squares[:, target]
        there = (part > _ROUNDING * part.max(initial=0.0)) & (square > 0.0)
        if there.any():
            found[target] = np.quantile(part[there] ** 2 / square[there], 0.1) * per
    least = 1.0 if most <= _FEW else 2.0
    return np.asarray(np.clip(found, least, most))


def steadied(variance: Array, freedom: float) -> Array:
    """Variances `(p, t)`, each drawn a little towards the mean of those in its row that vary at all.

    Few draws may all have missed a player's rare event, which would leave it with next to no error. What
    never varies keeps its zero.

    >>> steadied(np.array([[0.0], [2.0], [4.0]]), freedom=2.0).ravel()
    array([0. , 2.5, 3.5])
    """
    there: NDArray[np.bool_] = variance > _ROUNDING * variance.max(axis=0)
    mean = (variance * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    mixed: Array = (freedom * variance + _PRIOR * mean) / (freedom + _PRIOR)
    return np.where(there, mixed, variance)


def spread_of_mean(credit: Array, strata: NDArray[np.intp] | None) -> Spread:
    """The spread of the mean of draws `(m, p, t)`; see `within` for the strata."""
    away, most = within(credit, strata)
    size = np.abs(away).max(axis=(0, 1), initial=0.0)
    parts = (away / np.where(size > 0.0, size, 1.0)) ** 2  # squares of squares could underflow
    sums = parts.sum(axis=0)
    error = np.sqrt(steadied(sums / max(most, 1), most) / len(credit)) * size
    return Spread(
        error, freedom_of(sums, (parts**2).sum(axis=0), float(max(most, 1)), most / len(credit))
    )


def within(credit: Array, strata: NDArray[np.intp] | None) -> tuple[Array, int]:
    """Deviations `(m, p, t)` from the mean, or from each stratum's own, and their degrees of freedom.

    Args:
        credit: m independent draws `(m, p, t)`.
        strata: each draw's stratum `(m,)`, if all strata were drawn equally often.
    """
    if strata is None:
        return credit - credit.mean(axis=0), len(credit) - 1
    count = int(strata.max()) + 1
    order = np.argsort(strata, kind="stable")
    by_stratum = credit[order].reshape(count, -1, *credit.shape[1:])
    centered = by_stratum - by_stratum.mean(axis=1, keepdims=True)
    return centered.reshape(credit.shape), len(credit) - count


def relative_bound(
    credit: Array, strata: NDArray[np.intp] | None, confidence: float = 0.95
) -> Array:
    """The relative L2 error of the mean credit `(t,)` that is not exceeded with some confidence.

    The squared length of the error is a weighted sum of chi-squares, whose weights are the eigenvalues
    of the covariance; it is matched by one with the same mean and variance (Satterthwaite 1946), over a
    variance that is itself estimated: an F distribution. Zero where nothing varies.

    >>> relative_bound(np.ones((8, 3, 1)), None)
    array([0.])

    Args:
        credit: m independent draws of every player's credit `(m, p, t)`.
        strata: as in `within`.
        confidence: of a single look, 0 to 1.
    """
    from scipy.stats import f

    away, freedom = within(credit, strata)
    m, p, t = credit.shape
    if freedom < 1:  # a single draw tells nothing, except where there is nothing to draw
        return np.full(t, np.inf if p > 1 else 0.0)
    bound = np.zeros(t)
    length = np.sqrt((credit.mean(axis=0) ** 2).sum(axis=0))
    for target in range(t):
        squares, spread = squared_length(away[:, :, target])
        total = squares / freedom
        if total == 0.0:
            continue
        reach = np.sqrt(total / m * f.ppf(confidence, spread, freedom))
        bound[target] = reach / length[target] if length[target] else np.inf
    return bound


def squared_length(away: Array) -> tuple[float, float]:
    """The sum of squares of deviations `(m, p)`, and how many equal chi-squares it is like.

    The number is Satterthwaite's (1946): of the covariance's eigenvalues, as shares of their sum. Nothing
    but zeros are like one.

    >>> [round(float(one), 6) for one in squared_length(np.array([[3.0, 0.0], [0.0, 3.0]]))]
    [18.0, 2.0]
    """
    m, p = away.shape
    small = away @ away.T if m < p else away.T @ away  # the same nonzero eigenvalues
    squares = np.trace(small)
    if squares == 0.0:
        return 0.0, 1.0
    return squares, 1.0 / ((small / squares) ** 2).sum()  # of shares: squares could overflow
