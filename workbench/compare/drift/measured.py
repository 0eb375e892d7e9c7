"""`Measured`: one metric of one method on one copy, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError

Verdict = Literal["preserved", "changed in part", "changed", "undetermined"]
"""Within the margin / within it on average, but too many rows are not / beyond it, and not by chance / the
rows at hand do not decide."""

GRAVEST_FIRST: tuple[Verdict, ...] = ("changed", "changed in part", "undetermined", "preserved")

Scope = Literal["these rows", "rows like these"]
"""The rows that a verdict is about: those explained, or all rows that these are a sample of."""

Stratum = Literal["all", "kept", "flipped"]
"""All rows, those whose predicted class is the reference's, those whose is not."""

Array = NDArray[np.float64]

ALLOWANCE = 0.05
"""The share of rows like these that may lie beyond the limit while their reasons count as preserved."""


def check_allowance(allowance: object) -> None:
    """Refuses a share that no number of rows could bound.

    Raises:
        InputError: it is not above 0 and below 1.
    """
    number = isinstance(allowance, int | float) and not isinstance(allowance, bool)
    if not number or not 0 < allowance < 1:  # type: ignore[operator]
        raise InputError(
            "allowance is the share of rows like these that may lie beyond their limit, above 0 and below "
            f"1, not {allowance!r}. No number of rows shows that none does; 59 rows can show 0.05."
        )


