"""Whether a model gives the same rows the same scores: tried before it is explained, and again after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model
from workbench.models.asking import TRIED, Probed, probed, unmoving


class Answers:
    """A model's answers to a few rows of the study: twice, among other rows, and after its explanations.

    Args:
        model: the model to try.
        inputs: the study's rows, of which the first `TRIED` are used.
    """

    def __init__(self, model: Model, inputs: Inputs) -> None:
        self._model = unmoving(model)
        self._rows = inputs.values[:TRIED]
        self._said = self._ask()
        self.first = probed(self._model, self._rows)

    def by_now(self) -> Probed:
        """The first result, with a larger repeat gap if the same rows have other scores now.

        A model that counts its calls, or was changed meanwhile, may be noticed only then.
        """
        later = float(np.abs(self._ask() - self._said).max(initial=0.0))
        gap = max(self.first.repeat_gap, later)
        return replace(self.first, repeat_gap=gap, batch_gap=0.0 if gap else self.first.batch_gap)

    def _ask(self) -> NDArray[Any]:
        return self._model.scores(self._rows)


def gap_in_words(name: str, found: Probed) -> str:
    """The warning for a model whose scores depend on more than their rows; "" where they do not.

    >>> gap_in_words("net", Probed(True, 0.0, 0.02))
    "'net' does not answer each row by itself: scores depend on the rows beside it, by up to 0.02."
    """
    if found.repeat_gap:
        return (
            f"{name!r} does not answer the same rows alike: asked again, they have other scores, by up to "
            f"{found.repeat_gap:.2g}."
        )
    if found.batch_gap:
        return (
            f"{name!r} does not answer each row by itself: scores depend on the rows beside it, by up to "
            f"{found.batch_gap:.2g}."
        )
    return ""


def gap_beside_drift(name: str, found: Probed, reference: str, change: float) -> str:
    """The warning for a copy, with how much of its drift this may explain; "" where there is none.

    >>> gap_beside_drift("int8", Probed(True, 0.0, 0.3), "net", 0.4).split(": ")[1]
    "scores depend on the rows beside it, by up to 0.3. They differ from those of 'net' by up to 0.4, so all
    of its drift may be that."

    Args:
        change: the largest difference between a row's score and the reference's.
    """
    text = gap_in_words(name, found)
    part = "all" if found.gap >= change / 2 else "a part"
    return text and (
        f"{text} They differ from those of {reference!r} by up to {change:.2g}, so {part} of its drift may "
        "be that."
    )
