"""A user's choices in the Ensemble panel and what is shown of them: values and pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from workbench.core import Combination, Inputs, Model, Study
from workbench.core.plan import Rows
from workbench.ensembles.members import view_of
from workbench.ensembles.voting import vote
from workbench.errors import InputError, WorkbenchError
from workbench.panels.ensemble import shares
from workbench.panels.ensemble.code import ensemble_code, vote_options
from workbench.panels.kit import (
    Bench,
    Choices,
    Field,
    View,
    label_of,
    positions,
    resolve,
    rows_as_code,
)

BENCH = ""
"""The source that stands for members picked one by one from the bench."""

MOST_SLIDERS = 60
"""With more members than this there are no sliders."""

FEWEST_HELD_OUT = 20
"""Weights are found on at least so many rows: with fewer they would fit noise."""

HOW = {
    "probability": "mean of probabilities",
    "logit": "mean of logits",
    "raw": "mean of scores",
    "hard": "hard vote (share of votes)",
}


@dataclass(frozen=True)
class EnsembleChoices:
    """What a user chose; None where nothing was chosen.

    Args:
        source: a model on the bench that has members, or "" for members picked one by one.
        members: their names.
        combination: a key of `HOW`.
        weights: {member: share}; a member that is not listed gets an equal share.
        rest: rows, target and method, as for any one model.
    """

    source: str | None = None
    members: tuple[str, ...] | None = None
    combination: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    rest: Choices = field(default_factory=Choices)


@dataclass(frozen=True, eq=False)
class EnsembleView:
    """Everything the panel shows about a choice, and the study it makes.

    Args:
        choices: the choices, made valid.
        candidates: the models that can be members.
        whose: the controls for source and combination.
        ticks: one box per candidate, in their order.
        members: the names of the chosen ones.
        shares: their weights, or () where they are fixed.
        question: rows, target and method of the ensemble as one model.
        note: what was assumed or cannot be chosen, and why.
        blocked: why there is nothing to run, or "".
        held_out: rows of known class that are not explained; weights can be found on them. Or None.
        weights_note: why there are no sliders, or no weights from held-out rows, or "".
        code: the study as code that runs without the panel.
        built_from: the members and how they are combined, on which members' explanations depend.
    """

    choices: EnsembleChoices
    candidates: tuple[Model, ...] = ()
    whose: tuple[Field, ...] = ()
    ticks: tuple[Field, ...] = ()
    members: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    question: View = field(default_factory=lambda: View(Choices()))
    note: str = ""
    blocked: str = ""
    held_out: Inputs | None = None
    weights_note: str = ""
    code: str = ""
    built_from: tuple[object, ...] = ()

    @property
    def study(self) -> Study | None:
        """What Run computes, unless blocked."""
        return None if self.blocked else self.question.study

    @property
    def evaluations(self) -> Rows | None:
        """The fewest and the most model rows of the study."""
        return self.question.evaluations

    @property
    def cost(self) -> str:
        """The same in words, with the model rows needed for each member's own class."""
        study = self.study
        if study is None:
            return ""
        combination = study.models[0].combination
        assert combination is not None
        rows = len(combination.members) * len(study.inputs)
        return f"{self.question.cost}, and {rows:,} for the members' own classes"

    @property
    def key(self) -> tuple[object, ...]:
        """What the members' explanations depend on; weights are part of it only where they are fixed."""
        if self.study is None:
            return (self.blocked,)
        picked = self.question.source, self.question.choices.rows
        return (*self.built_from, *picked, *self.study.targets, *self.study.methods)

    @property
    def weight_fields(self) -> tuple[Field, ...]:
        """One slider per member, in percent."""
        if not 1 < len(self.shares) <= MOST_SLIDERS:
            return ()
        return tuple(
            {
                "name": f"weight-{i}",
                "label": f"{label_of(name)}, %",
                "kind": "number",
                "slider": True,
                "live": True,
                "low": 0,
                "high": 100,
            }
            for i, name in enumerate(self.members)
        )


