"""How long models take for the same rows, measured so that they do not slow each other down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.compare.speed.engines import Engine, engine_name, here, started
from workbench.core import Inputs, Model
from workbench.errors import InputError

Pace = Literal["reference", "faster", "slower", "inconclusive"]
"""Against the first model; inconclusive where the middle halves of the times overlap."""

_REST = 0.01  # seconds between turns: the threads of some engines spin for a while after a call


@dataclass(frozen=True, eq=False)
class Latency:
    """The seconds one model takes per call, and whether that differs from the first model's.

    Args:
        model: its name.
        engine: the library that computes; each has a process of its own.
        rows: rows per call.
        seconds: per timed call, in the order of the rounds `(r,)`.
        median: of `seconds`.
        low: their first quartile.
        high: their third quartile.
        pace: see `Pace`.
        note: a remark on how it was measured, or "".
    """

    model: str
    engine: str
    rows: int
    seconds: NDArray[np.float64]
    median: float
    low: float
    high: float
    pace: Pace
    note: str = ""


def latency(
    models: Sequence[Model],
    inputs: Inputs,
    *,
    rows: int = 1,
    rounds: int = 30,
    timeout: float = 60.0,
) -> tuple[Latency, ...]:
    """Median and quartiles of each model's seconds per call, and a verdict against the first.

    Every engine (torch, ONNX Runtime, ...) computes in a process of its own with one thread, because
    engines in one process slow each other down. Models take turns, A B C A B C, so that other load on the
    machine affects all of them alike; in each turn, one call is made before the timed one.

    The processes are forks of this one, which takes models along as they are: pickling live models is
    neither safe nor always possible. Where there is no fork (Windows, macOS, a GPU in use) the same turns
    are taken here, and the notes say so.

    Args:
        models: the others are compared with the first.
        inputs: its first rows are used.
        rows: rows per call.
        rounds: timed calls per model.
        timeout: seconds to wait for one turn before the engine's process is ended.

    Raises:
        InputError: no models, two of one name, or numbers out of range.
        ModelError: a model failed, or its process died or did not answer in time.
    """
    models = tuple(models)
    _check(models, inputs, rows, rounds, timeout)
    given = np.asarray(inputs.values[:rows])
    names = [engine_name(model) for model in models]
    engines = _engines(models, names, given, timeout)
    seconds = np.zeros((rounds, len(models)))
    try:
        for turn in range(rounds):
            for i, model in enumerate(models):
                time.sleep(_REST)
                seconds[turn, i] = engines[names[i]].turn(model.name)
    finally:
        for engine in engines.values():
            engine.close()
    paces = verdicts(seconds)
    low, median, high = np.quantile(seconds, (0.25, 0.5, 0.75), axis=0)
    return tuple(
        Latency(
            model.name,
            names[i],
            rows,
            seconds[:, i],
            float(median[i]),
            float(low[i]),
            float(high[i]),
            paces[i],
            engines[names[i]].note,
        )
        for i, model in enumerate(models)
    )


def verdicts(seconds: NDArray[np.float64]) -> tuple[Pace, ...]:
    """Times `(rounds, models)` to each model's pace against the first.

    >>> verdicts(np.array([[4.0, 1.0, 4.0], [5.0, 2.0, 4.5], [6.0, 3.0, 5.0]]))
    ('reference', 'faster', 'inconclusive')
    """
    low, high = np.quantile(seconds, (0.25, 0.75), axis=0)
    found: list[Pace] = ["reference"]
    for i in range(1, seconds.shape[1]):
        if high[i] < low[0]:
            found.append("faster")
        elif low[i] > high[0]:
            found.append("slower")
        else:
            found.append("inconclusive")
    return tuple(found)


def _engines(
    models: tuple[Model, ...], names: list[str], given: NDArray[np.float64], timeout: float
) -> dict[str, Engine]:
    """One engine for each library, all ready before the first turn."""
    engines: dict[str, Engine] = {}
    try:
        for name in dict.fromkeys(names):
            mine = {one.name: one for one, its in zip(models, names, strict=True) if its == name}
            engines[name] = started(name, mine, given, timeout) or here(mine, given)
    except BaseException:
        for engine in engines.values():
            engine.close()
        raise
    return engines


def _check(
    models: tuple[Model, ...], inputs: Inputs, rows: int, rounds: int, timeout: float
) -> None:
    if not models:
        raise InputError("Latency needs at least one model, but none was given.")
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(
            f"Models to be timed need different names, but {twice} occur more than once. Rename them with "
            "model.renamed(...)."
        )
    if not 1 <= rows <= len(inputs):
        raise InputError(
            f"rows must lie in 1..{len(inputs)}, the rows of {inputs.name!r}, not {rows}."
        )
    if rounds < 3:
        raise InputError(
            f"rounds must be at least 3, for quartiles to mean something, not {rounds}."
        )
    if not timeout > 0:
        raise InputError(f"timeout must be a number of seconds above 0, not {timeout!r}.")
