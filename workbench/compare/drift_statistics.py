"""From a drift per row to a verdict: intervals, tests, and how many rows would decide.

`docs/decisions/0015` says why these rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare.drift import Measured, Verdict
from workbench.errors import InputError

Array = NDArray[np.float64]

RESAMPLES = 4000
FEWEST_ROWS = 20
LEVEL = 0.05
NOISIEST = 0.5
"""Share of noise above which an explanation shows more noise than model: nothing is "preserved" there."""
_BYTES_AT_ONCE = 32 * 2**20
_MOST_ROWS = 10_000_000  # more is no advice


def intervals(
    series: ArrayLike, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Array, Array, Array]:
    """Mean, low and high of each series: the bootstrap interval of its mean over rows, (m,) each.

    Rows are drawn anew with replacement, the same rows for every series. BCa: percentiles corrected for
    bias and skewness, since drift piles up at 0 with a tail to the right, where plain percentiles put the
    upper end too low.

    Args:
        series: `(m, n)`: m metrics of n rows, or their differences.
        confidence: two-sided.
        resamples: at least 2,000.
        seed: of the rows drawn.

    Source: Efron (1987), "Better bootstrap confidence intervals".

    Example:
        >>> mean, low, high = intervals([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])
        >>> mean, low.round(1), high.round(1)
        (array([1., 1.]), array([1., 0.]), array([1., 2.]))
    """
    from scipy.special import ndtr, ndtri

    values = np.atleast_2d(np.asarray(series, dtype=np.float64))
    if resamples < 2000:
        raise InputError(
            f"The bootstrap needs at least 2,000 resamples, but was given {resamples}. Fewer leave the "
            "ends of an interval to chance."
        )
    n = values.shape[1]
    mean = values.mean(axis=1)
    centered = values - mean[:, None]
    # Values that are all the same differ from their mean by a rounding at most.
    still = np.ptp(values, axis=1) == 0
    if n == 0 or still.all():
        return mean, mean.copy(), mean.copy()
    means = _resampled_means(centered, resamples, seed)
    below = ((means < 0).sum(axis=1) + (means <= 0).sum(axis=1)) / (2 * resamples)
    below = np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples)
    bias = ndtri(below)
    variance = np.where(still, 1.0, (centered**2).sum(axis=1))
    skew = (centered**3).sum(axis=1) / (6 * variance**1.5)
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + ndtri(tail)
        at = ndtr(bias + z / (1 - skew * z))
        ends.append(np.array([np.quantile(one, q) for one, q in zip(means, at, strict=True)]))
    low, high = (np.where(still, mean, mean + end) for end in ends)
    return mean, low, high


def _resampled_means(values: Array, resamples: int, seed: int) -> Array:
    """Means over rows drawn with replacement `(m, resamples)`, some resamples at a time."""
    m, n = values.shape
    rng = np.random.default_rng(seed)
    step = max(1, _BYTES_AT_ONCE // (16 * n))
    means = np.empty((m, resamples))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        means[:, start : start + size] = values @ times.T / n
    return means


def beyond(values: ArrayLike, by: float = 0.0) -> float:
    """One-sided p of "the values lie above `by`": Wilcoxon's signed-rank test, zeros ranked (Pratt).

    Source: Pratt (1959), "Remarks on zeros and ties in the Wilcoxon signed rank procedures".

    >>> round(beyond([1.0, 2.0, 3.0, 4.0, 5.0]), 5)  # one of 2⁵ ways to give them signs
    0.03125
    >>> beyond([0.0, 0.0])
    1.0
    """
    from scipy.stats import wilcoxon

    shifted = np.asarray(values, dtype=np.float64) - by
    if not shifted.any():
        return 1.0
    exact = len(shifted) <= 50 and (shifted != 0).all()
    exact = exact and len(np.unique(np.abs(shifted))) == len(shifted)
    test = wilcoxon(
        shifted,
        alternative="greater",
        zero_method="pratt",
        method="exact" if exact else "asymptotic",
    )
    return float(test.pvalue)


def false_discovery(p: ArrayLike) -> Array:
    """q: the smallest rate of false discoveries at which each p would still count as one.

    Source: Benjamini & Hochberg (1995), "Controlling the false discovery rate".

    >>> false_discovery([0.01, 0.04, 0.03, 0.5]).round(4)
    array([0.04  , 0.0533, 0.0533, 0.5   ])
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)[::-1]
    m = len(p)
    scaled = p[order] * m / np.arange(m, 0, -1)
    q = np.empty(m)
    q[order] = np.minimum.accumulate(np.minimum(scaled, 1.0))
    return q


