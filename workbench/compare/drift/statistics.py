"""From a drift per row to a verdict: intervals, tests, and how many rows would decide.

`docs/decisions/0015` gives the reasons for these rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare.drift.claims import percent, percent_at_most
from workbench.compare.drift.measured import Measured, Verdict
from workbench.compare.drift.share_bounds import fewest_beyond, most_beyond, rows_to_bound
from workbench.errors import InputError

Array = NDArray[np.float64]

RESAMPLES = 4000
FEWEST_ROWS = 20
LEVEL = 0.05
NOISIEST = 0.5
"""Above this share of noise, an explanation shows more noise than model, and no verdict is "preserved"."""
_BYTES_AT_ONCE = 32 * 2**20
_MOST_ROWS = 100_000  # more is no advice


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
    # Values that are all the same may differ from their mean by rounding.
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
    """q: for each p, the smallest false discovery rate at which it would still count as a discovery.

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
    """The measurements with q and verdicts; takes every metric and method of one copy.

    q is adjusted within each stratum.
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
    """One metric's verdicts on these rows and for rows like these, with their grounds."""
    known = one.known
    beyond, doubtful = _counted(one, known)
    one = replace(
        one, beyond=beyond, doubtful=doubtful, share=most_beyond(beyond + doubtful, known)
    )
    if not one.explains:
        silent = 0 if one.informative is None else int((~one.informative).sum())
        rows = f"{silent} of {len(one.drift)} rows"
        reason = f"the method says nothing about {rows}: every value is 0 or below rounding."
        return replace(one, verdict="undetermined", on_rows="undetermined", reason=reason)
    seen = _Seen.of(one)
    return replace(_of_rows_like_these(one, seen), on_rows=_of_these_rows(one, seen))


@dataclass(frozen=True)
class _Seen:
    """The quantity compared with the limit: the drift, or the drift beyond the noise where seeds differ.

    Args:
        series: a number per different row.
        mean: of `series`.
        low: lower end of the interval of the mean.
        high: upper end.
        limit: the limit of the mean, squared where `series` is.
        luck: how much larger one seed's noise may be than another's on all rows at once, which more rows do
            not show.
        shared: the share of noise that both explanations share, which makes them look alike.
    """

    series: Array
    mean: float
    low: float
    high: float
    limit: float
    luck: float
    shared: float | None

    @classmethod
    def of(cls, one: Measured) -> _Seen:
        if one.excess is None or one.over_floor is None:
            series = one.once(one.drift)
            return cls(series, one.mean, one.low, one.high, one.margin, 0.0, one.noise_share)
        power = 2 if one.squared else 1
        mean, low, high = one.excess
        luck = float(one.once(one.drift**power).mean()) - mean
        series = one.once(one.over_floor)
        return cls(series, mean, low, high, one.margin**power, luck, one.noise_share)

    @property
    def hidden(self) -> bool:
        """Whether noise would hide a change, however many rows there were."""
        noisy = self.shared is None or self.shared > NOISIEST
        return noisy or self.luck > self.limit

    def at_most(self, figure: float) -> float:
        """A mean or an end of its interval, corrected for shared noise: docs/decisions/0015."""
        return (figure + self.luck) / (1 - (self.shared or 0.0))


def _of_these_rows(one: Measured, seen: _Seen) -> Verdict:
    if not one.drift.any():
        return "preserved"
    if seen.mean > max(seen.limit, seen.luck):
        return "changed"
    if seen.hidden or seen.at_most(seen.mean) > seen.limit:
        return "undetermined"
    if one.beyond > one.allowance * one.known:
        return "changed in part"
    return "undetermined" if one.beyond + one.doubtful > one.allowance * one.known else "preserved"


