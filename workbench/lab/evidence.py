"""The explanations of a drift study so far, and the drift that follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from workbench.compare.drift import TRIED, Drift, Lines, Quality, judge, rounding_of
from workbench.compare.quality import quality, ratings
from workbench.core import Attribution, Model
from workbench.lab.answers import gap_beside_drift, gap_in_words
from workbench.lab.parts import Part
from workbench.lab.study import DriftStudy
from workbench.models.asking import Probed, unmoving

ByMethod = dict[str, Attribution]
Ratings = dict[str, NDArray[np.float64]]


class Evidence:
    """The finished attributions of one study, by the role of their model.

    Args:
        study: the study.
        scores: the reference's scores of the study's rows `(n, k)`.
        notes: sentences on what was left out.
    """

    def __init__(
        self, study: DriftStudy, scores: NDArray[np.float64], notes: tuple[str, ...]
    ) -> None:
        self._study = study
        self._scores = {study.reference.name: scores}
        self._notes = notes
        self._reference: ByMethod = {}
        self._copies: dict[str, ByMethod] = {}
        self._lines: dict[str, Lines] = {}
        self._ratings: dict[tuple[str, str], Ratings] = {}
        self._roundings: dict[str, NDArray[np.float64]] = {}
        self._judged: dict[str, Drift] = {}
        self.answers: dict[str, Probed] = {}  # by model: the trial of its answers

    def note(self, sentence: str) -> None:
        """Adds a sentence on what was left out during the run."""
        self._notes = (*self._notes, sentence)

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """The attributions of the reference and the copies, in the order of the study."""
        every = (self._reference, *self._copies.values())
        return tuple(attribution for named in every for attribution in named.values())

    @property
    def finished(self) -> tuple[str, ...]:
        """The names of the finished copies."""
        return tuple(self._copies)

    def keep(
        self, part: Part, made: tuple[Attribution, ...], answers: Probed | None = None
    ) -> None:
        """Stores a finished part's attributions, and the trial of its model's answers."""
        named = dict(zip(part.names, made, strict=True))
        name = part.model.name
        if answers is not None:
            self.answers[name] = answers
        if part.role == "reference":
            self._reference = named
            self._roundings[name] = self._rounding(part.model)
        elif part.role == "copy":
            self._copies[name] = named
            self._scores[name] = unmoving(part.model).scores(self._study.inputs.values)
            self._roundings[name] = self._rounding(part.model)
        else:
            place = {"noise": "noise", "sibling": "siblings", "random weights": "random"}[part.role]
            for method, attribution in named.items():
                line = self._lines.get(method, Lines())
                kept = (*getattr(line, place), attribution)
                self._lines[method] = replace(line, **{place: kept})

    def rate(self, model: Model, method: str) -> None:
        """Rates a finished explanation: against known truth, and by faithfulness to its model."""
        named = self._copies.get(model.name, self._reference)
        repeatable = unmoving(model) if self._study.faithfulness else None
        self._ratings[model.name, method] = ratings(
            named[method], repeatable, seed=self._study.seed
        )

    def drift_so_far(self) -> Callable[[], Drift]:
        """A function that computes the drift of the copies finished now, even if it is called later."""
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
        """Judge one copy, only once, since a verdict does not depend on other copies."""
        if name not in self._judged:
            study = self._study
            self._judged[name] = judge(
                self._reference,
                {name: self._copies[name]},
                {model: self._scores[model] for model in (study.reference.name, name)},
                study.reference.outputs,
                classes=study.reference.classes,
                lines=self._lines,
                quality=self._quality(name),
                margins=study.margins,
                paired=study.paired,
                roundings=self._roundings,
                allowance=study.allowance,
                notes=(*self._notes, *self._told(name)),
                seed=study.seed,
            )
        return self._judged[name]

    def _told(self, name: str) -> tuple[str, ...]:
        """Notes on a copy's answers, and on those of the models it is compared with."""
        reference = self._study.reference.name
        change = float(np.abs(self._scores[name] - self._scores[reference]).max())
        lines = (reference, *(one.name for one in self._study.siblings))
        every = [gap_in_words(one, self.answers[one]) for one in lines if one in self.answers]
        if name in self.answers:
            every.append(gap_beside_drift(name, self.answers[name], reference, change))
        return tuple(note for note in every if note)

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

    def _rounding(self, model: Model) -> NDArray[np.float64]:
        """How far rounding moves the model's scores of each row `(n,)`; some rows are also evaluated alone.

        Where scores are random, evaluating again would show that and not rounding.
        """
        alone = None
        if model.name not in self.answers or self.answers[model.name].repeatable:
            repeatable = unmoving(model)
            some = self._study.inputs.values[:TRIED]
            alone = np.concatenate([repeatable.scores(row[None]) for row in some])
        return rounding_of(self._scores[model.name], alone)
