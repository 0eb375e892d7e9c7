"""A timed probe: one cell of a study, started as it will run and stopped after a moment."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Call, Cost, Estimate, Model, Study
from workbench.study.cell import CellRun


class TimeUp(BaseException):
    """Stops a method in the middle of its work. Not an `Exception`, so that no method catches it."""


@dataclass(frozen=True)
class Mark:
    """A method's state after some time: model rows answered, and its share of progress."""

    seconds: float
    rows: int
    share: float


def tried(
    study: Study,
    model: Model,
    cost: Cost,
    known: dict[tuple[int, int], NDArray[Any]],
    seconds: float,
) -> Iterator[Cost]:
    """Estimates of what one cell of a study will cost, from trying it; the last is the best.

    The cell is started twice: once up to its first sign of life, which includes imports, compilation and
    the search for a batch size, and once to be timed. No model call begins after the time is up, except the
    very first, so a slow model is called once. The caller may stop at each sign of life.

    Args:
        study: the study that gives rows and targets.
        model: the model to ask.
        cost: the cell's recipe and model rows.
        known: the scores that earlier cells of the study computed, as `workbench.steps` keeps them; this
            cell's scores are added.
        seconds: how long it may take.
    """
    before = _peak_from_here()
    scores = dict(known)
    clock = Clock(seconds)
    cost = yield from _begun(study, model, cost, scores, clock, once=True)
    # The time that was not the model's is not spent again: the second beginning has it too.
    left = seconds - clock.inside
    if left > clock.inside and not clock.up:
        scores = dict(known)
        cost = yield from _begun(study, model, cost, scores, Clock(left), once=False)
    known.update(scores)
    reached = _resident("VmHWM")
    grown = None if before is None or reached is None else max(0, reached - before)
    yield replace(cost, working_bytes=grown)


def _begun(
    study: Study,
    model: Model,
    cost: Cost,
    known: dict[tuple[int, int], NDArray[Any]],
    clock: Clock,
    *,
    once: bool,
) -> Generator[Cost, None, Cost]:
    """Yields the cost so far at each sign of life, and returns the cost that this trial shows."""
    marks: list[Mark] = []
    share, last, finished = 0.0, None, False
    progress = CellRun(study, model, cost.method, known, through=clock.on).progress()
    try:
        for last in progress:
            share = last.done / max(last.total, 1)
            marks.append(Mark(clock.seconds, clock.rows, share))
            with clock.stopped():
                if cost.result_bytes is None:
                    cost = replace(cost, result_bytes=_bytes(last.estimate(), complete=False))
                yield cost
            if once or clock.over:
                break
        else:
            finished, share = True, 1.0
        if last is not None:
            cost = replace(cost, result_bytes=_bytes(last.estimate(), complete=finished))
    except TimeUp:
        pass
    finally:
        if (close := getattr(progress, "close", None)) is not None:
            close()
    if not marks or finished or clock.up:
        marks.append(Mark(clock.seconds, clock.rows, share))
    whole = seconds_of(
        marks, finished=finished, evaluations=cost.evaluations, rows=len(study.inputs)
    )
    return replace(cost, seconds=whole, finished=finished)


