"""`Plan`: what a study is expected to cost, cell by cell, before it runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.core.markup import clean, escape
from workbench.core.method import Method
from workbench.core.table import html_table

if TYPE_CHECKING:
    import pandas

Rows = tuple[int, int]
"""The fewest and the most model rows; equal unless a tolerance may stop a method early."""

Seconds = tuple[float, float]
"""From, to."""


@dataclass(frozen=True, eq=False)
class Cost:
    """One model by one method of a study; None where a number is not known.

    Args:
        model: the model's name.
        method: the recipe.
        evaluations: model rows, counted without asking the model.
        seconds: wall time, extrapolated from the probe; a range where a tolerance may stop the method
            early and the probe saw no row end.
        finished: whether the probe ran to the end, so that its seconds are measured.
        result_bytes: the size of the attributions, from the shapes of the method's estimate. Until its
            first values are known, standard errors are counted as if it gave some.
        working_bytes: the most that the process grew during the probe.
        probable: model rows as a pilot foretells them, where a tolerance may stop the method early.
        metered: whether the model's rows are paid for, so that none was asked to find this out.
    """

    model: str
    method: Method
    evaluations: Rows | None
    seconds: Seconds | None = None
    finished: bool = False
    result_bytes: int | None = None
    working_bytes: int | None = None
    probable: Rows | None = None
    metered: bool = False


@dataclass(frozen=True, eq=False)
class Plan:
    """What a study is expected to cost.

    Args:
        costs: one per model and method, in the order of the run.
        probed: whether the models were probed; if not, only model rows are known.
        shared: model rows that are asked for once, though each cell alone would ask for them; None where a
            method does not say.
    """

    costs: tuple[Cost, ...]
    probed: bool
    shared: Rows | None = None

    @property
    def evaluations(self) -> Rows | None:
        """Model rows of the whole study, or None where a method does not say how many it asks for."""
        known = [cost.evaluations for cost in self.costs if cost.evaluations is not None]
        if len(known) < len(self.costs):
            return None
        return sum(low for low, _ in known), sum(high for _, high in known)

    @property
    def seconds(self) -> Seconds | None:
        """Wall time of the whole study, or None where a cell's time is unknown."""
        known = [cost.seconds for cost in self.costs if cost.seconds is not None]
        if len(known) < len(self.costs):
            return None
        return sum(low for low, _ in known), sum(high for _, high in known)

    @property
    def likely(self) -> Seconds | None:
        """The wall time to expect: `seconds` with a margin, for no machine is as fast twice.

        A quarter where it was measured and a half where it was extrapolated; less where it is a range.
        """
        if (seconds := self.seconds) is None:
            return None
        if seconds[1] > 1.2 * seconds[0]:
            margin = 1.15
        else:
            margin = 1.25 if all(cost.finished for cost in self.costs) else 1.6
        return seconds[0] / margin, seconds[1] * margin

    @property
    def bytes(self) -> int | None:
        """Bytes of all results, which are kept, plus the largest working memory of a cell, where known."""
        results = [cost.result_bytes for cost in self.costs if cost.result_bytes is not None]
        if len(results) < len(self.costs):
            return None
        return sum(results) + max(cost.working_bytes or 0 for cost in self.costs)

    @property
    def sentence(self) -> str:
        """The totals in words, such as "12,400 model rows, about 3 s and 40 MB"."""
        rows = rows_in_words(self.evaluations)
        return f"{rows}, {self.estimate}" if self.probed else rows

    @property
    def estimate(self) -> str:
        """Time and memory in words, such as "about 3 s and 40 MB"."""
        return f"{seconds_in_words(self.likely)} and {bytes_in_words(self.bytes)}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know besides the numbers."""
        notes = []
        if silent := _names(cost for cost in self.costs if cost.evaluations is None):
            notes.append(f"{silent} does not say how many model rows it asks for.")
        if any(
            cost.evaluations and cost.evaluations[0] < cost.evaluations[1] for cost in self.costs
        ):
            notes.append("A range where a tolerance may stop a method early.")
        if self.shared is not None and self.shared[1] > 0:
            shared = rows_in_words(self.shared)
            notes.append(f"Shared between the cells: {shared}. Run alone, each would ask anew.")
        if not self.probed:
            return (*notes, "No model was asked, so seconds and bytes are not known.")
        if untimed := _names(cost for cost in self.costs if cost.seconds is None):
            notes.append(
                f"The time of {untimed} is unknown: a probe may ask for 2 % of the model rows, and of a "
                "model that is metered for none."
            )
        if any(cost.seconds and not cost.finished for cost in self.costs):
            notes.append("Seconds are extrapolated from a short probe, with a margin.")
        if all(cost.working_bytes is None for cost in self.costs):
            notes.append(
                "Bytes are those of the results: this system does not report working memory."
            )
        else:
            notes.append("Working memory is how far the process grew while the probe ran.")
        return tuple(notes)

    def to_frame(self) -> pandas.DataFrame:
        """One line per model and method; columns model, method, evaluations, seconds, bytes."""
        import pandas as pd

        lines = [
            {
                "model": cost.model,
                "method": type(cost.method).__name__,
                "fewest_evaluations": _end(cost.evaluations, 0),
                "most_evaluations": _end(cost.evaluations, 1),
                "fewest_seconds": _end(cost.seconds, 0),
                "most_seconds": _end(cost.seconds, 1),
                "result_bytes": cost.result_bytes,
                "working_bytes": cost.working_bytes,
            }
            for cost in self.costs
        ]
        return pd.DataFrame(lines)

    def __repr__(self) -> str:
        count = len(self.costs)
        return f"Plan({count} cell{'' if count == 1 else 's'}: {self.sentence})"

    def _repr_html_(self) -> str:
        lines = [
            (
                cost.model,
                repr(cost.method),
                rows_in_words(cost.evaluations, unit=""),
                seconds_in_words(cost.seconds),
                bytes_in_words(cost.result_bytes),
                bytes_in_words(cost.working_bytes),
            )
            for cost in self.costs
        ]
        heads = ("model", "method", "model rows", "time", "results", "working memory")
        shown = len(heads) if self.probed else 3
        table = html_table(heads[:shown], [line[:shown] for line in lines], named=2)
        notes = "".join(f"<p>{escape(note, limit=600)}</p>" for note in self.notes)
        return f"<p>Expected: <b>{escape(self.sentence)}</b></p>{table}{notes}"


