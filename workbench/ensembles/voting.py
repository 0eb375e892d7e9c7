"""Building ensembles: `vote` averages members or counts their votes; `stack` learns how to combine them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core import Combination, Inputs, Model, checked_weights, kinds
from workbench.core.repeatable import repeatable
from workbench.ensembles.assembly import assembled
from workbench.ensembles.members import Gathered, common_outputs, gather, view_of
from workbench.ensembles.spaces import both_classes, in_scale, voting
from workbench.errors import IncompatibleError, InputError

Array = NDArray[np.float64]
How = Literal["soft", "hard"]
Space = Literal["probability", "logit"]


@repeatable
def vote(
    models: Sequence[Model],
    weights: Sequence[float] | Mapping[str, float] | None = None,
    *,
    how: How = "soft",
    space: Space | None = None,
    classes: Sequence[str] | None = None,
    like: Inputs | None = None,
    name: str | None = None,
) -> Model:
    """The weighted mean of trained models, or the share of votes for each class.

    Members may come from any library. Their outputs are matched by name, whatever their order, and so
    are their columns: a member may read only some of them. The mean of probabilities and that of logits
    are different models; the result states which one it is.

    >>> yes = Model("yes", lambda rows: np.tile([0.2, 0.8], (len(rows), 1)), ("no", "yes"), "probability")
    >>> no = Model("no", lambda rows: np.tile([0.9, 0.1], (len(rows), 1)), ("no", "yes"), "probability")
    >>> vote([yes, no], weights=[3, 1]).scores(np.zeros((1, 2))).round(3)
    array([[0.375, 0.625]])

    Args:
        models: the members, at least one, with different names.
        weights: one per member, by position or by name; not negative; made to sum to
            one. Equal when left out.
        how: "soft" averages scores; "hard" counts votes. A hard vote is explained by the *share* of votes,
            which is a weighted sum; the winning class is a step function of it.
        space: for a soft vote, the unit that is averaged. Left out, all members must agree; given, members
            in the other one are converted by the logistic function or softmax, and that is noted.
        classes: the names of both classes, in order, where members have one logit; when left out, they are
            read from the members if possible. The logit belongs to the class it is named after.
        like: example rows, like those to be explained; needed where no single member reads all columns.
        name: what menus and tables call it.

    Raises:
        InputError: weights, outputs or columns that do not go together; the message names them.
        IncompatibleError: members in different units and no `space`.
    """
    if how not in get_args(How) or space not in (None, *get_args(Space)):
        raise InputError(
            f"vote needs how={list(get_args(How))} and space={list(get_args(Space))} or None, not "
            f"how={how!r} and space={space!r}."
        )
    if how == "hard" and space is not None:
        raise InputError("A hard vote counts votes, so no space applies to it. Leave space out.")
    gathered = gather(models, like)
    share, weight_notes = checked_weights(weights, [model.name for model in gathered.models])
    if how == "hard":
        return _hard(gathered, share, weight_notes, classes, name)
    members = _in_one_scale(gathered.models, space, classes or ())
    outputs = common_outputs(members)
    scale = members[0].scale
    combination = Combination(
        members, "weighted mean", scale, share, tuple(view_of(m, outputs) for m in members)
    )
    return assembled(
        combination,
        gathered,
        name=name or f"vote of {len(members)}",
        outputs=outputs,
        scale=scale,
        how=f"weighted mean of {listed(combination)} in {scale}",
        notes=(*weight_notes, *_conversions(members, gathered.models), *_assumed(gathered)),
    )


def listed(combination: Combination) -> str:
    """Members and weights as a person reads them, the first ten of many."""
    pairs = list(zip(combination.members, combination.weights, strict=True))
    text = ", ".join(f"{member.name} ({weight:.3g})" for member, weight in pairs[:10])
    return text if len(pairs) <= 10 else f"{text} and {len(pairs) - 10} more"


def _in_one_scale(
    models: tuple[Model, ...], space: Space | None, classes: Sequence[str]
) -> tuple[Model, ...]:
    if space is None:
        scales = {
            f"{model.scale} ({model.unit})" if model.unit else model.scale: model.name
            for model in models
        }
        if len(scales) > 1:
            found = ", ".join(f"{name!r} in {scale}" for scale, name in scales.items())
            raise IncompatibleError(
                f"A mean needs members in one unit, but they are not: {found}. The sum of a probability "
                "and a logit means nothing. Give space='probability' or 'logit' to have them converted."
            )
        return models
    if len(classes) != 2:
        both = [m.outputs for m in models if len(m.outputs) == 2]
        classes = both[0] if both else ()
    single = [m.outputs[0] for m in models if len(m.outputs) == 1]
    if space == "logit" and len(classes) == 2 and single[:1] == [classes[0]]:
        classes = classes[
            ::-1
        ]  # every logit belongs to the class of the member with a single logit
    return tuple(in_scale(model, space, classes) for model in models)


def _conversions(members: Sequence[Model], before: Sequence[Model]) -> tuple[str, ...]:
    changed = [m for m, was in zip(members, before, strict=True) if m is not was]
    return tuple(m.notes[-1] for m in changed if m.notes)


def _hard(
    gathered: Gathered,
    share: Array,
    weight_notes: tuple[str, ...],
    classes: Sequence[str] | None,
    name: str | None,
) -> Model:
    models = gathered.models
    if raw := [m.name for m in models if m.scale == "raw"]:
        raise IncompatibleError(
            f"Votes need scores that can be compared, but {raw[:8]} have raw ones. Wrap them with "
            "scale='logit' or 'probability', or use how='soft'."
        )
    both = [m.outputs for m in models if len(m.outputs) > 1]
    outputs = tuple(classes or (both[0] if both else both_classes(models[0], ())))
    for model in models:
        unknown = [one for one in model.outputs if one not in outputs]
        if unknown or len(model.outputs) not in (1 if len(outputs) == 2 else -1, len(outputs)):
            view_of(model, outputs)  # raises, and names what does not fit
    members = tuple(voting(model, outputs) for model in models)
    combination = Combination(
        members, "weighted mean", "vote share", share, (np.eye(len(outputs)),) * len(members)
    )
    return assembled(
        combination,
        gathered,
        name=name or f"hard vote of {len(members)}",
        outputs=outputs,
        scale="probability",
        how=f"hard vote of {listed(combination)}",
        notes=(*weight_notes, VOTE_SHARE, *_assumed(gathered)),
    )


VOTE_SHARE = (
    "The scores are vote shares: the probability that a member drawn by weight votes for a class. The "
    "class that wins the vote is a step function of them, which no sum of contributions can follow."
)


def _assumed(gathered: Gathered) -> tuple[str, ...]:
    unnamed = [model.name for model in gathered.models if not model.features]
    if not kinds.has_columns(gathered.kind) or not gathered.features or not unnamed:
        return ()
    return (f"Members that do not name their columns read them in the given order: {unnamed[:8]}.",)
