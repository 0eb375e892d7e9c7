"""Evaluated coalitions into attributions: exact sums, constrained and ridge regressions."""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.precision import Spread, freedom_of
from workbench.coalitions.samplers import Coalitions, all_subsets

Array = NDArray[np.float64]

_ALONE = 1e-3
"""The least share of a residual that is left where one draw almost decides alone."""


def shapley_of_all(values: Array, p: int) -> Array:
    """Exact Shapley values `(p, t)` from the values `(2**p, t)` of every coalition, by definition.

    Player j earns `v(S + j) - v(S)`, weighted by `|S|! (p - |S| - 1)! / p!`. Coalitions are numbered
    as in `all_subsets`.

    >>> shapley_of_all(np.array([[0.0], [1.0], [2.0], [5.0]]), 2).ravel()
    array([2., 3.])
    """
    masks = all_subsets(p)
    size = masks.sum(axis=1)
    weight = np.array([factorial(s) * factorial(p - s - 1) / factorial(p) for s in range(p)])
    credit = np.empty((p, values.shape[1]))
    for j in range(p):
        without = np.flatnonzero(~masks[:, j])
        credit[j] = weight[size[without]] @ (values[without | (1 << j)] - values[without])
    return credit


def shapley_regression(
    sample: Coalitions, values: Array, full: Array, empty: Array
) -> tuple[Array, Spread | None]:
    """Shapley values `(p, t)` by weighted least squares whose sum is exactly `full - empty`.

    One factorization serves every target. The standard errors are what leaving out one draw after the
    other would change (a coalition and its complement are one draw), None when nothing was drawn. Without
    the division by one minus the leverage, residuals that a draw has pulled to itself would hide its error.

    Args:
        sample: coalitions drawn by the Shapley kernel.
        values: their values `(s, t)`.
        full: the value of the full coalition `(t,)`.
        empty: the value of the empty one `(t,)`.

    Raises:
        InputError: the coalitions do not determine the values.

    Source: Lundberg & Lee (2017), theorem 2; the constrained solution: Covert & Lee (2021), eq. 7; standard
    errors: MacKinnon & White (1985), HC3.
    """
    masks = sample.masks.astype(np.float64)
    gain = full - empty
    if masks.shape[1] == 1:
        return gain[None], None
    moment = masks.T @ (sample.weights[:, None] * (values - empty))
    inverse = sample.inverse
    ones = inverse.sum(axis=1)
    free = inverse @ moment
    credit = free - np.outer(ones, (free.sum(axis=0) - gain) / ones.sum())
    if not sample.sampled:
        return credit, None
    residual = (values - empty - masks @ credit) * sample.weights[:, None]
    drawn = sample.cluster >= 0
    projection = inverse - np.outer(ones, ones) / ones.sum()
    draws = int(sample.cluster.max()) + 1
    # A pair's score is z r + (1 - z) r'. The part along 1 vanishes under the projection: z (r - r').
    chosen = masks[drawn][::2]
    projected = chosen @ projection
    leverage = 2 * sample.weights[drawn][::2] * (projected * chosen).sum(axis=1)
    pulled = residual[drawn].reshape(draws, 2, -1)
    alone = (pulled[:, 0] - pulled[:, 1]) / np.maximum(1 - leverage, _ALONE)[:, None]
    size = np.abs(alone).max(axis=0, initial=0.0)
    size[size == 0.0] = 1.0
    parts, own = projected**2, (alone / size) ** 2  # squares of squares could underflow
    sums = parts.T @ own
    freedom = freedom_of(sums, (parts**2).T @ own**2, float(max(draws - 1, 1)))
    return credit, Spread(np.sqrt(sums) * size, freedom)