@dataclass(frozen=True, eq=False)
class Measured:
    """One metric of one method on one copy, row by row, beside its reference lines.

    In every figure, identical rows count once. Rows that neither explanation says anything about are left
    out of means, and count as doubtful: they may lie beyond their limit.

    Args:
        model: the copy's name.
        method: the method's class name, with a number where a study holds two of a class.
        metric: a key of `DRIFT_METRICS`.
        stratum: which rows.
        drift: one number per row of the stratum `(n,)`, 0 where nothing changed, or nothing but what the
            scores' rounding explains.
        rows: their positions among the study's rows `(n,)`.
        mean: of `drift`.
        low: of the 95 % bootstrap interval of the mean over rows.
        high: likewise.
        noise: mean drift of the reference against itself with other seeds and backgrounds.
        retraining: mean drift of siblings trained anew, or None where none were given.
        random: mean drift of the reference with random weights, or None where it was not made.
        margin: mean drift up to which the reasons count as preserved.
        p: of "beyond", by Wilcoxon's signed-rank test; None where nothing was sampled.
        q: `p` adjusted over all metrics and methods of the copy (Benjamini-Hochberg).
        verdict: the verdict for rows like these; see `Verdict`.
        reason: the verdict in a sentence, with its figures.
        rows_needed: how many different rows would decide, where `verdict` is "undetermined"; None where
            unknown, or where a larger budget is needed instead.
        noise_share: the part of the reference's explanation that is its explainer's noise, by squared
            sizes; 0 where nothing was sampled, None where it is not known.
        squared: as in `Metric`.
        over_floor: where the models did not share seeds, each row's drift minus the drift between two
            seeds of the reference `(n,)`, both squared if `squared`; None with shared seeds.
        excess: mean, low and high of `over_floor`.
        distinct: how many different rows there are; None where no row is repeated.
        groups: the number of each row's distinct row `(n,)`; None where no row is repeated.
        doubt: how far one standard error of the values moves each row's drift `(n,)`; None where nothing
            was sampled.
        informative: False for rows that neither explanation says anything about: all values are so small
            that rounding alone could carry them beyond `limit` `(n,)`; None where every row is informative.
        elsewhere: rows that at least one deciding method of the copy says something about `(n,)`; None
            where this method covers all rows. On these rows, this method's silence does not count as
            doubt, since another method decides there.
        rounded: how many rows moved by nothing but rounding, and count as unchanged.
        single: how many margins a single row may drift; infinite where single rows do not count.
        allowance: the share of rows like these that may lie beyond `limit`.
        on_rows: the verdict on these rows alone.
        beyond: how many different rows lie beyond `limit`, by more than their own standard error.
        doubtful: how many more may lie beyond it: their sampling error is too large to tell, or the method
            says nothing about them.
        share: upper bound of the share of rows like these beyond `limit`, with 95 % confidence.
    """

    model: str
    method: str
    metric: str
    stratum: Stratum
    drift: Array
    rows: NDArray[np.intp]
    mean: float
    low: float
    high: float
    noise: float | None
    retraining: float | None
    random: float | None
    margin: float
    p: float | None
    q: float | None
    verdict: Verdict
    reason: str
    rows_needed: int | None = None
    noise_share: float | None = 0.0
    squared: bool = False
    over_floor: Array | None = None
    excess: tuple[float, float, float] | None = None
    distinct: int | None = None
    groups: NDArray[np.intp] | None = None
    doubt: Array | None = None
    informative: NDArray[np.bool_] | None = None
    elsewhere: NDArray[np.bool_] | None = None
    rounded: int = 0
    single: float = 2.0
    allowance: float = ALLOWANCE
    on_rows: Verdict = "undetermined"
    beyond: int = 0
    doubtful: int = 0
    share: float = 1.0

    @property
    def limit(self) -> float:
        """The drift up to which a single row counts as preserved."""
        return self.single * self.margin if np.isfinite(self.single) else np.inf

    @property
    def explains(self) -> bool:
        """Whether the method says something about half of these rows or more."""
        return self.informative is None or bool(self.informative.mean() >= 0.5)

    @property
    def known(self) -> int:
        """How many distinct rows there are."""
        return len(self.drift) if self.distinct is None else self.distinct

    @property
    def beyond_at(self) -> NDArray[np.intp]:
        """The positions, among the study's rows, of the rows beyond `limit` `(m,)`."""
        return self.rows[self.surely_beyond]

    @property
    def surely_beyond(self) -> NDArray[np.bool_]:
        """Which rows lie beyond `limit` by more than their own standard error `(n,)`."""
        series, limit, doubt = self._in_its_power()
        return np.asarray((series > limit + doubt) & self._informative)

    @property
    def perhaps_beyond(self) -> NDArray[np.bool_]:
        """Which rows lie beyond `limit`, or may do so while shared noise hides it `(n,)`."""
        series, limit, doubt = self._in_its_power()
        shared = min(self.noise_share or 0.0, 0.999)
        far = (series / (1 - shared) > limit) | (series > limit + doubt)
        return np.asarray((far & self._informative) | self._silent)

    def once(self, series: Array) -> Array:
        """A number per row `(n,)` as one per distinct informative row: the mean over its repetitions."""
        informative = (
            self._informative if self._informative.any() else np.ones(len(series), dtype=bool)
        )
        return (
            series[informative]
            if self.groups is None
            else once(series[informative], self.groups[informative])
        )

    @property
    def _silent(self) -> NDArray[np.bool_]:
        """Rows that no method says anything about `(n,)`."""
        return (
            ~self._informative if self.elsewhere is None else ~(self._informative | self.elsewhere)
        )

    @property
    def _informative(self) -> NDArray[np.bool_]:
        return (
            np.ones(len(self.drift), dtype=bool) if self.informative is None else self.informative
        )

    @property
    def normalized(self) -> float | None:
        """The mean drift on a scale from the explainer's noise (0) to random weights (1).

        None without random weights, or where noise is at least as large.
        """
        start = self.noise or 0.0
        if self.random is None or self.random <= start:
            return None
        return (self.mean - start) / (self.random - start)

    def _in_its_power(self) -> tuple[Array, float, Array]:
        """Drift beyond the noise, its limit, and each row's standard error; squared if `squared`."""
        doubt = np.zeros(len(self.drift)) if self.doubt is None else self.doubt
        if self.over_floor is None:
            return self.drift, self.limit, doubt
        power = 2 if self.squared else 1
        return self.over_floor, self.limit**power, doubt**power


def once(series: Array, groups: NDArray[np.intp]) -> Array:
    """The mean of a series `(..., n)` over each group, in the order of their numbers `(..., g)`.

    >>> once(np.array([1.0, 5.0, 3.0]), np.array([0, 1, 0]))
    array([2., 5.])
    """
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order][:1] - 1))
    sums = np.add.reduceat(series[..., order], starts, axis=-1)
    return np.asarray(sums / np.diff(starts, append=len(groups)))