def resolve_ensemble(bench: Bench, choices: EnsembleChoices) -> EnsembleView:
    """The view of these choices; a choice that is no longer valid becomes the first valid one."""
    models = bench.models
    if not models:
        return EnsembleView(
            choices,
            blocked="There is no model yet. Load some with the Load panel, or call "
            "bench.add_model(workbench.wrap(object, name=...)).",
        )
    built = [name for name, model in models.items() if model.combination is not None]
    source = choices.source
    if source is None or source not in (BENCH, *built):
        source = built[0] if len(built) == len(models) else BENCH
    whole = models.get(source) if source != BENCH else None
    own = None if whole is None else whole.combination
    candidates = tuple(models.values()) if own is None else own.members
    fixed = whole is not None and own is not None and _why_fixed(whole, own)
    names = [model.name for model in candidates]
    ticked = _ticked(choices, source, candidates)
    if own is not None and (fixed or not ticked):
        ticked = tuple(names)
    choices = replace(choices, source=source, members=ticked)
    members = tuple(model for model in candidates if model.name in ticked)
    view = EnsembleView(
        choices,
        candidates,
        (*_source_field(built), *(() if own is not None else _how_field(members))),
        tuple(
            {"name": f"member-{i}", "label": label_of(name), "kind": "check"}
            for i, name in enumerate(names)
        ),
        tuple(model.name for model in members),
    )
    if not members:
        return replace(view, blocked="An ensemble needs at least one member. Tick one.")
    if fixed:
        view = replace(view, ticks=(), weights_note=fixed)
    else:
        weights = choices.weights
        if own is not None and not weights:
            weights = dict(zip(names, map(float, own.weights), strict=True))
        view = replace(view, shares=shares.kept(view.members, weights))
        if len(members) > MOST_SLIDERS:
            note = f"{len(members)} members are too many for sliders; give weights in code."
            view = replace(view, weights_note=note)
    how = _how(choices, members) if own is None else None
    choices = replace(choices, combination=how)
    view = replace(view, choices=choices)
    try:
        ensemble, like = _built(bench, view, whole, how)
    except WorkbenchError as error:
        return replace(view, blocked=str(error))
    return _with_question(bench, view, ensemble, whole, like)


def _with_question(
    bench: Bench, view: EnsembleView, ensemble: Model, whole: Model | None, like: bool
) -> EnsembleView:
    """The view with rows, target and method of this ensemble."""
    choices = view.choices
    question = resolve(Bench([ensemble], bench.inputs), choices.rest)
    question = replace(question, choices=replace(question.choices, model=ensemble.name))
    question = replace(question, fields=question.fields[1:])  # the ticks choose the model
    notes = " ".join(ensemble.notes[:4])
    built_from: tuple[object, ...] = (
        (*(model for model in view.candidates if model.name in view.members), choices.combination)
        if view.shares
        else (ensemble,)
    )
    view = replace(
        view,
        choices=replace(choices, rest=replace(question.choices, model=None)),
        question=question,
        note=" ".join(filter(None, (question.note, notes))),
        blocked=question.blocked,
        built_from=built_from,
    )
    if question.study is None or question.source is None:
        return view
    picked = positions(question.choices.rows or "", len(question.source))
    if view.shares:
        held_out, why = _held_out(view, question.source, picked, taken_apart=whole is not None)
        view = replace(view, held_out=held_out, weights_note=view.weights_note or why)
    made = ensemble_code(
        question.study,
        bench.code("inputs", str(question.choices.data)) + rows_as_code(picked),
        _member_code(bench, view),
        view.members if whole is not None else (),
        view.shares,
        {} if ensemble is whole else vote_options(choices.combination, like=like),
        whole=ensemble is whole,
    )
    return replace(view, code=made)


def _member_code(bench: Bench, view: EnsembleView) -> list[str]:
    """Expressions for the members, or the one for the ensemble that they come from."""
    if view.choices.source != BENCH:
        return [bench.code("models", str(view.choices.source))]
    return [bench.code("models", name) for name in view.members]


def _why_fixed(whole: Model, own: Combination) -> str:
    """Why the weights of an ensemble on the bench cannot be moved, or ""."""
    if own.form != "weighted mean":
        what = "adds up its members' contributions" if own.linear else "is no sum of its members"
        return f"{whole.name!r} {what}: that was fitted, so there are no weights to move."
    by_name = all(
        np.array_equal(view_of(member, whole.outputs), view)
        if set(member.outputs) == set(whole.outputs)
        else False
        for member, view in zip(own.members, own.views, strict=True)
    )
    if not by_name or own.direct is not None or np.any(own.intercept):
        return f"The members of {whole.name!r} answer in their own way, so its weights stay as they are."
    return ""


