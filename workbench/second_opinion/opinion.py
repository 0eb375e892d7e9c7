"""`SecondOpinion`: two libraries' values side by side, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.compare.formulas import spearman
from workbench.core import TableCell, escape, html_table
from workbench.core.student import reach
from workbench.second_opinion.asking import Array

if TYPE_CHECKING:
    import pandas

_RARE = 1e-3
"""The probability that the check of one row calls a pair different that differs only by sampling."""

ROOM = 2.5
"""A difference may always be this many times the expected length, which is itself an estimate."""

_FREEDOM = 6.0
"""Degrees of freedom of an expected error: it may come from two rotations here, or few seeds there."""

_TIMES = float(reach(np.array([_FREEDOM]))[0])
"""Expected errors to either side that 95 of 100 differences lie within."""

_PRIOR = 4.0
"""A player's variance over few seeds is shrunk toward its row's mean, which counts as so many seeds."""

SHOWN = 12


@dataclass(frozen=True, eq=False)
class Pair:
    """One row's values by both.

    Args:
        row: the row's id.
        explained: what was explained, as text.
        players: names `(p,)`.
        ours: the attribution's values `(p,)`.
        theirs: the referee's `(p,)`, its mean where it was asked with several seeds.
        expected: the standard error of their difference `(p,)`; zeros where nothing was sampled.
        rounding: the difference that arithmetic alone leaves.
    """

    row: str
    explained: str
    players: tuple[str, ...]
    ours: Array
    theirs: Array
    expected: Array
    rounding: float = 0.0

    @property
    def difference(self) -> Array:
        """Ours minus the referee's `(p,)`."""
        return self.ours - self.theirs

    @property
    def size(self) -> float:
        """The largest value of either by size."""
        return float(max(np.abs(self.ours).max(initial=0.0), np.abs(self.theirs).max(initial=0.0)))

    @property
    def times(self) -> float:
        """The difference's length over the one that rounding and sampling lead to expect.

        >>> pair("x", [1.0, 2.0], [1.0, 1.6], expected=[0.1, 0.1]).times
        2.82...
        """
        allowed = np.sqrt(self.expected**2 + self.rounding**2)
        length = float(np.linalg.norm(allowed))
        gap = float(np.linalg.norm(self.difference))
        return gap / length if length > 0 else (np.inf if gap > 0 else 0.0)

    @property
    def within_rounding(self) -> bool:
        """Whether no value differs by more than arithmetic explains."""
        return bool(np.abs(self.difference).max(initial=0.0) <= self.rounding)

    @property
    def within_sampling(self) -> bool:
        """Whether the values together, and each alone, differ no more than sampling explains.

        Together: the squares of differences over expected errors, against chi-square's one in a thousand,
        never below 2.5 times the expected length (errors are estimates too). Alone: Student's t, as
        strict for all values of the row together.
        """
        from scipy.stats import chi2, t

        p = len(self.ours)
        if self.times > max(ROOM, float(np.sqrt(chi2.isf(_RARE, p) / p))):
            return False
        allowed = np.sqrt(self.expected**2 + self.rounding**2)
        limit = float(t.isf(_RARE / (2 * p), _FREEDOM))
        beyond = np.abs(self.difference) > limit * allowed
        return not bool(beyond.any())


def pair(row: str, ours: Sequence[float], theirs: Sequence[float], **facts: object) -> Pair:
    """A pair from plain numbers, players named by position, for a try.

    >>> pair("x", [1.0, 2.0], [1.0, 1.5]).difference
    array([0. , 0.5])
    """
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    expected = np.asarray(facts.pop("expected", np.zeros(len(a))), dtype=np.float64)
    names = tuple(f"player {j}" for j in range(len(a)))
    return Pair(row, "output", names, a, b, expected, **facts)  # type: ignore[arg-type]


def standard_error(draws: NDArray[np.float64]) -> Array:
    """The standard error `(p,)` of the mean over seeds `(m, p)`; zeros for one seed.

    Each player's variance over the seeds is mixed with the row's mean variance, which few seeds know
    better.

    >>> standard_error(np.array([[1.0, 5.0], [3.0, 7.0]])).round(6)
    array([1., 1.])
    """
    m, p = draws.shape
    if m < 2:
        return np.zeros(p)
    own = draws.var(axis=0, ddof=1)
    mixed = ((m - 1) * own + _PRIOR * own.mean()) / (m - 1 + _PRIOR)
    return np.asarray(np.sqrt(mixed / m))


def smoothed(error: Array, usual: float) -> Array:
    """Standard errors of one row `(p,)`, each shrunk a little towards the typical one.

    Estimated from few draws, an error can be far too small by luck, even 0; no sampled value is taken to be
    known better than to a third of the usual error.

    >>> smoothed(np.array([0.0, 2.0]), usual=1.0).round(3)
    array([0.316, 1.924])
    """
    return np.asarray(np.sqrt(0.9 * error**2 + 0.1 * usual**2))


