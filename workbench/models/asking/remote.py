"""A function whose answers cost something or may fail to arrive: asked again, and never twice for a row."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError, ModelError, WorkbenchError
from workbench.models.asking.failures import failures

Answer = Callable[[NDArray[Any]], NDArray[Any]]

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before the first further call; each wait after it is twice as long, up to the longest."""

REMEMBERED = 1_000_000
"""So many rows' answers are kept; the oldest go first."""

UNTRIED = (
    "The model is metered, so it was not tried: whether its scores are random, or depend on the rows "
    "beside, is not known."
)
"""What is said of a model on which nothing is spent beside the run."""


def waits_of(retries: int | Sequence[float]) -> tuple[float, ...]:
    """The seconds before each further call.

    >>> waits_of(3), waits_of(0), waits_of((0.5, 10))
    ((1.0, 2.0, 4.0), (), (0.5, 10.0))

    Raises:
        InputError: neither a number of calls nor seconds.
    """
    if isinstance(retries, int) and not isinstance(retries, bool) and retries >= 0:
        return tuple(min(FIRST_WAIT * 2.0**i, LONGEST_WAIT) for i in range(retries))
    if isinstance(retries, list | tuple):
        waits = [one for one in retries if isinstance(one, int | float) and 0 <= one < math.inf]
        if len(waits) == len(retries):
            return tuple(map(float, waits))
    raise InputError(
        "retries must be how often a failed call is made again, such as 3, or the seconds to wait before "
        f"each of these calls, such as (1, 5, 30), not {retries!r}."
    )


def asked_again(answer: Answer, waits: Sequence[float]) -> Answer:
    """The same function, which is called again after each wait as long as it raises; then its error passes.

    An answer that arrives but is wrong, such as one of another shape, is not asked for again.
    """

    def again(rows: NDArray[Any]) -> NDArray[Any]:
        for wait in waits:
            try:
                return answer(rows)
            except WorkbenchError:
                raise
            except failures():
                time.sleep(wait)
        return answer(rows)

    return again


class Memory:
    """A function's answers by row: a row is asked for once, also when an explanation begins again.

    >>> asked = []
    >>> def twice(rows):
    ...     asked.append(len(rows))
    ...     return 2 * rows
    >>> memory = Memory("twice", twice)
    >>> memory(np.array([[1.0], [2.0], [1.0]])).ravel(), memory(np.array([[2.0], [3.0]])).ravel(), asked
    (array([2., 4., 2.]), array([4., 6.]), [2, 1])

    Args:
        name: what messages call the model.
        answer: rows `(n, *f)` to scores `(n, k)`.
        most: how many rows' answers are kept.
    """

    def __init__(self, name: str, answer: Answer, most: int = REMEMBERED) -> None:
        self.name = name
        self._answer, self._most = answer, most
        self._known: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()
        self._spared = 0

    def remarks(self) -> tuple[str, ...]:
        """How many rows were not asked for again."""
        if not self._spared:
            return ()
        return (
            f"{self._spared:,} model rows were answered from memory: the model had answered the same rows "
            "before.",
        )

    def __call__(self, rows: NDArray[Any], /) -> NDArray[Any]:
        """Scores `(n, k)`; only rows that were never answered are asked for, each once.

        Raises:
            ModelError: another number of answers than of rows.
        """
        if rows.dtype.hasobject or not len(rows):  # the bytes of an object say nothing about it
            return self._answer(rows)
        keys = _keys(rows)
        found = {key: self._known[key] for key in keys if key in self._known}
        new = {key: i for i, key in reversed([*enumerate(keys)]) if key not in found}
        if new:
            at = sorted(new.values())
            scores = np.asarray(self._answer(rows[at]), dtype=np.float64)
            if len(scores) != len(at):
                raise ModelError(
                    f"Model {self.name!r} must answer {len(at)} rows with one row of scores each, but gave "
                    f"{len(scores)}. Wrap a function that returns one row of scores per input row."
                )
            for i, score in zip(at, scores, strict=True):
                found[keys[i]] = score
                if np.isfinite(score).all():
                    self._known[keys[i]] = score
        self._spared += len(rows) - len(new)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return np.stack([found[key] for key in keys])


def _keys(rows: NDArray[Any]) -> list[bytes]:
    """A short name for each row: equal rows have equal names, and no others do."""
    of = f"{rows.dtype.str}{rows.shape[1:]}".encode()
    return [blake2b(of + row.tobytes(), digest_size=16).digest() for row in rows]