def _ticked(choices: EnsembleChoices, source: str, candidates: Sequence[Model]) -> tuple[str, ...]:
    """The chosen members that exist; at first all that fit the first one."""
    if choices.members is not None and choices.source in (None, source):
        return tuple(model.name for model in candidates if model.name in choices.members)
    if source != BENCH:
        return tuple(model.name for model in candidates)
    plain = [model for model in candidates if model.combination is None] or list(candidates)
    first = plain[0]
    return tuple(model.name for model in plain if _go_together(first, model))


def _go_together(one: Model, other: Model) -> bool:
    """Whether two models read rows of the same kind and have the same outputs."""
    if one.kind is not None and other.kind is not None and one.kind != other.kind:
        return False
    a, b = set(one.outputs), set(other.outputs)
    return a == b or (min(len(a), len(b)) == 1 and max(len(a), len(b)) == 2 and bool(a & b))


def _source_field(built: Sequence[str]) -> tuple[Field, ...]:
    """Where members come from, if there is an ensemble to take apart."""
    if not built:
        return ()
    options = [[BENCH, "models on the bench"], *([name, label_of(name)] for name in built)]
    return ({"name": "source", "label": "Members from", "kind": "choice", "options": options},)


def _ways(members: Sequence[Model]) -> list[str]:
    """The combinations that these members allow; the one in their own unit comes first."""
    scales = [model.scale for model in members]
    if not scales or "raw" in scales:
        return ["raw"]
    first = "logit" if set(scales) == {"logit"} else "probability"
    return [first, "logit" if first == "probability" else "probability", "hard"]


def _how(choices: EnsembleChoices, members: Sequence[Model]) -> str:
    ways = _ways(members)
    return ways[0] if choices.combination not in ways else str(choices.combination)


def _how_field(members: Sequence[Model]) -> tuple[Field, ...]:
    ways = _ways(members)
    doc = ""
    if len({model.scale for model in members}) > 1 and len(ways) > 1:
        doc = "the members' units differ: scores are converted exactly"
    return (
        {
            "name": "combination",
            "label": "Combined by",
            "kind": "choice",
            "options": [[way, HOW[way]] for way in ways],
            "doc": doc,
        },
    )


def _built(
    bench: Bench, view: EnsembleView, whole: Model | None, how: str | None
) -> tuple[Model, bool]:
    """The ensemble, and whether it had to be built with `like=` rows."""
    if whole is not None and _unchanged(view, whole):
        return whole, False
    members = [model for model in view.candidates if model.name in view.members]
    options: dict[str, Any] = {"how": "hard"} if how == "hard" else {}
    if how in ("probability", "logit"):
        options["space"] = how
    try:
        return vote(members, view.shares, **options), False
    except InputError:
        like = bench.inputs.get(view.choices.rest.data or "") or next(
            (one for one in bench.inputs.values() if one.of_kind.columns), None
        )
        if like is None or not like.of_kind.columns:
            raise
        return vote(members, view.shares, like=like, **options), True


def _unchanged(view: EnsembleView, whole: Model) -> bool:
    """Whether an ensemble on the bench is used as it is."""
    own = whole.combination
    if own is None or not view.shares:
        return True
    every = view.members == tuple(member.name for member in own.members)
    return every and view.shares == shares.kept(
        view.members, dict(zip(view.members, map(float, own.weights), strict=True))
    )


def _held_out(
    view: EnsembleView, source: Inputs, picked: Sequence[int], *, taken_apart: bool
) -> tuple[Inputs | None, str]:
    """The rows that are not explained, if weights can be found on them; else the reason why not."""
    if len(view.members) < 2:
        return None, ""
    if taken_apart or view.choices.combination != "probability":
        return None, "Weights are found from held-out rows for means of probabilities only."
    if source.y is None:
        return None, "These rows carry no known classes, so no weights can be found from them."
    others = np.setdiff1d(np.arange(len(source)), picked)
    if len(others) < FEWEST_HELD_OUT:
        return None, (
            f"Only {len(others)} rows of known class are not explained; weights are found on "
            f"{FEWEST_HELD_OUT} or more."
        )
    return source[others.tolist()], ""