@dataclass(frozen=True, eq=False)
class SecondOpinion:
    """Another library's values for the same rows, beside ours.

    Args:
        method: the recipe's name.
        model: the model's name.
        scale: the unit of all values.
        pairs: both libraries' values, row by row; empty when no library could be asked.
        library: the referee, "" when there is none.
        version: the referee's version.
        call: what was called with what, in words.
        agrees: True or False; None when no library could be asked.
        verdict: the answer as one sentence with its numbers.
        notes: how the expected error was found, and known reasons to differ.
        seconds: wall time of the referee.
        evaluations: model rows that the referee used.
    """

    method: str
    model: str
    scale: str
    pairs: tuple[Pair, ...]
    library: str
    version: str
    call: str
    agrees: bool | None
    verdict: str
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    evaluations: int = 0

    @property
    def difference(self) -> float:
        """The largest difference of a value, in `scale`; NaN without a referee."""
        return max((float(np.abs(one.difference).max()) for one in self.pairs), default=np.nan)

    @property
    def relative_difference(self) -> float:
        """The length of the difference over the length of the referee's values, over all rows."""
        gap = np.sqrt(sum(float((one.difference**2).sum()) for one in self.pairs))
        length = np.sqrt(sum(float((one.theirs**2).sum()) for one in self.pairs))
        if not self.pairs:
            return np.nan
        return float(gap / length) if length > 0 else (np.inf if gap > 0 else 0.0)

    @property
    def expected(self) -> float:
        """The relative difference that sampling alone leads to expect; 0 where nothing was sampled."""
        error = np.sqrt(sum(float((one.expected**2).sum()) for one in self.pairs))
        length = np.sqrt(sum(float((one.theirs**2).sum()) for one in self.pairs))
        if not self.pairs:
            return np.nan
        return float(error / length) if length > 0 else (np.inf if error > 0 else 0.0)

    @property
    def rank(self) -> float:
        """Spearman's rank correlation of the two, the lowest of all rows: 1 is the same order."""
        return min(
            (float(spearman(one.ours[None], one.theirs[None])[0]) for one in self.pairs),
            default=np.nan,
        )

    def to_frame(self) -> pandas.DataFrame:
        """Columns row, explained, player, value, referee, difference, expected_error (standard error)."""
        import pandas as pd

        columns = ["row", "explained", "player", "value", "referee", "difference", "expected_error"]
        frames = [
            pd.DataFrame(
                {
                    "row": one.row,
                    "explained": one.explained,
                    "player": list(one.players),
                    "value": one.ours,
                    "referee": one.theirs,
                    "difference": one.difference,
                    "expected_error": one.expected,
                }
            )
            for one in self.pairs
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    def __repr__(self) -> str:
        whom = f"{self.library} {self.version}" if self.library else "nobody"
        return f"SecondOpinion({self.method} of {self.model!r}, asked {whom}: {self.verdict})"

    def _repr_html_(self) -> str:
        cost = f"{self.evaluations:,} model rows, {self.seconds:.1f} s"
        asked = f"<p>Asked: {escape(self.call, limit=400)} ({cost}).</p>" if self.library else ""
        facts = (
            f"<p>Difference relative to the values {self.relative_difference:.2g} (expected from sampling "
            f"{self.expected:.2g}), rank agreement {self.rank:.3f}.</p>"
            if self.pairs
            else ""
        )
        notes = "".join(f"<li>{escape(note, limit=600)}</li>" for note in self.notes)
        listed = f'<ul class="wb-notes">{notes}</ul>' if notes else ""
        tables = "".join(self._table(one) for one in self.pairs)
        return f"<p><b>{escape(self.verdict, limit=600)}</b></p>{asked}{facts}{tables}{listed}"

    def _table(self, one: Pair) -> str:
        order = np.argsort(-np.maximum(np.abs(one.ours), np.abs(one.theirs)), kind="stable")[:SHOWN]
        lines = [
            (
                TableCell(one.players[j], limit=80),
                f"{one.ours[j]:+.4g}",
                f"{one.theirs[j]:+.4g}",
                f"{one.difference[j]:+.1e}",
                "" if one.expected[j] == 0 else f"± {_TIMES * one.expected[j]:.1e}",
            )
            for j in order
        ]
        heads = ("player", "workbench", self.library, "difference", "95 % expected")
        left = len(one.players) - len(order)
        rest = f", the largest {len(order)} of {len(one.players)}" if left else ""
        caption = f"Row {one.row}, {one.explained}, in {self.scale}{rest}"
        return html_table(heads, lines, caption)


def verdict(pairs: Sequence[Pair], library: str) -> tuple[bool, str]:
    """Whether two libraries agree, and the sentence that says so with its numbers.

    >>> verdict([pair("7", [1.0, 2.0], [1.0, 2.5])], "shap")[1]
    "shap differs: row 7, 'player 1' is 2 here and 2.5 there, and nothing was sampled."
    """
    size = max(one.size for one in pairs)
    largest = max(float(np.abs(one.difference).max()) for one in pairs)
    numbers = f"the largest difference is {largest:.1e}, of values up to {size:.3g}"
    if all(one.within_rounding for one in pairs):
        return True, f"{library} agrees within rounding: {numbers}."
    worst = max(pairs, key=lambda one: one.times)
    if not any(one.expected.any() for one in pairs):
        return False, f"{library} differs: {_where(worst)}, and nothing was sampled."
    if all(one.within_sampling for one in pairs):
        return True, (
            f"{library} agrees within sampling error: {numbers}, {worst.times:.1f} times what sampling "
            "leads to expect."
        )
    worst = max((one for one in pairs if not one.within_sampling), key=lambda one: one.times)
    return False, (
        f"{library} differs: {_where(worst)}, and the row is {worst.times:.1f} times as far apart as "
        "sampling leads to expect."
    )


def _where(one: Pair) -> str:
    allowed = np.sqrt(one.expected**2 + one.rounding**2)
    excess = np.abs(one.difference) / np.maximum(allowed, 1e-300)
    j = int(np.argmax(excess if one.expected.any() else np.abs(one.difference)))
    return (
        f"row {one.row}, {one.players[j]!r} is {one.ours[j]:.4g} here and {one.theirs[j]:.4g} there"
    )
