"""`Meter`: the real cost of an explanation, in rows that a model answered."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.call import Call
from workbench.core.inputs import Inputs
from workbench.core.model import Model


class Meter:
    """Counts the rows that a model is really asked for.

    The scores of the study's own rows and of its background are computed once per model.

    Args:
        inputs: the study's rows.
        known: scores that are already known, by model and rows; shared by all methods of a study.
        model: the study's own model. The counted model may be the same one wrapped in a clock.
    """

    def __init__(
        self, inputs: Inputs, known: dict[tuple[int, int], NDArray[Any]], model: Model
    ) -> None:
        self.rows = 0
        self._model = model
        self._kept = {id(inputs.values), id(inputs.background)}
        self._known = known

    def on(self, model: Model) -> Model:
        """The same model, counted: a row's score, gradient and maps count as one evaluation each."""
        return model.through(self._kept_or_asked)

    def _kept_or_asked(self, call: Call) -> Any:
        if call.capability != "predict" or id(call["rows"]) not in self._kept:
            return self._counted(call)
        key = (id(self._model), id(call["rows"]))  # the study keeps both alive while it runs
        if key not in self._known:
            self._known[key] = np.array(self._counted(call))
        return self._known[key].copy()

    def _counted(self, call: Call) -> Any:
        self.rows += call.rows
        return call()