def seconds_of(
    marks: Sequence[Mark], *, finished: bool, evaluations: tuple[int, int] | None, rows: int
) -> tuple[float, float] | None:
    """How long the whole will take (from, to), or None where no progress was seen.

    While model rows remain, time is assumed to be proportional to them; after that, or where their number
    is unknown, to the method's own progress. The first mark does not count for the pace. Where
    a tolerance may stop the work on a row early, the finished rows are taken as typical of the others.

    >>> marks = [Mark(3.0, 10, 0.1), Mark(4.0, 20, 0.2)]
    >>> seconds_of(marks, finished=False, evaluations=(50, 100), rows=4)  # a second for ten model rows
    (7.0, 12.0)

    Args:
        marks: the marks of a probe, in order.
        finished: whether it ran to the end.
        evaluations: the fewest and the most model rows of the whole.
        rows: how many rows are explained.
    """
    last = marks[-1]
    if finished:
        return last.seconds, last.seconds
    if evaluations is not None and (evaluations[0] < evaluations[1] or last.rows < evaluations[1]):
        pace = _pace(marks, lambda mark: mark.rows)
        ahead = [max(0.0, count - last.rows) for count in evaluations]
    else:
        # From the last model row on, if their number is known: the method still has to solve.
        since = [m for m in marks if m.rows == last.rows] if evaluations is not None else marks
        pace = _pace(since, lambda mark: mark.share)
        pace = _pace(marks, lambda mark: mark.share) if pace is None else pace
        ahead = [1.0 - last.share] * 2
    if pace is None:
        return None
    low, high = (last.seconds + pace * one for one in ahead)
    ended = int(last.share * rows + 1e-9)  # a share of rows is a quotient, rounded
    if low < high and ended:
        at = next(mark.seconds for mark in marks if mark.share * rows + 1e-9 >= ended)
        low = high = min(max(at * rows / ended, low), high)
    return low, high


def _pace(marks: Sequence[Mark], of: Callable[[Mark], float]) -> float | None:
    """Seconds per unit from the first mark to the last; from the start where there is only one."""
    start, last = Mark(0.0, 0, 0.0), marks[-1]
    for first in (marks[0], start):
        if of(last) > of(first):
            return (last.seconds - first.seconds) / (of(last) - of(first))
    return None


class Clock:
    """Counts a model's answered rows, and refuses calls once the time is up.

    Attributes:
        rows: answered so far.
        inside: seconds spent in the model's calls.
        up: whether a call was refused.
    """

    def __init__(self, seconds: float) -> None:
        self.rows = 0
        self.inside = 0.0
        self.up = False
        self._begun = perf_counter()
        self._left_out = 0.0
        self._seconds = seconds

    @property
    def seconds(self) -> float:
        """Seconds since the start, without the time that did not count."""
        return perf_counter() - self._begun - self._left_out

    @property
    def over(self) -> bool:
        """Whether the time has passed."""
        return self.seconds >= self._seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """A context whose time does not count."""
        since = perf_counter()
        try:
            yield
        finally:
            self._left_out += perf_counter() - since

    def on(self, model: Model) -> Model:
        """The same model, timed; large calls are split into batches, so that they can be stopped."""

        def timed(call: Call) -> Any:
            if call.capability != "predict" or call.rows <= model.batch:
                return self._timed(call)
            starts = range(0, call.rows, model.batch)
            parts = [call.taking(rows=itemgetter(slice(i, i + model.batch))) for i in starts]
            return np.concatenate([np.atleast_1d(self._timed(part)) for part in parts])

        return model.through(timed)

    def _timed(self, call: Call) -> Any:
        if self.rows and self.over:
            self.up = True
            raise TimeUp
        begun = perf_counter()
        answer = call()
        self.inside += perf_counter() - begun
        self.rows += call.rows
        return answer


def _bytes(estimate: Estimate, *, complete: bool) -> int:
    """The bytes of the attributions made from an estimate: one attribution per target with its
    own arrays, and likewise for every member of an ensemble."""
    values = estimate.values.nbytes
    begun = complete or np.isfinite(estimate.values).any()
    error = 0 if begun else values
    if estimate.error is not None:
        error = estimate.error.nbytes
    players = 0 if estimate.players is None else estimate.players.nbytes * len(estimate.values)
    parts = sum(_bytes(part, complete=complete) for part in estimate.parts)
    return values + error + players + estimate.output.nbytes + estimate.base.nbytes + parts


def _peak_from_here() -> int | None:
    """Resident bytes now; also resets the system's record of their peak. None where that is impossible."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _resident("VmRSS")


def _resident(what: str) -> int | None:
    """A line of Linux's /proc/self/status in bytes, or None where there is none."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:")]
    return found[0] if found else None
