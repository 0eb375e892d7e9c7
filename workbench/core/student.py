"""Student's t: the half width of an interval in standard errors that are estimates themselves."""

from __future__ import annotations

from math import cos, expm1, inf, isfinite, pi, sin, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


def reach(freedom: NDArray[np.float64], confidence: float = 0.95) -> NDArray[np.float64]:
    """How many standard errors to either side hold the truth with this confidence, shaped like `freedom`.

    Many degrees of freedom give the normal distribution's 1.96; two give 4.3. Rounded to two decimals: no
    standard error is known more precisely.

    >>> reach(np.array([2.0, 10.0, np.inf]))
    array([4.3 , 2.23, 1.96])

    Source: Hill (1970), algorithm 396.
    """
    found, place = np.unique(freedom, return_inverse=True)
    quantiles = np.array([_quantile(float(one), 1.0 - confidence) for one in found])
    return np.round(quantiles[place].reshape(freedom.shape), 2)


def give_or_take(half: float) -> str:
    """Half the width of an interval in words; an unknown error must not look like an exact value.

    >>> give_or_take(0.25), give_or_take(float("nan"))
    ('± 0.25', '± unknown')
    """
    return f"± {half:.2g}" if isfinite(half) else "± unknown"


def _quantile(n: float, outside: float) -> float:
    """The value that Student's t with n degrees of freedom exceeds in size with this probability."""
    if not n < inf:
        return NormalDist().inv_cdf(1.0 - outside / 2)
    if n == 1.0:
        return cos(outside * pi / 2) / sin(outside * pi / 2)
    if n == 2.0:
        return sqrt(2.0 / (outside * (2.0 - outside)) - 2.0)
    a = 1.0 / (n - 0.5)
    b = 48.0 / a**2
    c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36
    d = ((94.5 / (b + c) - 3.0) / b + 1.0) * sqrt(a * pi / 2) * n
    y = (d * outside) ** (2.0 / n)
    if y <= 0.05 + a:
        inner = 1.0 / (((n + 6.0) / (n * y) - 0.089 * d - 0.822) * (n + 2.0) * 3.0)
        y = ((inner + 0.5 / (n + 4.0)) * y - 1.0) * (n + 1.0) / (n + 2.0) + 1.0 / y
        return sqrt(n * y)
    x = NormalDist().inv_cdf(outside / 2)
    y = x * x
    if n < 5.0:
        c += 0.3 * (n - 4.5) * (x + 0.6)
    c += (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b
    y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x
    y = a * y * y
    return sqrt(n * expm1(y))
