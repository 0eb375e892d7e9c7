"""The Ensemble panel: members, their weights, one study for all; who says what, and who disagrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from workbench.compare import Disagreement
from workbench.core import Attribution, Method, Step, Study, Target, checked_weights, clean
from workbench.ensembles.weighing import Weighing, weigh
from workbench.errors import InputError
from workbench.panels.ensemble.choices import (
    BENCH,
    HOW,
    EnsembleChoices,
    EnsembleView,
    resolve_ensemble,
)
from workbench.panels.ensemble.controls import EnsembleControls
from workbench.panels.ensemble.outcome import (
    EnsembleOutcome,
    Extra,
    outcome_of,
    weighted,
    with_classes,
)
from workbench.panels.ensemble.shown import ensemble_shown
from workbench.panels.kit import (
    Bench,
    First,
    Job,
    Run,
    StudyPanel,
    choices_for,
    on_bench,
    study_name,
)
from workbench.study.run import steps

FINDING = "Weights from held-out rows"


class EnsemblePanel(StudyPanel[EnsembleChoices, EnsembleView]):
    """An ensemble and its members explained together; new weights need no further model call.

    `panel.study` is what Run computes, `panel.code` the same as text, `panel.attributions` the result and
    `panel.disagreement` how its members differ, both under the present weights. Without a browser:
    `panel.start().wait()`, `panel.reweight([...])`.

    Args:
        bench: the models and rows to choose from.
        members: names of models on the bench, or the name of one ensemble, which is taken apart. When
            left out, all models that fit the first one.
        combination: "probability", "logit" or "raw" for the mean in that unit, or "hard".
        weights: one per member, by position or name; equal when left out.
        data: the name of a set of rows.
        rows: which of them, such as "0-7, 12", "5 random" or "all".
        target: what to explain.
        method: a recipe or a method class.

    Raises:
        InputError: a name that is not on the bench, or a target that the models do not have.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        members: Sequence[str] | str | None = None,
        combination: str | None = None,
        weights: Sequence[float] | Mapping[str, float] | None = None,
        data: str | None = None,
        rows: str | None = None,
        target: Target | None = None,
        method: Method | type | None = None,
    ) -> None:
        choices = _choices(bench, members, combination, data, rows, target, method)
        purpose = "Do the members give the same reasons, and who decides what the whole says?"
        super().__init__("Ensemble", purpose, bench, resolve_ensemble, choices)
        self.weighing: Weighing | None = None
        left = EnsembleControls(
            self,
            lambda: self.view,
            self.choose,
            self._weights_set,
            self.find_weights,
            lambda: self.weighing,
        )
        self.assemble(left, ensemble_shown(self), self._run_of, asked=_in_words, beside=(left,))
        self.present()
        if weights is not None:
            self.reweight(weights)

    @property
    def study(self) -> Study:
        """What Run computes.

        Raises:
            InputError: there is nothing to run; says why.
        """
        return self.needed_study()

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """The last run's result under the present weights; its `parts` are the members'."""
        outcome, known = self.result.outcome, super().attributions
        return known if outcome is None or not known else (outcome.attribution,)

    @property
    def disagreement(self) -> Disagreement | None:
        """How the members differ under the present weights; None before a run."""
        return None if self.result.outcome is None else self.result.outcome.found

    def reweight(self, weights: Sequence[float] | Mapping[str, float] | None) -> None:
        """Give the members other weights: their explanations are combined again, without a model call.

        Args:
            weights: one per member, by position or name; none negative. None makes them equal.

        Raises:
            InputError: weights that do not fit the members, or that are fixed.
        """
        with self.lock:
            view = self.view
            if not view.shares:
                raise InputError(view.weights_note or view.blocked)
            given, _ = checked_weights(weights, view.members)
            self._weights_set(tuple(map(float, given)))

    def find_weights(self) -> Job:
        """What the button "Weights from held-out rows" does, as a running job; it sets `panel.weighing`.

        Raises:
            InputError: there are no held-out rows of known class; says why.
            WorkbenchError: another job is running.
        """
        with self.lock:
            view = self.view
            if view.held_out is None:
                raise InputError(view.weights_note or view.blocked)
            return self.aside(FINDING, lambda _: self._weighing(view), _found, self.refresh)

    def __repr__(self) -> str:
        choices = self.view.question.choices
        return (
            f"EnsemblePanel({len(self.view.members)} members, data={choices.data!r}, "
            f"rows={choices.rows!r}, method={choices.method!r})"
        )

    def _weights_set(self, given: tuple[float, ...]) -> None:
        """Set other weights, under the panel's lock: first the numbers, then all that follows from them."""
        weights = dict(zip(self.view.members, given, strict=True))
        self._choices = replace(self.view.choices, weights=weights)
        self._view = replace(self.view, shares=given)
        outcome = self.result.outcome
        # If other members were chosen since the run, these weights do not apply to its result.
        if outcome is not None and outcome.movable and outcome.has_any_of(weights):
            with self.applying():
                self.result.show(weighted(outcome, weights))
        self.apply()

    def _weighing(self, view: EnsembleView) -> Iterator[Step[Any]]:
        members = [model for model in view.candidates if model.name in view.members]
        yield Step(0, 1, FINDING, ())
        assert view.held_out is not None
        found = weigh(members, view.held_out)
        with self.lock:
            self.weighing = found
            if self.view.members == view.members:  # else these weights belong to other members
                self._weights_set(tuple(map(float, found.weights)))
        yield Step(1, 1, FINDING, ())

    def _run_of(self, view: EnsembleView, first: First) -> Run[EnsembleOutcome]:
        study = view.study
        assert study is not None
        extras: list[Extra] = []
        model = study.models[0]

        def outcome(job: Job) -> EnsembleOutcome | None:
            if not job.result:
                return None
            return outcome_of(job.result[0], view.key, model, extras[-1] if extras else None)

        def under_weights_of_now(outcome: EnsembleOutcome) -> EnsembleOutcome:
            now = self.view
            weights = dict(zip(now.members, now.shares, strict=False))
            return weighted(outcome, weights) if outcome.key == now.key else outcome

        work = with_classes(first(steps)(study), study, extras.append)
        return Run(study_name(study), work, outcome, fit=under_weights_of_now)


