"""Whether a model is a function of one row: tested once, when it is wrapped or first explained."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model
from workbench.errors import WorkbenchError
from workbench.models.asking.failures import failures
from workbench.models.asking.probes import TRIED, beside, other_random_states, probed
from workbench.models.asking.turns import unmoving

_ROUNDING = 1e-6  # of a score: kernels that add in no fixed order move float32 by this much

_TRIALS: weakref.WeakKeyDictionary[Model, Trial] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


def trial_of(model: Model) -> Callable[[Inputs], None]:
    """The model's trial; for a bare `Model`, which has none, one that is kept as long as the model."""
    if model.trial is not None:
        return model.trial
    with _GUARD:
        return _TRIALS.setdefault(model, Trial(unmoving(model).predict))


def remarks_of(model: Model) -> tuple[str, ...]:
    """The model's remarks, with what a trial found where the model has none of its own."""
    found = _TRIALS.get(model)
    return (*model.remarks(), *(() if found is None else found.remarks()))


class Trial:
    """A test of a model, made once: four model rows in two calls, which are not counted.

    A row is scored beside another, then beside itself while other random numbers are drawn. Where its
    scores are the same, nothing more is done. Where they differ, `probed` finds why; see `remarks`.

    Args:
        predict: rows `(n, *f)` to scores `(n, k)`.
        lock: what `predict` holds while it computes; a new lock when left out. Random states belong to the
            whole process, so nobody may call the model between their change here and their return.
    """

    def __init__(self, predict: Callable[[NDArray[Any]], NDArray[Any]], lock: Any = None) -> None:
        self._predict = predict
        self._lock = threading.RLock() if lock is None else lock
        self._done = False
        self._found: tuple[str, ...] = ()

    def remarks(self) -> tuple[str, ...]:
        """What was found, in sentences."""
        return self._found

    def __call__(self, inputs: Inputs, /) -> None:
        """Make the test, if it was not made yet; a model that fails will show it to its next caller."""
        with self._lock:
            if self._done or not len(inputs):
                return
            try:
                found = self._odd(_pair(inputs)) and self._verdict(inputs)
            except WorkbenchError:
                return
            except failures():  # a bare model may raise any of these
                return
            self._done, self._found = True, found or ()

    def _odd(self, pair: NDArray[Any]) -> bool:
        scores = np.asarray(self._predict(pair), dtype=np.float64)
        with other_random_states():
            again = np.asarray(self._predict(pair[[0, 0]]), dtype=np.float64)
        if scores.shape != again.shape or not (
            np.isfinite(scores).all() and np.isfinite(again).all()
        ):
            return False  # code that needs scores refuses these
        gap = max(np.abs(scores[0] - again[0]).max(), np.abs(scores[0] - again[1]).max())
        return bool(gap > _ROUNDING * np.abs(scores).max())

    def _verdict(self, inputs: Inputs) -> tuple[str, ...]:
        sizes: list[int] = []

        def predict(rows: NDArray[Any], /) -> NDArray[Any]:
            sizes.append(len(rows))
            return self._predict(rows)

        few = inputs.values[:TRIED] if len(inputs) > 1 else _pair(inputs)
        faults = probed(Model("tried", predict, ("score",), "raw"), few).faults
        if not faults:
            return ()
        return (
            *faults,
            f"This was tried once, with {sum(sizes) + 4} model rows that are not counted.",
        )


def _pair(inputs: Inputs) -> NDArray[Any]:
    """Two rows, the smaller one first, so that a scale shared by the batch is not that of the first."""
    rows = inputs.values[:2]
    if len(rows) < 2:
        other = beside(rows) if inputs.background is None else inputs.background[:1]
        rows = np.concatenate([rows, other])
    order = np.argsort([np.abs(row).max() for row in rows], kind="stable")
    return np.ascontiguousarray(rows[order])