def ridge(
    design: Array, values: Array, weights: Array, penalty: float
) -> tuple[Array, Array, Spread, Array]:
    """Weighted ridge regression with a free intercept, one factorization for every target.

    The standard errors are the sandwich estimate over rows, each residual divided by one minus its row's
    leverage, since rows pull the fit to themselves (HC3). Squared and added is by how much the penalty
    shrinks each coefficient, which no residual shows. With many rows neither matters.

    Args:
        design: `(s, p)`.
        values: `(s, t)`.
        weights: `(s,)`.
        penalty: the ridge parameter on the coefficients.

    Returns:
        coefficients `(p, t)`, intercepts `(t,)`, their spread, weighted R² `(t,)`.

    Source: the sandwich: White (1980); HC3: MacKinnon & White (1985).
    """
    p, t = design.shape[1], values.shape[1]
    root = np.sqrt(weights)[:, None]
    total = weights.sum()
    middle = weights @ values / total
    target = values - middle  # large values with small differences would cancel below
    unit = np.abs(target).max(axis=0)
    unit[unit == 0.0] = 1.0
    target /= unit  # squares of very large or small scores would leave single precision
    beside = np.concatenate([target, np.ones((len(design), 1))], axis=1) * root
    gram, sums = np.zeros((p, p)), np.zeros((p, t + 1))
    parts = _blocks(len(design), p)
    for part in parts:
        rooted = design[part] * root[part]
        gram += rooted.T @ rooted  # BLAS needs less for a matrix times itself
        sums += rooted.T @ beside[part]
    center = sums[:, t] / total
    gram -= total * np.outer(center, center)
    gram.flat[:: p + 1] += penalty  # the diagonal
    # Without a penalty a player that is always the same has no slope; rounding must not give it one.
    inverse = (
        np.linalg.inv(gram) if penalty > 0.0 else np.linalg.pinv(gram, rcond=1e-10, hermitian=True)
    )
    coefficients = np.asarray(
        inverse @ sums[:, :t], np.float64
    )  # the target's weighted mean is zero
    shift = center @ coefficients
    # Standard errors keep seven digits: their own chance is a hundred times that.
    single = inverse.astype(np.float32)
    middles = (center @ inverse).astype(np.float32)
    variance, squares = np.zeros((p, t)), np.zeros((p, t))
    explained, pulled = np.zeros(t), 0.0
    variation = weights @ target**2
    usual = np.sqrt(variation / total)
    for part in parts:
        residual = target[part] + shift - design[part] @ coefficients
        residual *= root[part]
        explained += np.einsum("st,st->t", residual, residual)
        residual *= root[part]
        rows = design[part].astype(np.float32)
        scores = rows @ single
        scores -= middles
        own = weights[part] * (np.einsum("sp,sp->s", scores, rows) - scores @ center + 1.0 / total)
        pulled += float(own.sum())
        residual /= np.maximum(1.0 - own, _ALONE)[:, None]
        # A row that alone tells a coefficient has no residual: it may be off as far as values vary.
        residual[own > 1.0 - _ALONE] = (weights[part][:, None] * usual)[own > 1.0 - _ALONE]
        np.square(scores, out=scores)
        square = np.square(residual, out=residual).astype(np.float32)
        variance += scores.T @ square
        squares += np.square(scores, out=scores).T @ np.square(square, out=square)
    freedom = freedom_of(variance, squares, max(len(design) - pulled, 1.0))
    gram.flat[:: p + 1] += 1e-10 * np.trace(gram) - penalty
    bias = penalty * inverse @ np.linalg.solve(gram, sums[:, :t]) if penalty > 0.0 else 0.0
    error = np.sqrt(variance + np.square(bias)) * unit
    fit = 1 - explained / np.where(variation > 0, variation, 1.0)
    intercept = np.asarray(middle - shift * unit)
    return coefficients * unit, intercept, Spread(error, freedom), np.asarray(fit)


def _blocks(size: int, width: int) -> list[slice]:
    """Parts of so many rows that a block of doubles of that width stays in the cache."""
    step = max(64, 2**16 // width)
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]
