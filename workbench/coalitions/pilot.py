"""A pilot: from few pairs of permutations, how many a tolerance will take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.precision import squared_length, within
from workbench.coalitions.samplers import Permutations

Array = NDArray[np.float64]

_LEAST_LENGTH = 0.05
"""Of the squared length seen, at least so much is taken as the credit's own and not as noise."""


def paired(walk: Permutations, fills: int) -> tuple[Permutations, NDArray[np.intp]]:
    """The same permutations, two and two over one fill, so that the variance within a fill can be told.

    Args:
        walk: an even number of pairs.
        fills: how many there are; they are taken at equal distances.

    Returns:
        The permutations and the fills that they use.
    """
    count = min(len(walk.rank) // 2, fills)
    used = np.unique(np.linspace(0, fills - 1, count).round().astype(np.intp))
    which = np.tile(used, -(-len(walk.rank) // len(used)))[: len(walk.rank)]
    return Permutations(walk.rank, which, walk.seed), used


def pairs_needed(credit: Array, which: NDArray[np.intp], wanted: float, confidence: float) -> Array:
    """How many pairs `(t,)` a relative L2 error with some confidence will take, to a factor of about two.

    `coalitions.precision.relative_bound`, solved for the number of pairs; the length of the credit is
    freed from the noise of few pairs.

    >>> pairs_needed(np.ones((4, 3, 1)), np.array([0, 1, 0, 1]), 0.05, 0.99)
    array([0.])

    Args:
        credit: of m pairs `(m, p, t)`.
        which: each pair's fill `(m,)`.
        wanted: the relative error.
        confidence: of a single look, 0 to 1.
    """
    from scipy.stats import chi2

    _, strata, often = np.unique(which, return_inverse=True, return_counts=True)
    alike = len(set(often)) == 1 and often[0] > 1
    away, freedom = within(credit, strata if alike else None)
    every, most = within(credit, None)
    needed = np.zeros(credit.shape[2])
    for target in range(len(needed)):
        squares, spread = squared_length(away[:, :, target])
        if squares == 0.0:
            continue
        noise = (every[:, :, target] ** 2).sum() / most / len(credit)
        seen = (credit[:, :, target].mean(axis=0) ** 2).sum()
        length = max(seen - noise, _LEAST_LENGTH * seen)
        reach = chi2.ppf(confidence, spread) / spread
        variance = squares / freedom
        needed[target] = variance * reach / (wanted**2 * length) if length else np.inf
    return needed
