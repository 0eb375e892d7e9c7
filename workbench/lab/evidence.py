"""What a drift study has explained so far, and the drift that follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from workbench.compare.drift import Drift, Quality
from workbench.compare.drift_judging import judge
from workbench.compare.measuring import Lines
from workbench.compare.precision import TRIED, rounding_of
from workbench.compare.quality import quality, ratings
from workbench.core import Attribution, Inputs, Model
from workbench.lab.parts import Part
from workbench.lab.study import DriftStudy

ByMethod = dict[str, Attribution]
Ratings = dict[str, NDArray[np.float64]]


class Evidence:
    """The finished attributions of one study, by what they stand for.

    Args:
        study: what is computed.
        scores: the reference's, of the study's rows `(n, k)`.
        notes: sentences on what was left out.
    """

    def __init__(
        self, study: DriftStudy, scores: NDArray[np.float64], notes: tuple[str, ...]
    ) -> None:
        self._study = study
        self._scores = {study.reference.name: scores}
        self._roundings = {study.reference.name: _rounding(study.reference, study.inputs, scores)}
        self._notes = notes
        self._reference: ByMethod = {}
        self._copies: dict[str, ByMethod] = {}
        self._lines: dict[str, Lines] = {}
        self._ratings: dict[tuple[str, str], Ratings] = {}
        self._judged: dict[str, Drift] = {}

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """The reference's and the copies', in the order of the study."""
        every = (self._reference, *self._copies.values())
        return tuple(attribution for named in every for attribution in named.values())

    @property
    def finished(self) -> tuple[str, ...]:
        """The names of the copies that are done."""
        return tuple(self._copies)

    def keep(self, part: Part, made: tuple[Attribution, ...]) -> None:
        """Put a finished part's attributions in their place."""
        named = dict(zip(part.names, made, strict=True))
        if part.role == "reference":
            self._reference = named
        elif part.role == "copy":
            self._copies[part.model.name] = named
            scores = part.model.scores(self._study.inputs.values)
            self._scores[part.model.name] = scores
            self._roundings[part.model.name] = _rounding(part.model, self._study.inputs, scores)
        else:
            place = {"noise": "noise", "sibling": "siblings", "random weights": "random"}[part.role]
            for name, attribution in named.items():
                line = self._lines.get(name, Lines())
                kept = (*getattr(line, place), attribution)
                self._lines[name] = replace(line, **{place: kept})

    def rate(self, model: Model, method: str) -> None:
        """How good a finished explanation is: against known truth, and by its model's word."""
        named = self._copies.get(model.name, self._reference)
        asked = model if self._study.faithfulness else None
        self._ratings[model.name, method] = ratings(named[method], asked, seed=self._study.seed)

    def drift_so_far(self) -> Callable[[], Drift]:
        """A call that gives the drift of the copies finished by now, also when more are finished later."""
        return cache(lambda names=self.finished: self._drift(names))

    def _drift(self, names: tuple[str, ...]) -> Drift:
        each = [self._of_copy(name) for name in names]
        kept = (self._reference, *(self._copies[name] for name in names))
        return replace(
            each[0],
            models=names,
            behavior=tuple(one for drift in each for one in drift.behavior),
            measured=tuple(one for drift in each for one in drift.measured),
            quality=tuple(one for drift in each for one in drift.quality),
            verdicts={name: drift.verdicts[name] for name, drift in zip(names, each, strict=True)},
            notes=tuple(dict.fromkeys(note for drift in each for note in drift.notes)),
            attributions=tuple(one for named in kept for one in named.values()),
        )

    def _of_copy(self, name: str) -> Drift:
        """One copy judged, once: nothing in a verdict depends on other copies."""
        if name not in self._judged:
            study = self._study
            self._judged[name] = judge(
                self._reference,
                {name: self._copies[name]},
                {model: self._scores[model] for model in (study.reference.name, name)},
                study.reference.outputs,
                lines=self._lines,
                quality=self._quality(name),
                margins=study.margins,
                paired=study.paired,
                roundings=self._roundings,
                allowance=study.allowance,
                notes=self._notes,
                seed=study.seed,
            )
        return self._judged[name]

    def _quality(self, name: str) -> tuple[Quality, ...]:
        """A copy's explanations rated beside the reference's, method by method."""
        reference = self._study.reference.name
        return tuple(
            one
            for method in self._copies[name]
            for one in quality(
                self._ratings[reference, method],
                self._ratings[name, method],
                model=name,
                method=method,
                seed=self._study.seed,
            )
        )


def _rounding(model: Model, inputs: Inputs, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far rounding moves the model's scores of each row `(n,)`: some rows are asked alone too."""
    alone = [model.scores(inputs.values[row : row + 1]) for row in range(min(TRIED, len(inputs)))]
    return rounding_of(scores, np.concatenate(alone))
