"""How an ensemble's explanation was made: as the exact sum of its members', or from its own scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.coalitions.fills import chosen_fill
from workbench.core import Composition, Inputs, Method, Model, Provenance, Scale
from workbench.ensembles.combined import combination_of


def composition_of(
    ensemble: Model, method: Method, inputs: Inputs, *, sampled: bool
) -> Composition:
    """How an ensemble's values come from those of its members, computed in one pass.

    Args:
        ensemble: a model with a combination.
        method: the recipe.
        inputs: the rows and their background.
        sampled: whether the values have standard errors.
    """
    combination = combination_of(ensemble)
    signed = hasattr(method, "signed")
    composed = combination.linear and (signed or getattr(method, "linear", False))
    return Composition(
        members=tuple(member.name for member in combination.members),
        weights=tuple(float(weight) for weight in combination.weights),
        form=combination.form,
        space=combination.space,
        game=game_of(method, inputs),
        exact=composed or not sampled,
        composed=composed,
        signed=signed,
        passthrough=combination.direct is not None,
        together=True,
    )


def with_badge(provenance: Provenance, how: Composition, *, sampled: bool) -> Provenance:
    """The same with a record of how the values come from the members', in figures and in words."""
    badge = badge_text(how, sampled=sampled)
    notes = (badge, *provenance.notes)
    return replace(provenance, ensemble=how, badge=badge, notes=notes)


def badge_text(how: Composition, *, sampled: bool) -> str:
    """The facts of an ensemble's explanation in words."""
    if how.composed:
        adverb = "before the maximum with zero, " if how.signed else ""
        text = f"Exact, {adverb}as the sum of its members' explanations"
        text += " and of the columns passed through, which are no member's" * how.passthrough
        text += " from the same draws" * (sampled and how.together)
        text += "; sampling errors stand beside the values" * sampled
    elif how.form != "not linear":
        text = (
            "Computed on the ensemble's own score: this method's values do not add up over members"
        )
    elif sampled:
        text = (
            "Approximate: the ensemble is no sum of its members, so its own score was sampled, with the "
            "coalitions of its members"
        )
    else:
        text = "The ensemble is no sum of its members: computed on its own score, without sampling"
    return f"{text}. {how.form[0].upper()}{how.form[1:]}, in {how.space}; {how.game}."


def game_of(method: Method, inputs: Inputs) -> str:
    """The source of an absent feature's value, in words."""
    recipe: Any = method
    rows = 0 if inputs.background is None else len(inputs.background)
    game = getattr(recipe, "feature_perturbation", None)
    if game == "tree_path_dependent":
        return "path dependent, no background"
    if game is not None:
        return f"{game}, {rows} background rows"
    if "activations" in recipe.needs:
        layer = getattr(recipe, "layer", None)
        return (
            f"layer {layer!r} of each member" if layer else "the last spatial layer of each member"
        )
    own = recipe.absence(inputs) if hasattr(recipe, "absence") else None
    if own is not None:
        return str(own)
    fill = getattr(recipe, "fill", "background")
    fill = chosen_fill(fill, inputs)
    if fill == "background":
        return f"interventional, {rows} background rows" if rows else "no background"
    return f"absent features filled by {fill!r}"


def part_model(ensemble: Model, number: int) -> tuple[Model, Scale]:
    """A member, and the unit of its part: the member's own, or the ensemble's for contributions."""
    combination = combination_of(ensemble)
    member = combination.members[number]
    return member, ensemble.scale if combination.form == "weighted sum" else member.scale


def speaks_alike(ensemble: Model, number: int) -> bool:
    """Whether a member's part explains exactly the output of the member that the target names.

    That is not so for contributions, nor for outputs in another order.
    """
    combination = combination_of(ensemble)
    same = combination.members[number].outputs == ensemble.outputs
    return combination.form == "weighted mean" and same


def refusal(ensemble: Model, failures: Mapping[int, str]) -> str:
    """Why an ensemble has no explanation, naming the members that failed."""
    reasons = " ".join(failures.values())
    return (
        f"Every member of {ensemble.name!r} must answer for the ensemble to be explained, but "
        f"{len(failures)} did not. {reasons} The other members' explanations are kept in this error's "
        "`parts`; where the target is 'predicted', for the output that the others' sum puts first. Leave "
        "the member out, or those rows."
    )
