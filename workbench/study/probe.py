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
from workbench.core.explaining import asked_about
from workbench.study.cell import CellRun

SHARE = 0.02
"""The most of a run's model rows that its probe may ask for."""


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
    very first. Both together ask for at most `SHARE` of the cell's model rows: of a larger call, the first
    rows. Where that is less than one row, where the method does not say how many it asks for, or where
    the model is metered, nothing is asked, and nothing is known. The caller may stop at each sign of life.

    Args:
        study: the study that gives rows and targets.
        model: the model to ask.
        cost: the cell's recipe and model rows.
        known: the scores that earlier cells of the study computed, as `workbench.steps` keeps them; this
            cell's scores are added.
        seconds: how long it may take.
    """
    cost = replace(cost, result_bytes=_least_bytes(study, len(asked_about(model))))
    allowed = allowance(model, cost)
    if allowed is None:
        yield cost
        return
    before = _peak_from_here()
    scores = dict(known)
    kept = (study.inputs.values, study.inputs.background)
    clock = Clock(seconds, (allowed + 1) // 2, kept)
    cost = yield from _begun(study, model, cost, scores, clock, once=True)
    # The time that was not the model's is not spent again: the second beginning has it too.
    left, rows = seconds - clock.inside, allowed - clock.asked
    if left > clock.inside and (clock.spent or not clock.up) and (rows or not clock.asked):
        scores = dict(known)
        again = Clock(left, rows, kept)
        cost = yield from _begun(study, model, cost, scores, again, once=False)
    known.update(scores)
    reached = _resident("VmHWM")
    grown = None if before is None or reached is None else max(0, reached - before)
    yield replace(cost, working_bytes=grown)


def allowance(model: Model, cost: Cost) -> int | None:
    """How many model rows a probe may ask for, or None where there must be none.

    >>> from workbench.methods import Occlusion
    >>> model = Model("m", lambda rows: rows, ("y",), "raw")
    >>> [allowance(model, Cost("m", Occlusion(), (n, n))) for n in (90_240, 149, 49, 0)]
    [1804, 2, None, 0]
    """
    if cost.evaluations is None or any(one.metered for one in (model, *asked_about(model))):
        return None
    fewest = cost.evaluations[0]
    allowed = int(SHARE * fewest)
    return allowed if allowed or not fewest else None


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
    cell = CellRun(study, model, cost.method, known, through=clock.on)
    progress = cell.explaining.attribute(cost.method, study.inputs, study.targets)
    try:
        for last in progress:
            share = last.done / max(last.total, 1)
            marks.append(Mark(clock.seconds + clock.owed, clock.rows, share))
            with clock.stopped():
                if len(marks) == 1:
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
        marks.append(Mark(clock.seconds + clock.owed, clock.rows, share))
    if (
        clock.up and len(marks) == 1
    ):  # what the method did around few calls is not done for every row
        model_seconds = clock.inside + clock.owed
        marks.insert(0, Mark(marks[0].seconds - model_seconds, 0, 0.0))
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
    """Counts a model's answered rows, and refuses calls once the time is up or the rows are spent.

    The scores of the study's own rows and background are asked for first, and whole. Of these, as many as
    may be are asked, and stand for the others, so that the method can go on: no result is kept.

    Attributes:
        rows: answered so far, with those that others stand for.
        asked: rows that the model was really asked.
        inside: seconds spent in the model's calls.
        owed: seconds that the rows would have taken which others stand for.
        up: whether a call was refused.
        spent: whether that was because no more rows may be asked.

    Args:
        seconds: how long calls may begin.
        most: how many rows may be asked.
        kept: the arrays of the study's own rows and background.
    """

    def __init__(self, seconds: float, most: int, kept: Sequence[NDArray[Any] | None]) -> None:
        self.rows = self.asked = 0
        self.inside = self.owed = 0.0
        self.up = self.spent = False
        self._begun = perf_counter()
        self._left_out = 0.0
        self._seconds, self._most = seconds, most
        self._kept = {id(one) for one in kept if one is not None}

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
            if call.capability != "predict":
                return self._timed(call)
            if id(call["rows"]) in self._kept and 0 < self._left < call.rows:
                return self._standing_in(call, in_batches)
            return in_batches(call)

        def in_batches(call: Call) -> Any:
            if call.rows <= model.batch:
                return self._timed(call)
            starts = range(0, call.rows, model.batch)
            parts = [call.taking(rows=itemgetter(slice(i, i + model.batch))) for i in starts]
            return np.concatenate([np.atleast_1d(self._timed(part)) for part in parts])

        return model.through(timed)

    @property
    def _left(self) -> int:
        return self._most - self.asked

    def _standing_in(self, call: Call, ask: Callable[[Call], Any]) -> Any:
        """The scores of the first rows, again and again in place of the others."""
        some, before = self._left, self.inside
        scores = np.asarray(ask(call.leading(some)))
        others = call.rows - some
        self.owed += others * (self.inside - before) / some
        self.rows += others
        return scores[np.arange(call.rows) % some]

    def _timed(self, call: Call) -> Any:
        if self.rows and self.over:
            self.up = True
            raise TimeUp
        some = min(call.rows, self._left)
        answer = None
        if some:
            begun = perf_counter()
            answer = (call if some == call.rows else call.leading(some))()
            self.inside += perf_counter() - begun
            self.rows += some
            self.asked += some
        if some < call.rows:
            self.up = self.spent = True
            raise TimeUp
        return answer


def _least_bytes(study: Study, members: int) -> int:
    """The bytes of the attributions before any estimate is there; errors are counted."""
    inputs, t = study.inputs, len(study.targets)
    n, places = len(inputs), int(np.prod(inputs.places))
    players = places if inputs.of_kind.shared_players else n * places
    each = 2 * t * n * places + 2 * t * n + t * players
    return 8 * each * (members + 1 if members > 1 else 1)


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