def rows_to_decide(values: ArrayLike, limit: float) -> int | None:
    """How many rows like these would put the interval of their mean on one side of `limit`.

    (1.96 sd / |mean - limit|)², at least 20; None where the mean lies on the limit.

    >>> rows_to_decide([0.0, 0.2] * 10, 0.11)
    405
    """
    values = np.asarray(values, dtype=np.float64)
    gap = abs(float(values.mean()) - limit) if len(values) else 0.0
    if len(values) < 2 or gap == 0:
        return None
    rows = (1.959964 * float(values.std(ddof=1)) / gap) ** 2
    return None if rows > _MOST_ROWS else max(FEWEST_ROWS, int(np.ceil(rows)))


def decided(measured: Sequence[Measured]) -> tuple[Measured, ...]:
    """The same with q over all of them, and with verdicts: give every metric and method of one copy.

    Each stratum is a family of tests of its own.
    """
    q: dict[int, float] = {}
    for stratum in {one.stratum for one in measured}:
        tested = {
            i: one.p
            for i, one in enumerate(measured)
            if one.stratum == stratum and one.p is not None
        }
        q |= zip(tested, false_discovery(list(tested.values())).tolist(), strict=True)
    return tuple(_judged(replace(one, q=q.get(i))) for i, one in enumerate(measured))


def _judged(one: Measured) -> Measured:
    """One metric's verdict, in the order in which reasons exclude each other."""

    def verdict(called: Verdict, reason: str, rows_needed: int | None = None) -> Measured:
        return replace(one, verdict=called, reason=reason, rows_needed=rows_needed)

    n = len(one.drift)
    known = n if one.distinct is None else one.distinct  # a row given twice tells nothing new
    figures = _figures(one)
    low, high, limit, series, luck = one.low, one.high, one.margin, one.drift, 0.0
    if one.excess is not None and one.over_floor is not None:
        mean, low, high = one.excess
        power = 2 if one.squared else 1
        limit, series = one.margin**power, one.over_floor
        # One seed's noise may be twice another's for all rows at once, which rows cannot tell.
        luck = float((one.drift**power).mean()) - mean
    if known < FEWEST_ROWS:
        rows = f"{n} rows" if known == n else f"{known} different rows, repeated to {n},"
        return verdict(
            "undetermined",
            f"{rows} decide nothing, {FEWEST_ROWS} are the fewest: {figures}",
            rows_to_decide(series, limit) or FEWEST_ROWS,
        )
    if not one.drift.any():
        return verdict("preserved", f"the same values in all {n} rows.")
    if low > max(limit, luck) and (one.q is None or one.q < LEVEL):
        return verdict("changed", f"beyond the margin: {figures}")
    share = one.noise_share
    if share is None or share > NOISIEST or luck > limit:
        size = "of unknown size" if share is None else f"{share:.0%} of what is seen"
        return verdict(
            "undetermined",
            f"the explainer's own noise, {size}, would hide a change. Spend a larger budget: {figures}",
        )
    # Noise that both explanations share makes them look alike: docs/decisions/0015.
    if (high + luck) / (1 - share) <= limit:
        return verdict("preserved", f"within the margin: {figures}")
    needed = rows_to_decide((series + luck) / (1 - share), limit)
    return verdict(
        "undetermined",
        f"neither within the margin nor beyond it: {figures}",
        None if needed is None else max(needed, n + 1),
    )


def _figures(one: Measured) -> str:
    said = f"drift {one.mean:.3g} [{one.low:.3g}, {one.high:.3g}]"
    if one.excess is not None:
        unit = ", squared" if one.squared else ""
        mean, low, high = one.excess
        said += f", beyond the noise{unit} {mean:.2g} [{low:.2g}, {high:.2g}]"
    said += f", margin {one.margin:.3g}"
    if one.q is not None:
        said += f", q {one.q:.2g}"
    if one.noise_share:
        said += f", noise {one.noise_share:.0%}"
    return said + "."
