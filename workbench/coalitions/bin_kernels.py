"""LIME's perturbed cells, compiled: one uniform number becomes a bin and a value in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.compiling import compiled

Array = NDArray[np.float64]

# Wichura (1988), algorithm AS 241 (PPND16): three rational functions, accurate to 16 digits.
_MIDDLE = np.array(
    [
        [3.3871328727963666080e0, 1.0],
        [1.3314166789178437745e2, 4.2313330701600911252e1],
        [1.9715909503065514427e3, 6.8718700749205790830e2],
        [1.3731693765509461125e4, 5.3941960214247511077e3],
        [4.5921953931549871457e4, 2.1213794301586595867e4],
        [6.7265770927008700853e4, 3.9307895800092710610e4],
        [3.3430575583588128105e4, 2.8729085735721942674e4],
        [2.5090809287301226727e3, 5.2264952788528545610e3],
    ]
)
_NEAR = np.array(
    [
        [1.42343711074968357734e0, 1.0],
        [4.63033784615654529590e0, 2.05319162663775882187e0],
        [5.76949722146069140550e0, 1.67638483018380384940e0],
        [3.64784832476320460504e0, 6.89767334985100004550e-1],
        [1.27045825245236838258e0, 1.48103976427480074590e-1],
        [2.41780725177450611770e-1, 1.51986665636164571966e-2],
        [2.27238449892691845833e-2, 5.47593808499534494600e-4],
        [7.74545014278341407640e-4, 1.05075007164441684324e-9],
    ]
)
_FAR = np.array(
    [
        [6.65790464350110377720e0, 1.0],
        [5.46378491116411436990e0, 5.99832206555887937690e-1],
        [1.78482653991729133580e0, 1.36929880922735805310e-1],
        [2.96560571828504891230e-1, 1.48753612908506148525e-2],
        [2.65321895265761230930e-2, 7.86869131145613259100e-4],
        [1.24266094738807843860e-3, 1.84631831751005468180e-5],
        [2.71155556874348757815e-5, 1.42151175831644588870e-7],
        [2.01033439929228813265e-7, 2.04426310338993978564e-15],
    ]
)


_REACH = 0.425  # the first of them holds up to this distance from one half


@compiled
def _middle(away: float) -> float:
    return away * _ratio(_MIDDLE, _REACH * _REACH - away * away)


@compiled
def normal_quantile(share: float) -> float:
    """The standard normal distribution's quantile; -inf at 0 and below, inf at 1 and above."""
    if share <= 0.0:
        return -np.inf
    if share >= 1.0:
        return np.inf
    away = share - 0.5
    if abs(away) <= _REACH:
        return _middle(away)
    tail: float = np.sqrt(-np.log(min(share, 1.0 - share)))
    size = _ratio(_NEAR, tail - 1.6) if tail <= 5.0 else _ratio(_FAR, tail - 5.0)
    return size if away > 0.0 else -size


@compiled
def _ratio(table: Array, x: float) -> float:
    above: float = table[7, 0]
    below: float = table[7, 1]
    for power in range(6, -1, -1):
        above = above * x + table[power, 0]
        below = below * x + table[power, 1]
    return above / below


@compiled
def fill(
    uniform: Array,
    columns: NDArray[np.intp],
    cuts: Array,
    normals: Array,
    rows: Array,
    codes: NDArray[np.int32],
) -> None:
    """Write drawn values to `rows` `(s, f)` and their bins to `codes` `(s, f)`.

    Row by row in short loops; the processor does the longest several cells at a time.

    Args:
        uniform: numbers in [0, 1) `(s, m)`, one per cell.
        columns: which columns of `rows` they are for `(m,)`.
        cuts: the share of rows below each of e inner edges `(e, m)`, ascending.
        normals: offset, slope, mean, scale, least and greatest value of each column's bins `(6, (e + 1)
        m)`;
            offset plus slope times the uniform number is the normal distribution's share below the value.
        rows: written.
        codes: written.
    """
    offset, slope, mean, scale, low, high = normals
    m, edges = len(columns), len(cuts)
    place, share, away = np.empty(m, np.int32), np.empty(m), np.empty(m)
    for i in range(len(uniform)):
        for j in range(m):
            place[j] = (edges + 1) * j
        for edge in range(edges):
            for j in range(m):
                place[j] += int(uniform[i, j] >= cuts[edge, j])
        for j in range(m):
            share[j] = offset[place[j]] + slope[place[j]] * uniform[i, j]
        for j in range(m):
            away[j] = _middle(share[j] - 0.5)
        for j in range(m):
            if abs(share[j] - 0.5) > _REACH:
                away[j] = normal_quantile(share[j])
            k = place[j]
            rows[i, columns[j]] = min(max(mean[k] + scale[k] * away[j], low[k]), high[k])
            codes[i, columns[j]] = k - (edges + 1) * j
