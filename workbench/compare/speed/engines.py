"""Engines that are timed in turns: one process per library, forked with its models."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from workbench.core import Model, clean
from workbench.errors import ModelError
from workbench.models.torch import TorchEngine

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Array = NDArray[Any]

_ORPHAN = 2.0  # seconds between a waiting child's checks that its parent still exists
_GRACE = 0.2  # seconds that a child has to end by itself

_SHARED = "Measured beside the other engines, whose threads may have slowed it, because {why}."


class Engine(Protocol):
    """Times one call of the named model, in seconds."""

    @property
    def note(self) -> str:
        """A note on how it is measured, or ""."""
        ...

    def turn(self, model: str) -> float:
        """Make one call, and return the seconds of the next."""
        ...

    def close(self) -> None:
        """End the process, if one was started."""
        ...


def engine_name(model: Model) -> str:
    """The library that computes a model's scores, such as "torch" or "sklearn"; "python" for functions.

    >>> engine_name(Model("sum", lambda rows: rows.sum(1, keepdims=True), ("y",), "raw"))
    'python'
    """
    if model.combination is not None:
        names = {engine_name(member) for member in model.combination.members}
        return " and ".join(sorted(names))
    engine = getattr(model.predict, "__self__", None)
    if isinstance(engine, TorchEngine):
        return "torch"
    library = getattr(engine, "library", None)  # an adapter's engine names its library
    if isinstance(library, str):
        return library
    if model.native is None or (callable(model.native) and hasattr(model.native, "__code__")):
        return "python"
    return type(model.native).__module__.partition(".")[0]


def timed(model: Model, rows: Array) -> float:
    """The seconds of one call, after one that warms the caches."""
    model.predict(rows)
    began = time.perf_counter()
    model.predict(rows)
    return time.perf_counter() - began


@dataclass(frozen=True)
class _Here:
    """The models of one library, in this process."""

    models: Mapping[str, Model]
    rows: Array
    note: str

    def turn(self, model: str) -> float:
        return timed(self.models[model], self.rows)

    def close(self) -> None:
        """Nothing was started."""


def here(models: Mapping[str, Model], rows: Array) -> Engine:
    """The models of one library in this process, with a note why."""
    return _Here(models, rows, _SHARED.format(why=_no_fork() or "it was asked for"))


class _Process:
    """The models of one library, in a fork of this process."""

    note = ""

    def __init__(self, name: str, models: Mapping[str, Model], rows: Array, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        import multiprocessing

        context = multiprocessing.get_context("fork")
        self.connection, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(other, models, rows), daemon=True, name=f"latency of {name}"
        )
        with warnings.catch_warnings():
            # Python 3.12 warns that a fork may find locks of other threads taken: the timeout is for that.
            warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)
            self.process.start()
        other.close()

    def turn(self, model: str) -> float:
        try:
            self.connection.send(model)
            if not self.connection.poll(self.timeout):
                self.close()
                raise ModelError(
                    f"Model {model!r} must answer within {self.timeout:g} seconds, but its process "
                    f"({self.name}) did not. It may wait for threads that a forked process does not have: "
                    "give fewer rows or a longer timeout=, or time it in a script of its own."
                )
            answer = self.connection.recv()
        except (EOFError, OSError) as error:
            self.close()
            raise ModelError(
                f"The process of {self.name} that timed model {model!r} ended without an answer (exit code "
                f"{self.process.exitcode}). It may have run out of memory: give fewer rows, or leave the "
                "model out."
            ) from error
        if isinstance(answer, str):
            raise ModelError(f"Model {model!r} could not be timed: {answer}")
        return float(answer)

    def close(self) -> None:
        with suppress(OSError, ValueError):
            self.connection.send(None)
        self.connection.close()
        self.process.join(_GRACE)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


def started(name: str, models: Mapping[str, Model], rows: Array, timeout: float) -> Engine | None:
    """The models of one library in a process of their own, or None where there is no safe fork."""
    return None if _no_fork() else _Process(name, models, rows, timeout)


def _no_fork() -> str:
    """Why this process cannot be forked, or ""."""
    import multiprocessing

    if "fork" not in multiprocessing.get_all_start_methods():
        return "this system cannot fork processes"
    if sys.platform == "darwin":
        return "forks are not safe on macOS"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "a GPU in use cannot be taken into a fork"
    return ""


# What a model of another library, or a function of the user's, may raise when it cannot answer; anything
# else ends the child, which its parent reports.
_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def _serve(connection: Connection, models: Mapping[str, Model], rows: Array) -> None:
    """The child process: answers each name on one thread, until it is stopped or its parent is gone."""
    _use_one_thread()
    parent = os.getppid()
    while True:
        while not connection.poll(_ORPHAN):
            if os.getppid() != parent:
                return
        name = connection.recv()
        if name is None:
            return
        try:
            answer: float | str = timed(models[name], rows)
        except _FAILURES as error:
            answer = clean(str(error).strip() or type(error).__name__)
        connection.send(answer)


def _use_one_thread() -> None:
    """Forget the parent's threads: a fork has none of them, so waiting for them would never end."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    threadpool_limits(1)
