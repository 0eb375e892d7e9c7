"""`Meter`: what an explanation really cost, in rows that a model answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.inputs import Inputs
from workbench.core.model import Model


class Meter:
    """Counts the model rows that cross the seam: what an explanation really cost.

    The scores of the study's own rows and of its background are asked for once per model.

    Args:
        inputs: the study's rows.
        known: scores already asked for, by model and which rows; shared by all methods of a study.
        model: the study's own model. The one that is counted may be a copy of it, which goes through a
            clock.
    """

    def __init__(
        self, inputs: Inputs, known: dict[tuple[int, int], NDArray[Any]], model: Model
    ) -> None:
        self.rows = 0
        self._model = model
        self._kept = {id(inputs.values), id(inputs.background)}
        self._known = known

    def on(self, model: Model) -> Model:
        """The same model, counted: a row's score, gradient or maps are one evaluation each."""

        def counting(call: Any, position: int) -> Any:
            if call is None:
                return None

            def counted(*arguments: Any) -> Any:
                self.rows += len(arguments[position])
                return call(*arguments)

            return counted

        ask = counting(model.predict, 0)

        def predict(rows: NDArray[Any], /) -> NDArray[Any]:
            if id(rows) not in self._kept:
                answer: NDArray[Any] = ask(rows)
                return answer
            key = (id(self._model), id(rows))  # the study holds both while it runs
            if key not in self._known:
                self._known[key] = np.array(ask(rows))
            return self._known[key].copy()

        return replace(
            model,
            predict=predict,
            gradient=counting(model.gradient, 0),
            activations=counting(model.activations, 0),
            feature_maps=counting(model.feature_maps, 0),
            masked=counting(model.masked, 3),
            masked_half=counting(model.masked_half, 3),
        )