def _choices(
    bench: Bench,
    members: Sequence[str] | str | None,
    combination: str | None,
    data: str | None,
    rows: str | None,
    target: Target | None,
    method: Method | type | None,
) -> EnsembleChoices:
    """The constructor's arguments as choices; a wrong name is an error, unlike a stale choice."""
    models = bench.models
    names = (members,) if isinstance(members, str) else tuple(members or ())
    for name in names:
        on_bench(bench, "models", name)
    whole = len(names) == 1 and models[names[0]].combination is not None
    if members is None or whole:
        choices = EnsembleChoices(source=names[0] if whole else None, combination=combination)
    else:
        choices = EnsembleChoices(source=BENCH, members=names, combination=combination)
    view = resolve_ensemble(bench, choices)
    if combination not in (None, view.choices.combination):
        raise InputError(
            f"combination must be one that the members allow, of {list(HOW)}, not {combination!r}."
        )
    study = view.study
    if study is None and target is not None:
        raise InputError(view.blocked)
    ensemble = None if study is None else study.models[0]
    rest = choices_for(bench, ensemble, data, rows, target, method)
    return replace(view.choices, rest=rest)


def _in_words(view: EnsembleView) -> Mapping[str, str | None]:
    """The choices in words, for the static HTML twin."""
    study = view.study
    if study is None:
        return {}
    parts = view.shares or (None,) * len(view.members)
    listed = ", ".join(
        clean(name, limit=60) + ("" if share is None else f" {share:.1%}")
        for name, share in zip(view.members[:12], parts, strict=False)
    )
    more = f" and {len(view.members) - 12} more" if len(view.members) > 12 else ""
    return {
        "members": listed + more,
        "rows": f"{view.question.choices.rows} of {view.question.choices.data}",
        "method": repr(study.methods[0]),
    }


def _found(job: Job) -> str:
    """How the search for weights ended, in one sentence for the live region."""
    return f"{job.name}: {'found' if job.state == 'done' else job.state} after {job.seconds:.1f} s."
