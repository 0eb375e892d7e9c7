"""Which few players a local linear model keeps, chosen as LIME does."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.precision import Spread
from workbench.coalitions.solvers import ridge

Array = NDArray[np.float64]

Selection = Literal["none", "auto", "forward_selection", "highest_weights", "lasso_path"]
"""How players are chosen.

- "none": all are kept;
- "forward_selection": one after the other, each time the one that explains most beside those chosen before;
- "highest_weights": those with the largest coefficients of a ridge regression (penalty 0.01) on all;
- "lasso_path": the last step of the lasso's path that has no more than so many;
- "auto": "forward_selection" up to six players, above that "highest_weights".
"""

_FEW = 6
_SMALL_PENALTY = 0.01
_NOTHING = 1e-10
"""A player whose own part is this share of its variance is a sum of those chosen before."""


def chosen_players(
    design: Array, values: Array, weights: Array, count: int, how: Selection
) -> NDArray[np.intp]:
    """The chosen players, in ascending order.

    >>> design = np.array([[1.0, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 1]])
    >>> chosen_players(design, design @ [5.0, -1.0, 0.0], np.ones(4), 1, "forward_selection")
    array([0])

    Args:
        design: `(s, p)`; its first row is the explained one, all ones.
        values: one target's values `(s,)`.
        weights: `(s,)`.
        count: at most so many players.
        how: see `Selection`.

    Source: Ribeiro, Singh & Guestrin (2016), algorithm 1, and lime's `feature_selection`.
    """
    p = design.shape[1]
    if how == "none" or count >= p:
        return np.arange(p)
    if how == "auto":
        how = "forward_selection" if count <= _FEW else "highest_weights"
    total = weights.sum()
    away = design - weights @ design / total
    gram = (away * weights[:, None]).T @ away
    moment = (away * weights[:, None]).T @ (values - weights @ values / total)
    if how == "forward_selection":
        return _forward(gram, moment, count)
    if how == "highest_weights":
        slopes = np.linalg.solve(gram + _SMALL_PENALTY * np.eye(p), moment)
        return np.sort(np.argsort(-np.abs(slopes), kind="stable")[:count])
    return _lasso(gram, moment, len(design), count)


def _forward(gram: Array, moment: Array, count: int) -> NDArray[np.intp]:
    """Each step adds the player that explains most, and takes its part out of all others."""
    left, beside = gram.copy(), moment.copy()
    whole = np.diagonal(gram)
    free = np.ones(len(gram), dtype=bool)
    for _ in range(count):
        own = np.diagonal(left)
        able = free & (own > _NOTHING * whole)
        gain = np.where(able, beside**2 / np.where(able, own, 1.0), 0.0)
        gain[~free] = -1.0
        # Of two that say the same the first is taken, whichever rounding puts ahead.
        best = int(np.argmax(gain >= gain.max() * (1.0 - _NOTHING)))
        free[best] = False
        if able[best]:
            column = left[:, best] / left[best, best]
            beside = beside - column * beside[best]
            left = left - np.outer(column, left[best])
    return np.flatnonzero(~free)


def _lasso(gram: Array, moment: Array, size: int, count: int) -> NDArray[np.intp]:
    from sklearn.linear_model import lars_path_gram

    _, _, path = lars_path_gram(Xy=moment, Gram=gram, n_samples=size, method="lasso")
    chosen = np.arange(len(gram))
    for step in range(path.shape[1] - 1, 0, -1):
        chosen = np.flatnonzero(path[:, step])
        if len(chosen) <= count:
            break
    return chosen


def sparse_ridge(
    design: Array, values: Array, weights: Array, penalty: float, count: int, how: Selection
) -> tuple[Array, Array, Spread, Array]:
    """Like `ridge`, on the players that are chosen for each target; the others have 0.

    The standard errors are those of a regression on the kept players, as if they had been fixed before.

    Args:
        design: `(s, p)`.
        values: `(s, t)`.
        weights: `(s,)`.
        penalty: the ridge parameter on the coefficients.
        count: at most so many players.
        how: see `Selection`.
    """
    p, t = design.shape[1], values.shape[1]
    slopes, error = np.zeros((p, t)), np.zeros((p, t))
    middle, freedom, fit = np.zeros(t), np.full(t, np.inf), np.zeros(t)
    for target in range(t):
        one = values[:, target : target + 1]
        kept = chosen_players(design, one[:, 0], weights, count, how)
        found, start, spread, explained = ridge(
            np.ascontiguousarray(design[:, kept]), one, weights, penalty
        )
        slopes[kept, target], error[kept, target] = found[:, 0], spread.error[:, 0]
        middle[target], freedom[target], fit[target] = start[0], spread.freedom[0], explained[0]
    return slopes, middle, Spread(error, freedom), fit
