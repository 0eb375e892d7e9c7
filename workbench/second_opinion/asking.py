"""The question to a referee; its model calls are counted and stoppable, and leave nothing changed."""

from __future__ import annotations

import importlib
import logging
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution, Call, Inputs, Model
from workbench.errors import missing

Array = NDArray[np.float64]

MOST_ROWS = 20_000
"""Model rows that a sampled referee spends on one explained row, unless its smallest sample is more."""


class Stopped(BaseException):
    """Raised on cancel while another library computes. Not an `Exception`, so no library catches it."""


@dataclass
class Meter:
    """Counts the model rows that a referee uses, and stops its work on cancel."""

    stop: Callable[[], bool] = field(default=lambda: False)
    rows: int = 0

    def count(self, rows: int) -> None:
        """Note that `rows` are about to be evaluated.

        Raises:
            Stopped: the check was cancelled.
        """
        if self.stop():
            raise Stopped
        self.rows += rows

    def on(self, model: Model) -> Model:
        """The same model, counted and stoppable."""

        def counted(call: Call) -> Any:
            self.count(call.rows)
            return call()

        return model.through(counted)


@dataclass(frozen=True, eq=False)
class Question:
    """One row's explanation, in the form a referee needs.

    Args:
        attribution: the explanation that is checked; a referee reads its rows, players and recipe only.
        model: the model, counted.
        original: the model itself, for its native object.
        row: which row.
        weights: the target as weights over the outputs `(k,)`.
        meter: for model rows that are evaluated outside `model`.
    """

    attribution: Attribution
    model: Model
    original: Model
    row: int
    weights: Array
    meter: Meter

    @property
    def inputs(self) -> Inputs:
        """The explained rows and their background."""
        return self.attribution.inputs

    @property
    def method(self) -> Any:
        """The recipe."""
        return self.attribution.method

    @property
    def values(self) -> NDArray[Any]:
        """The row itself `(*f)`."""
        row: NDArray[Any] = self.inputs.values[self.row]
        return row

    def explained(self, rows: NDArray[Any]) -> Array:
        """The explained number of each of these rows `(n,)`, a batch at a time."""
        size = self.original.batch
        parts = [
            self.model.scores(rows[start : start + size]) @ self.weights
            for start in range(0, len(rows), size)
        ]
        return np.concatenate(parts)


def peer(module: str) -> Any:
    """A module of another library, imported without its warnings and log lines.

    Raises:
        MissingDependency: it is not installed; names the extra.
    """
    library = module.split(".")[0]
    try:
        with undisturbed():
            return importlib.import_module(module)
    except ImportError as error:
        if (error.name or library).split(".")[0] != library:
            raise
        raise missing("referees", f"A second opinion by {library}") from None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Restores random states, and suppresses other libraries' warnings and log lines."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    torch = sys.modules.get("torch")
    torch_state = None if torch is None else torch.random.get_rng_state()
    log = logging.getLogger("shap")
    silent, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = silent
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        if torch is not None:
            torch.random.set_rng_state(torch_state)


def credit(attribution: Attribution, row: int) -> tuple[Array, Array, tuple[str, ...]]:
    """Our values of one row, their standard errors (zeros where nothing was sampled) and names, all `(p,)`.

    One entry per player; per column, pixel or place where no players were played.
    """
    if _plays_players(attribution):
        owner = np.asarray(attribution.owners(row))
        count = int(owner.max()) + 1
        names = attribution.names[:count]
        values, error = attribution.by_player(row), attribution.error_by_player(row)
    else:
        values = attribution.values[row].ravel()
        error = None if attribution.error is None else attribution.error[row].ravel()
        count, names = len(values), _places(attribution)
    spread = np.zeros(count) if error is None else np.nan_to_num(error[:count])
    return values[:count], spread, names


def plays_columns(attribution: Attribution) -> bool:
    """Whether single columns were the players even where there are groups, so that columns are checked."""
    return bool(getattr(attribution.method, "sums_groups", False))


def _plays_players(attribution: Attribution) -> bool:
    return attribution.players is not None and not plays_columns(attribution)


def _places(attribution: Attribution) -> tuple[str, ...]:
    inputs = attribution.inputs
    kind = inputs.of_kind
    if kind.place_names is not None:
        return kind.place_names(inputs)
    shape = attribution.values.shape[1:]
    unknown = tuple(f"axis {axis}" for axis in range(len(shape)))
    words = (*kind.place_words, *unknown[len(kind.place_words) :])[: len(shape)]
    return tuple(
        ", ".join(f"{word} {at}" for word, at in zip(words, place, strict=True))
        for place in np.ndindex(*shape)
    )
