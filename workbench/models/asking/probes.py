"""Is a model a function of one row? A few rows are scored twice, and among other neighbors."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model
from workbench.errors import InputError
from workbench.models.asking.turns import random_states_kept

TRIED = 8
"""Rows scored at a time: so few that every adapter takes them in one batch."""

_MOVED = 4  # the number of rows whose neighbors are changed
_ROUNDING = 0.03  # of a score: the place in a batch may change the kernel, and bfloat16 has 8 bits


@dataclass(frozen=True)
class Probed:
    """The result of scoring a few rows in several ways.

    Args:
        finite: whether every score is a number.
        repeat_gap: the largest difference between the scores of the same rows, computed twice; the second
            time with other random states, because every adapter restores them before a call.
        batch_gap: the largest difference between a row's scores among other rows and among its own copies,
            or between those copies; 0 where the scores are random, which makes it impossible to tell.
    """

    finite: bool
    repeat_gap: float
    batch_gap: float

    @property
    def repeatable(self) -> bool:
        """Whether the same rows always have the same scores."""
        return self.repeat_gap == 0

    @property
    def independent(self) -> bool:
        """Whether a row's scores do not depend on the rows beside it."""
        return self.batch_gap == 0

    @property
    def gap(self) -> float:
        """How much a score depends on the moment of the call or on the rows beside it; in its scale."""
        return max(self.repeat_gap, self.batch_gap)

    @property
    def faults(self) -> tuple[str, ...]:
        """What makes explanations doubtful, in sentences.

        >>> Probed(True, 0.0, 0.02).faults
        ("A row's scores depend on the rows beside it (by up to 0.02), so sums need not add up.",)
        """
        found = []
        if not self.finite:
            found.append("Some scores are NaN or infinite.")
        if not self.repeatable:
            found.append(
                f"The same rows have other scores when asked again (by up to {self.repeat_gap:.2g}): "
                "something in the model is random."
            )
        if not self.independent:
            found.append(
                f"A row's scores depend on the rows beside it (by up to {self.batch_gap:.2g}), so sums "
                "need not add up."
            )
        return tuple(found)


def probed(model: Model, rows: Inputs | NDArray[Any]) -> Probed:
    """Whether a model's scores are finite, repeatable and independent of the batch.

    A row is compared among other rows and among copies of itself, in batches of one size and at one place:
    the same kernels compute it then, and an independent model gives the same bits in any precision. (Alone
    it would not: kernels for one row add in another order.) The copies' scores may differ by rounding and
    no more; dropout that stays on gives each place of a batch another mask, and shows here.

    >>> centered = Model("centered", lambda rows: rows - rows.mean(axis=0), ("y",), "raw")
    >>> probed(centered, np.array([[1.0], [3.0]])).batch_gap  # -1 beside 3, 0 beside itself
    1.0

    Args:
        rows: the first `TRIED` of them are scored.

    Raises:
        InputError: there are no rows.
    """
    some = np.asarray((rows.values if isinstance(rows, Inputs) else rows)[:TRIED])
    if not len(some):
        raise InputError(f"Rows to try {model.name!r} on are needed, but there are none.")
    if len(some) == 1:
        some = np.concatenate([some, beside(some)])
    scores = _scores(model, some)
    with other_random_states():
        again = _scores(model, some)
    finite = bool(np.isfinite(scores).all())
    repeat_gap = _gap(scores, again)
    batch_gap = 0.0
    rounding = _ROUNDING * float(np.abs(scores[np.isfinite(scores)]).max(initial=0.0))
    for i in range(min(_MOVED, len(some))):
        copies = np.repeat(some[i : i + 1], len(some), axis=0)
        beside_copies = _scores(model, copies)
        by_place = _gap(beside_copies, beside_copies[i])
        batch_gap = max(
            batch_gap, _gap(scores[i], beside_copies[i]), by_place if by_place > rounding else 0.0
        )
    return Probed(finite, repeat_gap, batch_gap if repeat_gap == 0 else 0.0)


def beside(row: NDArray[Any]) -> NDArray[Any]:
    """A neighbor for a single row `(1, *f)`, whose size reveals a scale that a batch shares.

    Twice the row; whole numbers in a table stay, because twice a code, a length or a token may be none.

    >>> beside(np.array([[3.0, 0.5]])), beside(np.array([[[[2.0]]]]))
    (array([[3., 1.]]), array([[[[4.]]]]))
    """
    return 2 * row if row.ndim > 2 else np.where(row == np.round(row), row, 2 * row)


@contextmanager
def other_random_states() -> Iterator[None]:
    """In this context the global random states of Python, NumPy and torch differ from those before."""
    torch = sys.modules.get("torch")
    with random_states_kept():
        random.seed(random.getrandbits(64))
        np.random.seed(np.random.randint(2**31))
        if torch:
            torch.manual_seed(int(torch.randint(2**31, ())))
        yield


def _scores(model: Model, rows: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(model.predict(rows), dtype=np.float64)


def _gap(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """The largest difference; two NaN or two equal infinities do not differ."""
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        return float(np.where(same, 0.0, np.abs(left - right)).max())