def _of_rows_like_these(one: Measured, seen: _Seen) -> Measured:
    """The verdict; the first reason that applies decides."""

    def verdict(called: Verdict, reason: str, rows_needed: int | None = None) -> Measured:
        return replace(one, verdict=called, reason=f"{reason}: {figures}", rows_needed=rows_needed)

    n, known = len(one.drift), one.known
    figures = _figures(one)
    needed = _rows_needed(one, seen)
    informative_rows = len(seen.series)
    if informative_rows < FEWEST_ROWS:
        rows = f"{n} rows" if known == n else f"{known} different rows, repeated to {n},"
        if informative_rows < known:
            rows = f"{informative_rows} rows that the method says something about"
        fewest = f"{rows} decide nothing, {FEWEST_ROWS} are the fewest"
        return verdict("undetermined", fewest, needed or FEWEST_ROWS)
    if seen.low > max(seen.limit, seen.luck) and (one.q is None or one.q < LEVEL):
        return verdict("changed", "beyond the margin")
    if fewest_beyond(one.beyond, known) > one.allowance:
        return verdict("changed in part", "too many rows beyond their limit, whatever the mean")
    bounded = one.share <= one.allowance
    if one.drift.any():
        if seen.hidden:
            share = seen.shared
            size = "of unknown size" if share is None else f"{percent(share)} of what is seen"
            hides = f"the explainer's own noise, {size}, would hide a change. Spend a larger budget"
            return verdict("undetermined", hides)
        if seen.at_most(seen.high) > seen.limit:
            return verdict("undetermined", "neither within the margin nor beyond it", needed)
    if not bounded:
        more = f"more than {percent(one.allowance)} beyond"
        few = f"within the margin, but {known} rows leave room for {more}"
        return verdict("undetermined", few, needed)
    return verdict("preserved", "within the margin" if one.drift.any() else "nothing moved")


def _rows_needed(one: Measured, seen: _Seen) -> int | None:
    """How many distinct rows would decide, by the mean and by the number beyond the limit."""
    known = one.known
    if not one.drift.any():
        return rows_to_bound(0, known, one.allowance)
    corrected = (seen.series + seen.luck) / (1 - min(seen.shared or 0.0, NOISIEST))
    of_mean = rows_to_decide(corrected, seen.limit)
    if of_mean is None:
        return None
    if seen.at_most(seen.mean) > seen.limit:
        return max(of_mean, known + 1)  # toward "changed", where no row need be bounded
    of_bound = rows_to_bound(one.beyond + one.doubtful, known, one.allowance)
    return None if of_bound is None else max(of_mean, of_bound, known + 1)


def _counted(one: Measured, known: int) -> tuple[int, int]:
    """How many distinct rows lie beyond their limit, and how many more may."""
    counts = []
    for flags in (one.surely_beyond, one.perhaps_beyond):
        if one.groups is not None:
            counts.append(len(np.unique(one.groups[flags])))
        else:
            # Where only the number of distinct rows is known, it is scaled by the share of all rows.
            counts.append(int(np.ceil(flags.sum() * known / max(len(flags), 1))))
    beyond, perhaps = counts
    return beyond, max(perhaps - beyond, 0)


def _figures(one: Measured) -> str:
    text = f"mean drift {one.mean:.3g} [{one.low:.3g}, {one.high:.3g}]"
    if one.excess is not None:
        unit = ", squared" if one.squared else ""
        mean, low, high = one.excess
        text += f", beyond the noise{unit} {mean:.2g} [{low:.2g}, {high:.2g}]"
    text += f", margin {one.margin:.3g}"
    if one.q is not None and one.q < LEVEL:
        text += f", risk of a false alarm {one.q:.2g}"
    if one.noise_share:
        text += f", noise {percent(one.noise_share)} of what is seen"
    if np.isfinite(one.limit):
        text += f"; {one.beyond} of {one.known} rows beyond {one.limit:.3g}"
        if one.doubtful:
            text += f" and {one.doubtful} more that may be"
        if one.share < 0.5:
            text += f", at most {percent_at_most(one.share)} of rows like these"
    if one.rounded:
        text += f"; {one.rounded} moved by rounding alone"
    return text + "."
