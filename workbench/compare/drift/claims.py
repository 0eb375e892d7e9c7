"""`Claim`: a verdict on a copy's reasons, and the rows that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.compare.drift.measured import GRAVEST_FIRST, Measured, Scope, Verdict
from workbench.compare.drift.metrics import DRIFT_METRICS
from workbench.compare.drift.share_bounds import rows_to_bound

_NAMED = 5  # at most so many rows are named in a sentence


@dataclass(frozen=True)
class Claim:
    """A copy's verdict for one scope, with what it rests on.

    There are two separate claims: one about these rows, which were explained and can be counted, and one
    about rows like these, of which the rows at hand are a sample. A sample can bound the share of rows it
    did not draw, but never exclude them.

    Args:
        model: the copy's name.
        scope: which rows it is about.
        word: the verdict.
        method: the method that decided the verdict.
        metric: its metric, a key of `DRIFT_METRICS`.
        mean: the mean drift by that metric.
        margin: the mean drift up to which reasons count as preserved.
        limit: the drift up to which a single row counts as preserved.
        beyond: how many different rows lie beyond the limit, by the metric in which most do.
        rows: how many different rows there are.
        share: upper bound of the share of rows like these beyond the limit, with 95 % confidence, by the
            metric in which it is largest.
        allowance: the share beyond the limit up to which rows like these count as preserved.
        rows_needed: how many different rows would decide, where the word is "undetermined"; None where more
            rows would not help.
        positions: the positions of the rows beyond the limit, among the study's rows.
        reason: the deciding metric's own sentence.
        explains: whether any method says something about any of the rows.
    """

    model: str
    scope: Scope
    word: Verdict
    method: str
    metric: str
    mean: float
    margin: float
    limit: float
    beyond: int
    rows: int
    share: float
    allowance: float
    rows_needed: int | None
    positions: tuple[int, ...]
    reason: str
    explains: bool = True

    def words(self, ids: Sequence[str] = ()) -> str:
        """The claim as the rest of a sentence; if `ids` are given, rows beyond the limit are named.

        >>> claim = Claim("int8", "rows like these", "preserved", "GradCAM", "cosine", 0.001, 0.005, 0.01,
        ...     0, 60, 0.0487, 0.05, None, (), "")
        >>> claim.words()
        'preserved for rows like these (0 of 60 rows beyond, so at most 4.9 % of them, 95 % confidence)'
        """
        counted = f"{self.beyond} of {self.rows} rows beyond"
        if not self.explains:
            return f"undetermined: no method says enough about these {self.rows} rows"
        if self.scope == "these rows":
            part = f" ({counted}{self._named(ids)})" if self.word == "changed in part" else ""
            rows = "this row" if self.rows == 1 else f"these {self.rows} rows"
            return f"{self.word} on {rows}{part}"
        if self.word == "preserved":
            counted += f", so at most {percent_at_most(self.share)} of them, 95 % confidence"
        elif self.word == "undetermined":
            counted = self._open(counted)
        elif self.word == "changed in part":
            counted += self._named(ids)
        else:
            counted = self._owed
        return f"{self.word} for rows like these ({counted})"

    @property
    def _owed(self) -> str:
        """The method and metric that decided the word, with value and margin."""
        known = DRIFT_METRICS.get(self.metric)
        called = self.metric if known is None else known.title
        return f"{called} by {self.method} {self.mean:.3g}, margin {self.margin:.3g}"

    def _open(self, counted: str) -> str:
        """Why rows like these are undetermined: too few rows, the mean, or noise."""
        more = "" if self.rows_needed is None else f"; {self.rows_needed:,} rows would do"
        enough = rows_to_bound(self.beyond, self.rows, self.allowance)
        if self.share <= self.allowance:
            return f"{self.reason.split(':')[0]}; {self._owed}{more}"
        if enough is not None and self.rows_needed is not None and self.rows_needed > enough:
            return f"{self._owed}{more}"
        return f"{counted}, so perhaps {percent_at_most(self.share)} of them{more}"

    def _named(self, ids: Sequence[str]) -> str:
        if not ids or not self.positions:
            return ""
        more = ", …" if len(self.positions) > _NAMED else ""
        return f": {', '.join(ids[at] for at in self.positions[:_NAMED])}{more}"


def claim_of(measured: Sequence[Measured], deciding: Sequence[str], scope: Scope) -> Claim | None:
    """One copy's claim over its methods, from the deciding metrics on all rows; None without any.

    A method that says nothing about most rows decides nothing beside one that does.
    """
    found = deciders(measured, deciding)
    if not found:
        return None
    telling = min(found, key=lambda one: _gravity(one, scope))
    word = word_in(telling, scope)
    worst = max(found, key=lambda one: (one.beyond, one.share))
    needed: int | None = None
    if word == "undetermined" and scope == "rows like these":
        # If no number of rows would decide one metric, none would decide the copy.
        open_ = [one.rows_needed for one in found if one.verdict == "undetermined"]
        needed = None if None in open_ else max(rows for rows in open_ if rows is not None)
    return Claim(
        model=telling.model,
        scope=scope,
        word=word,
        method=telling.method,
        metric=telling.metric,
        mean=telling.mean,
        margin=telling.margin,
        limit=telling.limit,
        beyond=worst.beyond,
        rows=min(one.known for one in found),
        share=max(one.share for one in found),
        allowance=telling.allowance,
        rows_needed=needed,
        positions=tuple(worst.beyond_at.tolist()),
        reason=telling.reason,
        explains=telling.explains,
    )


def deciders(measured: Sequence[Measured], deciding: Sequence[str]) -> list[Measured]:
    """The measurements behind a verdict: deciding metrics, all rows, methods that explain most rows."""
    found = [one for one in measured if one.stratum == "all" and one.metric in deciding]
    return [one for one in found if one.explains] or found


def word_in(one: Measured, scope: Scope) -> Verdict:
    """The claim of one metric in a scope."""
    return one.on_rows if scope == "these rows" else one.verdict


def percent(share: float) -> str:
    """A share for a sentence.

    >>> percent(0.11735), percent(0.0487), percent(0.05), percent(1.0)
    ('12 %', '4.9 %', '5 %', '100 %')
    """
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    digits = 0 if share >= 0.1 else 1
    return f"{100 * share:.{digits}f}".removesuffix(".0") + " %"


def percent_at_most(share: float) -> str:
    """An upper bound for a sentence, rounded up: rounded down it would not hold.

    >>> percent_at_most(0.1131), percent_at_most(0.0501), percent_at_most(0.05)
    ('12 %', '5.1 %', '5 %')
    """
    steps = 100 if share >= 0.1 else 1000
    return percent(np.ceil(share * steps - 1e-9) / steps)


def _gravity(one: Measured, scope: Scope) -> tuple[int, float, float]:
    """The gravest word first; among equals, the one farthest from its margin or allowance.

    With few rows every metric is as far from the allowance; then the margin decides between them.
    """
    off = one.mean / (one.margin or 1e-300)
    beside = off if one.verdict == "changed" else max(off, one.share / one.allowance)
    return GRAVEST_FIRST.index(word_in(one, scope)), -beside, -off
