"""A live object of another library, called by one thread at a time; its errors name what failed."""

from __future__ import annotations

import random
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Call, Model
from workbench.errors import WorkbenchError
from workbench.models.asking.failures import failed, failures

_LOCKS: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_GUARD = threading.Lock()


class Serialized:
    """The scores of an object: one thread at a time, random states put back, failures as `ModelError`.

    Libraries promise different things about threads, and a function promises nothing, so all models that
    wrap the same object share one lock.

    Args:
        name: what messages call the model.
        native: the object; for a bound method, the object it belongs to.
        answer: rows `(n, *f)` to scores `(n, k)`.
        advice: from the number of rows of a failed call to a sentence on what to do now.
    """

    def __init__(
        self,
        name: str,
        native: object,
        answer: Callable[[NDArray[Any]], NDArray[Any]],
        advice: Callable[[int], str] = lambda _: "Give rows like those it was fitted on.",
    ) -> None:
        self.name = name
        owner = getattr(native, "__self__", None)
        self._native = native if owner is None else owner  # kept, so that its id is not used again
        self.lock = _lock_of(self._native)
        self._answer = answer
        self._advice = advice

    def __call__(self, rows: NDArray[Any], /) -> NDArray[Any]:
        """Scores `(n, k)`.

        Raises:
            ModelError: the object failed.
        """
        with self.lock, random_states_kept():
            try:
                return self._answer(rows)
            except WorkbenchError:
                raise
            except failures() as error:
                raise failed(self.name, error, rows, self._advice) from error


@contextmanager
def random_states_kept() -> Iterator[None]:
    """In this context the global random states of Python, NumPy and torch are kept, and put back after.

    Torch's only where it has been imported: on the CPU, and on every CUDA device in use.
    """
    ours, numpys = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    try:
        with nullcontext() if torch is None else torch.random.fork_rng(_devices(torch)):
            yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)


def unmoving(model: Model) -> Model:
    """The same model with calls that put back random states and name what failed.

    A model that an adapter made does so by itself, and comes back as it is.
    """
    if model.trial is not None:
        return model

    name = model.name  # not the model: what is kept beside it would keep it

    def kept(call: Call) -> Any:
        with random_states_kept():
            try:
                return call()
            except WorkbenchError:
                raise
            except failures() as error:
                rows = call["rows"] if "rows" in call.takes else call["masks"]
                raise failed(name, error, rows, _own_code) from error

    return model.through(kept)


def _own_code(_rows: int) -> str:
    return "Correct the function that it was made with, or give rows like those it was made for."


def _devices(torch: Any) -> list[int]:
    return [*range(torch.cuda.device_count())] if torch.cuda.is_initialized() else []


def _lock_of(native: object) -> Any:
    """The one lock of an object, as long as somebody holds it; also for objects that cannot be hashed."""
    with _GUARD:
        return _LOCKS.setdefault(id(native), threading.RLock())