def rows_in_words(count: Rows | None, unit: str = "model rows") -> str:
    """A number of model rows, or its range.

    >>> rows_in_words((12400, 12400)), rows_in_words((900, 65000)), rows_in_words(None)
    ('12,400 model rows', '900 to 65,000 model rows', 'unknown model rows')
    >>> rows_in_words((1, 1))
    '1 model row'
    """
    if count is None:
        return f"unknown {unit}".strip()
    low, high = count
    text = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    if low == high == 1:
        unit = unit.removesuffix("s")
    return f"{text} {unit}".strip()


def seconds_in_words(seconds: Seconds | None) -> str:
    """A time in words, with two digits: an extrapolation is no more precise.

    >>> seconds_in_words((2.84, 2.84)), seconds_in_words((41.0, 400.0)), seconds_in_words((0.1, 0.4))
    ('about 2.8 s', 'about 41 s to 6.7 min', 'under 1 s')
    >>> seconds_in_words((0.7, 2.0)), seconds_in_words((2.1, 8.0))
    ('up to 2.0 s', 'about 2.1 to 8.0 s')
    """
    if seconds is None:
        return "unknown time"
    low, high = (_time(one) for one in seconds)
    if low == high:
        return low if low.startswith("under") else f"about {low}"
    if low.startswith("under"):
        return f"up to {high}"
    (number, unit), one = low.split(), high.split()[1]
    return f"about {number if unit == one else low} to {high}"


def bytes_in_words(count: int | None) -> str:
    """Memory in two digits.

    >>> bytes_in_words(41_300_000), bytes_in_words(730), bytes_in_words(None)
    ('41 MB', 'under 1 MB', 'unknown memory')
    """
    if count is None:
        return "unknown memory"
    if count < 1_000_000:
        return "under 1 MB"
    unit, size = ("GB", 1e9) if count >= 0.995e9 else ("MB", 1e6)
    return f"{_two(count / size)} {unit}"


def _time(seconds: float) -> str:
    if seconds < 0.995:
        return "under 1 s"
    units = (("h", 3600.0), ("min", 60.0))
    unit, size = next(((u, size) for u, size in units if seconds >= 1.5 * size), ("s", 1.0))
    return f"{_two(seconds / size)} {unit}"


def _two(number: float) -> str:
    """Two digits, or all digits before the decimal point."""
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.1f}"


def _end(span: Sequence[float] | None, end: int) -> float | None:
    return None if span is None else span[end]


def _names(costs: Iterable[Cost]) -> str:
    return ", ".join(dict.fromkeys(clean(type(cost.method).__name__, limit=60) for cost in costs))
