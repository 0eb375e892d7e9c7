"""`Clock`: a model that is timed, and that stops, or is stood in for, once it was asked enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from time import perf_counter
from typing import Any

import numpy as np

from workbench.core import Call, Model

_ROW_AXIS = {"gradients": 1, "map_gradients": 1}
"""Where the rows are in an answer's part, if they do not come first."""


class TimeUp(BaseException):
    """Stops a method in the middle of its work. Not an `Exception`, so that no method catches it."""


class Clock:
    """Counts a model's answered rows, and refuses calls once the time is up.

    Of the rows that may be asked, a call gets at most half of what is left, so that calls of many sizes are
    timed: a call's own cost is told from that of its rows. The rest of an answer repeats its first rows, so
    that the method goes on and its own work is timed too: no result is kept.

    Attributes:
        rows: answered so far, with those that others stand for.
        asked: rows that the model was really asked.
        inside: seconds spent in the model's calls.
        owed: seconds that the rows would have taken which others stand for.
        up: whether a call was refused.
        spent: whether rows had to stand for others.

    Args:
        seconds: how long calls may begin.
        most: how many rows may be asked.
        before: an earlier clock of the same model, whose timings also count, but for its first call's.
        real: refuse, rather than let rows stand for others.
    """

    def __init__(
        self, seconds: float, most: int, before: Clock | None = None, *, real: bool = False
    ) -> None:
        self.rows = self.asked = 0
        self.inside = self.owed = 0.0
        self.up = self.spent = False
        self._begun = perf_counter()
        self._left_out = 0.0
        self._seconds, self._most, self._real = seconds, most, real
        self._timings: list[tuple[str, int, float]] = []
        self._earlier: list[tuple[str, int, float]] = []
        if before is not None:
            self._earlier = [*before._earlier, *before._timings[1:]]
        self._said: dict[str, Any] = {}

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
        left = self._most - self.asked
        some = call.rows if self._real or 2 * call.rows <= left else min(left, max(1, left // 2))
        some = min(some, call.rows, left)
        taken = 0.0
        if some:
            begun = perf_counter()
            answer = (call if some == call.rows else call.leading(some))()
            taken = perf_counter() - begun
            self.inside += taken
            self.asked += some
            self._timings.append((call.capability, some, taken))
            self._said[call.capability] = call, answer, some
        if some == call.rows:
            self.rows += some
            return answer
        self.spent = True
        answer = None if self._real else self._repeated(call)
        if answer is None:
            self.rows += some
            self.up = True
            raise TimeUp
        self.rows += call.rows
        self.owed += max(0.0, self._seconds_of(call) - taken)
        return answer

    def _repeated(self, call: Call) -> Any:
        """An answer whose rows repeat what the model said last; None if it said nothing of the kind."""
        known = self._said.get(call.capability)
        if known is None and call.scores_alone:
            known = next((one for one in self._said.values() if one[0].scores_alone), None)
        if known is None:
            return None
        asked, answer, some = known
        again = np.arange(call.rows) % some

        def longer(name: str) -> Any:
            return lambda part: (
                None if part is None else np.take(part, again, _ROW_AXIS.get(name, 0))
            )

        return asked.giving(answer, **{name: longer(name) for name in asked.gives})

    def _seconds_of(self, call: Call) -> float:
        every = [*self._earlier, *self._timings]
        alike = [one for one in every if one[0] == call.capability]
        own, each = line([one[1:] for one in alike or every])
        return own + each * call.rows


def line(timings: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Seconds for a call, and for each of its rows, from some that were timed.

    The median slope between two calls, and the median of what that leaves (Theil 1950, Sen 1968): one call
    that was held up does not count. Neither is below zero.

    >>> own, each = line([(10, 0.3), (20, 0.4), (80, 1.0)])
    >>> round(own, 6), round(each, 6)
    (0.2, 0.01)
    >>> line([(4, 2.0)])  # a single size: all of it goes with the rows
    (0.0, 0.5)

    Args:
        timings: (rows, seconds) of calls.
    """
    rows, seconds = np.array(timings, dtype=float).T
    i, j = np.triu_indices(len(rows), 1)
    other = rows[i] != rows[j]
    if not other.any():
        return 0.0, float(np.median(seconds / rows))
    slopes = (seconds[j] - seconds[i])[other] / (rows[j] - rows[i])[other]
    each = max(0.0, float(np.median(slopes)))
    own = float(np.median(seconds - each * rows))
    return (own, each) if own > 0.0 else (0.0, float(np.median(seconds / rows)))
