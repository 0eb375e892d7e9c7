"""A timed probe: one cell of a study, started as it will run and stopped after a moment."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Cost, Estimate, Evaluations, Model, Study
from workbench.core.explaining import asked_about
from workbench.errors import ModelError, WorkbenchError
from workbench.study.cell import CellRun
from workbench.study.clock import Clock, TimeUp

SHARE = 0.02
"""The most of a run's model rows that its probe may ask for."""

GUESS = 3
"""Times the fewest model rows that a tolerance may take, where a probe is too small to tell."""


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
    very first. Both together ask for at most `SHARE` of the cell's model rows; other rows are answered by
    repeating what was said, and the time that the model would have taken is owed (see `Clock`). Where a
    tolerance may stop the work early, a method may tell from a pilot how much it will take. Where
    `SHARE` is less than one row, where the method does not say how many it asks for, or where the model is
    metered, nothing is asked, and nothing is known. The caller may stop at each sign of life.

    Args:
        study: the study that gives rows and targets.
        model: the model to ask.
        cost: the cell's recipe and model rows.
        known: the scores that earlier cells of the study computed, as `workbench.steps` keeps them; this
            cell's scores are added.
        seconds: how long it may take.
    """
    cost = replace(cost, result_bytes=_least_bytes(study, len(asked_about(model))))
    allowed = allowance(cost)
    if allowed is None:
        yield cost
        return
    before = _peak_from_here()
    pilot, probable = _foretold(study, model, cost, allowed, seconds)
    cost, allowed = replace(cost, probable=probable), allowed - pilot.asked
    scores = dict(known)
    clock = Clock(seconds - pilot.inside, (allowed + 1) // 2, pilot)
    cost = yield from _begun(study, model, cost, scores, clock, once=True)
    # The time that was not the model's is not spent again: the second beginning has it too.
    left, rows = seconds - pilot.inside - clock.inside, allowed - clock.asked
    if left > 0 and (rows or not clock.asked):
        scores = dict(known)
        again = Clock(left, rows, clock)
        cost = yield from _begun(study, model, cost, scores, again, once=False)
    known.update(scores)
    reached = _resident("VmHWM")
    grown = None if before is None or reached is None else max(0, reached - before)
    yield replace(cost, working_bytes=grown)


def allowance(cost: Cost) -> int | None:
    """How many model rows a probe may ask for, or None where there must be none.

    >>> from workbench.methods import Occlusion
    >>> [allowance(Cost("m", Occlusion(), (n, n))) for n in (90_240, 149, 49, 0)]
    [1804, 2, None, 0]
    """
    if cost.evaluations is None or cost.metered:
        return None
    fewest = cost.evaluations[0]
    allowed = int(SHARE * fewest)
    return allowed if allowed or not fewest else None


def _foretold(
    study: Study, model: Model, cost: Cost, allowed: int, seconds: float
) -> tuple[Clock, tuple[int, int] | None]:
    """What half of the rows tell of how early a tolerance will stop the work; else a guess."""
    members = len(asked_about(model))
    rows = allowed // 2 // members
    clock = Clock(seconds / 2, rows, real=True)
    foretell = getattr(cost.method, "foretold", None)
    if foretell is None or cost.evaluations is None or cost.evaluations[0] == cost.evaluations[1]:
        return clock, None
    fewest, most = cost.evaluations
    try:
        told: Evaluations | None = foretell(clock.on(model), study.inputs, study.targets, rows)
    except TimeUp:
        told = None
    clock.asked *= members
    if told is None:
        return clock, (fewest, min(GUESS * fewest, most))
    low, high = (min(max(members * one, fewest), most) for one in (told.fewest, told.most))
    return clock, (low, high)


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
    except WorkbenchError as error:
        # Scores that stand for others may be what a method refuses; what the model said is its own.
        if isinstance(error, ModelError) or not clock.spent:
            raise
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
    asked = cost.probable or cost.evaluations
    # Scores that stand for others reach a tolerance at another time than the model's own.
    ended = finished and (not clock.spent or asked == (clock.rows, clock.rows))
    rows = 0 if clock.spent else len(study.inputs)  # scores that stand for others end rows early
    whole = seconds_of(marks, finished=ended, evaluations=asked, rows=rows)
    return replace(cost, seconds=whole, finished=finished and not clock.spent)


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
        rows: how many rows are explained; 0 where those that were finished are not typical.
    """
    last = marks[-1]
    if finished:
        return last.seconds, last.seconds
    if evaluations is not None and (evaluations[0] < evaluations[1] or last.rows < evaluations[1]):
        pace = _pace(marks, lambda mark: mark.rows)
        # Below zero where scores that stand for others kept a tolerance from being reached.
        ahead = [float(count - last.rows) for count in evaluations]
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
