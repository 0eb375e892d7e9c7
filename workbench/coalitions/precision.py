"""How far a mean of sampled credits may be from the truth, all players together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
        one = away[:, :, target]
        small = one @ one.T if m < one.shape[1] else one.T @ one  # the same nonzero eigenvalues
        total = np.trace(small) / freedom
        if total == 0.0:
            continue
        spread = 1.0 / ((small / np.trace(small)) ** 2).sum()  # of shares: squares could overflow
        reach = np.sqrt(total / m * f.ppf(confidence, spread, freedom))
        bound[target] = reach / length[target] if length[target] else np.inf
    return bound
