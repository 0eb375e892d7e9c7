"""From members' attributions to the ensemble's, without a model: sums of values that may be added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution, Composition, Provenance, checked_weights
from workbench.core.combination import tells_weights
from workbench.ensembles.badge import badge_text, game_of
from workbench.ensembles.together import fewest
from workbench.errors import IncompatibleError, InputError

Array = NDArray[np.float64]
Weights = Sequence[float] | Mapping[str, float] | NDArray[np.float64] | None

_BOUND = (
    "The standard errors are an upper bound: the members' errors added up, as if all had the same sign. "
    "Explain the ensemble itself for its own errors."
)


def compose(
    attributions: Sequence[Attribution], weights: Weights = None, *, name: str = "ensemble"
) -> Attribution:
    """The attribution of a weighted mean of models, from attributions that were computed separately.

    Exact where the method is linear in the model: the explanation of a mean is the mean of the explanations
    if rows, background, target, recipe and seed are the same. Whatever would make a sum plausible but wrong
    is refused.

    Args:
        attributions: one per member, of different models.
        weights: one per member, by position or by the model's name; not negative; made to sum to one.
        name: what the result calls its model.

    Returns:
        Values, base and output averaged; `parts` are the given attributions, whose `seconds` are added.

    Raises:
        IncompatibleError: other scales, recipes, rows, backgrounds or targets; values that do not add up.
        InputError: none or twice the same model; weights that do not fit.
    """
    parts = tuple(attributions)
    names = [part.model for part in parts]
    if not parts or len(set(names)) < len(names):
        raise InputError(
            f"Composing needs attributions of different models, but has those of {names[:20]}."
        )
    for other in parts[1:]:
        _check_alike(parts[0], other)
    signed = all(part.provenance.signed for part in parts)
    recipe: Any = parts[0].method
    if not signed and not getattr(recipe, "linear", False):
        raise IncompatibleError(
            f"Values of {type(recipe).__name__} do not add up over models: maxima with zero, or absolute "
            "values, were taken of each. Explain the ensemble itself: ensembles.vote([...])."
        )
    share, weight_notes = checked_weights(weights, names)
    how = Composition(
        members=tuple(names),
        weights=tuple(map(float, share)),
        form="weighted mean",
        space=parts[0].scale,
        game=game_of(parts[0].method, parts[0].inputs),
        exact=True,
        composed=True,
        signed=signed,
        passthrough=False,
        together=False,
    )
    # No digest and no lineage, for there is no model.
    about = Provenance(
        versions=parts[0].provenance.versions,
        model_notes=_shared([part.provenance.model_notes for part in parts]),
    )
    seconds = sum(part.seconds for part in parts)
    whole = replace(parts[0], model=name, parts=parts, provenance=about, seconds=seconds)
    return _mean(whole, share, how, weight_notes)


def reweighted(attribution: Attribution, weights: Weights) -> Attribution:
    """An ensemble's attribution under other weights, from its parts: no model is called.

    The class that is explained stays the same, even where other weights would predict another one.

    >>> import workbench as wb
    >>> from workbench import ensembles, methods
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> a, b = (wb.Model(n, lambda x, j=j: x[:, j : j + 1], ("y",), "raw") for j, n in enumerate("ab"))
    >>> result = wb.explain(ensembles.vote([a, b]), rows, methods.ExactShapley())
    >>> result.values, ensembles.reweighted(result, [1, 3]).values
    (array([[0.5, 0.5]]), array([[0.25, 0.75]]))

    Args:
        attribution: of a weighted mean, with its parts.
        weights: one per member, by position or name; not negative; made to sum to one.

    Raises:
        IncompatibleError: an attribution without parts, or one whose values are no mean of its parts.
    """
    how = attribution.provenance.ensemble
    if not attribution.parts:
        raise IncompatibleError(
            f"Other weights need an ensemble's attribution with its members', but that of "
            f"{attribution.model!r} has no parts. Explain a model from ensembles.vote or ensembles.unpack."
        )
    if how is None or how.form != "weighted mean" or not how.composed:
        form = "model of another sort" if how is None else how.form
        raise IncompatibleError(
            f"Only a weighted mean can be weighted anew, but {attribution.model!r} is a "
            f"{form} whose weights were fitted. Build ensembles.vote "
            "of its members for that."
        )
    share, weight_notes = checked_weights(weights, how.members)
    # The digest and the lineage belong to the model with the former weights.
    whole = replace(attribution, provenance=replace(attribution.provenance, digest="", lineage=()))
    return _mean(whole, share, replace(how, weights=tuple(map(float, share))), weight_notes)


def _mean(
    whole: Attribution, share: Array, how: Composition, weight_notes: tuple[str, ...]
) -> Attribution:
    parts = whole.parts
    values = np.einsum("m,m...->...", share, np.stack([part.values for part in parts]))
    if how.signed:
        values = np.maximum(values, 0.0)
    errors = [part.error for part in parts if part.error is not None]
    sampled = bool(errors)
    error = freedom = None
    if sampled:
        freedom = fewest([part.freedom for part in parts])
        each = [np.zeros(whole.values.shape) if p.error is None else p.error for p in parts]
        error = np.einsum("m,m...->...", share, np.stack(each))
    badge = badge_text(how, sampled=sampled)
    # A method's figures about its sample, such as its precision, hold for the parts alone.
    kept = () if sampled else _shared([part.notes for part in parts])
    model_notes = tuple(note for note in whole.provenance.model_notes if not tells_weights(note))
    notes = (badge, *weight_notes, *((_BOUND,) if sampled else ()), *model_notes, *kept)
    return replace(
        whole,
        values=values,
        error=error,
        freedom=freedom,
        output=share @ np.stack([part.output for part in parts]),
        base=share @ np.stack([part.base for part in parts]),
        evaluations=sum(part.evaluations for part in parts),
        complete=all(part.complete for part in parts),
        finished=_all_finished(parts),
        provenance=replace(
            whole.provenance, ensemble=how, badge=badge, notes=tuple(dict.fromkeys(notes))
        ),
    )


def _all_finished(parts: Sequence[Attribution]) -> NDArray[np.bool_] | None:
    told = [part.finished for part in parts if part.finished is not None]
    return np.logical_and.reduce(told) if told else None


def _shared(notes: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    first, *others = notes
    return tuple(note for note in first if all(note in other for other in others))


def _check_alike(first: Attribution, other: Attribution) -> None:
    """Refuses attributions that cannot be added, with the reason."""

    def refuse(what: str, had: object, has: object, advice: str) -> None:
        raise IncompatibleError(
            f"Explanations add up only with the same {what}, but {first.model!r} has {had} and "
            f"{other.model!r} has {has}. {advice}"
        )

    if first.unit != other.unit:
        advice = "The sum of a margin and a probability means nothing: explain both in one scale."
        refuse("scale", first.unit, other.unit, advice)
    if first.method != other.method:
        games = {getattr(one.method, "feature_perturbation", None) for one in (first, other)}
        advice = "Explain all members with one recipe, seed included."
        if type(first.method) is type(other.method) and len(games) > 1:
            advice = (
                "Path-dependent and interventional values answer different questions. " + advice
            )
        refuse("recipe", first.method, other.method, advice)
    a, b = first.inputs, other.inputs
    same = np.array_equal(a.values, b.values, equal_nan=True)
    if not same or a.ids != b.ids:
        refuse("rows", a, b, "Explain all members on the same inputs.")
    if a.features != b.features:
        refuse("columns", list(a.features)[:8], list(b.features)[:8], "Align the members first.")
    if not a.shares_background(b):
        advice = (
            "An absent feature must mean the same for all: give every member the same background."
        )
        refuse("background", a, b, advice)
    if first.explained != other.explained:
        row = next(
            i
            for i, (x, y) in enumerate(zip(first.explained, other.explained, strict=True))
            if x != y
        )
        had, has = (f"{one.explained[row]!r} in row {a.ids[row]}" for one in (first, other))
        refuse("target", had, has, "Name the output: 'predicted' differs where members disagree.")
    if first.values.shape != other.values.shape or not _same(first.players, other.players):
        refuse("players", first.values.shape, other.values.shape, "Group columns alike.")


def _same(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b)
