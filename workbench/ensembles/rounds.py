"""A boosted model's rounds as members: each adds its trees to the margin."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from workbench.core import Combination, Model, Trees
from workbench.ensembles.assembly import assembled
from workbench.ensembles.members import Gathered
from workbench.errors import IncompatibleError, InputError
from workbench.models.tabular import booster_library, final_step


def rounds_of(model: Model, blocks: int | None = None) -> Model:
    """The same model as a sum of blocks of consecutive rounds, in the scale its trees add up in.

    Args:
        model: a model with trees, such as gradient boosting in logits.
        blocks: how many members; when left out, one for every round, or for every tree if there is a
            single round of several trees.

    Raises:
        IncompatibleError: the model's scores are not a sum of its trees.
        InputError: more blocks than rounds, or none.
    """
    if model.trees is None:
        reason = f" {model.notes[-1]}" if model.notes else ""
        raise IncompatibleError(
            f"Rounds are taken apart where a model's scores are the sum of its trees, but {model.name!r} "
            f"has scores in {model.scale!r} and no trees in that unit.{reason}"
        )
    trees = model.trees()
    width, unit = _trees_per_round(model, trees), "round"
    rounds = len(trees.trees) // width
    if rounds == 1 and width > len(model.outputs):
        width, unit, rounds = 1, "tree", len(trees.trees)  # a forest, grown in a single round
    if blocks is None:
        blocks = rounds
    if not 1 <= blocks <= rounds:
        raise InputError(
            f"Model {model.name!r} has {rounds} {unit}s, so blocks must lie in 1..{rounds}, not {blocks}."
        )
    members = []
    for some in np.array_split(np.arange(rounds), blocks):
        first, last = int(some[0]), int(some[-1])
        own = trees.trees[first * width : (last + 1) * width]
        label = f"{unit} {first + 1}" if first == last else f"{unit}s {first + 1} to {last + 1}"
        members.append(_member(model, label, replace(trees, trees=own, offset=0 * trees.offset)))
    k = len(model.outputs)
    combination = Combination(
        tuple(members),
        "weighted sum",
        "margin" if model.scale == "logit" else "prediction",
        np.ones(blocks),
        (np.eye(k),) * blocks,
        trees.offset,
    )
    gathered = Gathered(
        tuple(members), "tabular", model.features, model.shape, (), model.categories, model.columns
    )
    return assembled(
        combination,
        gathered,
        name=model.name,
        outputs=model.outputs,
        scale=model.scale,
        how=f"sum of {rounds} {unit}s in {blocks} blocks",
        notes=model.notes,
        native=model.native,
    )


def _member(model: Model, name: str, part: Trees) -> Model:
    return replace(
        model,
        name=name,
        predict=part.scores,
        trees=cache(lambda: part),
        native=None,  # the object is the whole model
        digest=f"{model.digest}:{name}" if model.digest else "",
        notes=(),
    )


def _trees_per_round(model: Model, trees: Trees) -> int:
    """XGBoost's own number, as it may grow several at once; else one per output if outputs take turns."""
    native = final_step(model.native)[0]
    if booster_library(native) == "xgboost":
        booster = native.get_booster() if hasattr(native, "get_booster") else native
        return len(booster[0:1].get_dump())
    k = len(trees.offset)
    takes_turns = len(trees.trees) % k == 0 and all(
        not np.delete(tree.values, number % k, axis=1).any()
        for number, tree in enumerate(trees.trees)
    )
    return k if takes_turns else 1
