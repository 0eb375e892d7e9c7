"""Evaluated coalitions into attributions: exact sums, constrained and ridge regressions."""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.samplers import Coalitions, all_subsets

Array = NDArray[np.float64]


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
) -> tuple[Array, Array | None]:
    """Shapley values `(p, t)` by weighted least squares whose sum is exactly `full - empty`.

    One factorization serves every target. The standard errors are the sandwich estimate over
    independent draws (a coalition and its complement are one draw), None when nothing was drawn.

    Args:
        sample: coalitions drawn by the Shapley kernel.
        values: their values `(s, t)`.
        full: the value of the full coalition `(t,)`.
        empty: the value of the empty one `(t,)`.

    Raises:
        InputError: the coalitions do not determine the values.

    Source: Lundberg & Lee (2017), theorem 2; the constrained solution: Covert & Lee (2021), eq. 7.
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
    # A pair's score is z r + (1 - z) r'; the part along 1 vanishes under the projection.
    pairs = masks[drawn].reshape(draws, 2, -1, 1) * residual[drawn].reshape(draws, 2, 1, -1)
    score = pairs.sum(axis=1)
    score -= score.mean(axis=0)
    spread = np.einsum("jk,mkt->mjt", projection, score)
    freedom = max(draws - (masks.shape[1] - 1), 1)
    return credit, np.sqrt((spread**2).sum(axis=0) * draws / freedom)


def ridge(
    design: Array, values: Array, weights: Array, penalty: float
) -> tuple[Array, Array, Array, Array]:
    """Weighted ridge regression with a free intercept, one factorization for every target.

    Args:
        design: `(s, p)`.
        values: `(s, t)`.
        weights: `(s,)`.
        penalty: the ridge parameter on the coefficients.

    Returns:
        coefficients `(p, t)`, intercepts `(t,)`, sandwich standard errors `(p, t)`, weighted R² `(t,)`.
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
    variance, explained = np.zeros((p, t)), np.zeros(t)
    for part in parts:
        residual = target[part] + shift - design[part] @ coefficients
        residual *= root[part]
        explained += np.einsum("st,st->t", residual, residual)
        residual *= root[part]
        scores = design[part].astype(np.float32) @ single
        scores -= middles
        np.square(scores, out=scores)
        variance += scores.T @ np.square(residual, out=residual).astype(np.float32)
    variation = weights @ target**2
    fit = 1 - explained / np.where(variation > 0, variation, 1.0)
    intercept = np.asarray(middle - shift * unit)
    return coefficients * unit, intercept, np.sqrt(variance) * unit, np.asarray(fit)


def _blocks(size: int, width: int) -> list[slice]:
    """Parts of so many rows that a block of doubles of that width stays in the cache."""
    step = max(64, 2**16 // width)
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]
