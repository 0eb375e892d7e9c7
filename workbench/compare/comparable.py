"""Whether two explanations differ because their models differ, or for another reason."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import fields, is_dataclass
from typing import Literal

import numpy as np

from workbench.core import Attribution, Inputs, clean
from workbench.errors import IncompatibleError, InputError

Facet = Literal["method", "background", "output"]
"""Differences that some comparisons allow, because they report them: another method, other background rows,
another explained output."""


def check_comparable(
    first: Attribution, other: Attribution, needs: str, *, but: Container[Facet] = ()
) -> None:
    """Refuse two explanations that would differ for another reason than their models.

    Units, rows, background, shape, players, target and explained outputs must be the same, and all values
    numbers. Seeds may differ: that is how the explainer's own noise is seen.

    Args:
        needs: the beginning of the error message: "Drift needs".
        but: what may differ, because a note reports it or the comparison is about it.

    Raises:
        InputError: rows, players or outputs differ, or values are not numbers.
        IncompatibleError: methods, units or backgrounds differ.
    """
    who, whom = repr(first.model), repr(other.model)
    if "method" not in but and type(first.method) is not type(other.method):
        raise IncompatibleError(
            f"{needs} one method for both models: two methods never agree. {who} is explained by "
            f"{type(first.method).__name__}, {whom} by {type(other.method).__name__}. Explain both with "
            "the same."
        )
    if first.unit != other.unit:
        advice = (
            "Wrap both with the same scale=."
            if first.scale != other.scale
            else "These are different quantities: compare models whose scores are the same one."
        )
        raise IncompatibleError(
            f"{needs} one unit, but {who} is in {first.unit}, {whom} in {other.unit}. {advice}"
        )
    _check_rows(first, other, needs, but)
    if not _same_players(first, other):
        raise InputError(
            f"{needs} the same players, but {whom} credits others than {who}. Give both the same columns, "
            "groups or superpixels."
        )
    if "output" not in but:
        _check_outputs(first, other, needs)
    for one in (first, other):
        check_numbers(one, needs)


def check_numbers(one: Attribution, needs: str) -> None:
    """Refuse values and outputs that are not finite.

    Raises:
        InputError: some are NaN or infinite.
    """
    values = ~np.isfinite(one.values.reshape(len(one), -1))
    outputs = ~np.isfinite(one.output)
    wrong = values.any(axis=1) | outputs
    if wrong.any():
        row = one.inputs.ids[int(np.argmax(wrong))]
        raise InputError(
            f"{needs} numbers, but {int(values.sum() + outputs.sum())} of the values and outputs by "
            f"{type(one.method).__name__} are NaN or infinite: {one.model!r} has others on "
            f"{int(wrong.sum())} of {len(one)} rows, first on row {row!r}. Leave it out, or those rows, or "
            "correct the method."
        )


def _check_rows(first: Attribution, other: Attribution, needs: str, but: Container[Facet]) -> None:
    who, whom = repr(first.model), repr(other.model)
    mine, theirs = first.inputs, other.inputs
    if mine.ids != theirs.ids or not _same_values(mine, theirs):
        raise InputError(
            f"{needs} the same rows, but {whom} explains other rows ({len(other)} of them) than {who} "
            f"({len(first)}). Run one study for both."
        )
    if "background" not in but and not mine.shares_background(theirs):
        had, has = (
            "none" if one.background is None else f"{len(one.background)} rows"
            for one in (mine, theirs)
        )
        raise IncompatibleError(
            f"{needs} one background, for an absent feature must mean the same, but {who} has {had} and "
            f"{whom} {has if had != has else 'others'}. Run one study for both."
        )
    if first.values.shape != other.values.shape:
        raise InputError(
            f"{needs} values of one shape, but {who} has {first.values.shape} and {whom} "
            f"{other.values.shape}. Align their columns first."
        )


def _same_values(mine: Inputs, theirs: Inputs) -> bool:
    return np.array_equal(mine.values, theirs.values, equal_nan=True)


def _check_outputs(first: Attribution, other: Attribution, needs: str) -> None:
    who, whom = repr(first.model), repr(other.model)
    if repr(first.target) != repr(other.target):
        raise InputError(
            f"{needs} the same output explained, but {who} was asked about {clean(first.target, limit=80)} "
            f"and {whom} about {clean(other.target, limit=80)}. Run one study for both."
        )
    pairs = zip(first.inputs.ids, first.explained, other.explained, strict=True)
    moved = [(row, a, b) for row, a, b in pairs if a != b]
    if moved:
        row, a, b = moved[0]
        raise InputError(
            f"{needs} the same output explained, but there are other outputs on {len(moved)} of "
            f"{len(first)} rows: on row {row!r} it is {a!r} for {who} and {b!r} for {whom}. Name the "
            "target, such as Target(index=...) with the reference's own prediction per row."
        )


def _same_players(first: Attribution, other: Attribution) -> bool:
    if first.player_names != other.player_names:
        return False
    if first.inputs.of_kind.columns and first.inputs.features != other.inputs.features:
        return False
    if first.players is None or other.players is None:
        return first.players is other.players
    return np.array_equal(first.players, other.players)


def check_recipe(reference: Attribution, copy: Attribution, *, paired: bool) -> None:
    """Refuse explanations by one method with different parameters; with shared seeds, also different seeds.

    Raises:
        InputError: parameters differ, or one explanation was stopped early.
    """
    recipes = [_parameters(one, seed=paired) for one in (reference, copy)]
    if recipes[0] != recipes[1]:
        raise InputError(
            f"Drift needs one recipe for both models, but {reference.model!r} is explained by "
            f"{reference.method!r} and {copy.model!r} by {copy.method!r}. Explain both with the same."
        )
    for one in (reference, copy):
        if not one.complete:
            raise InputError(
                f"Drift needs finished explanations, but that of {one.model!r} by "
                f"{type(one.method).__name__} was stopped early. Run it to its end."
            )


def _parameters(attribution: Attribution, *, seed: bool) -> object:
    method: object = attribution.method
    if not is_dataclass(method):
        return type(method)
    names = [one.name for one in fields(method) if seed or one.name != "seed"]
    return type(method), [repr(getattr(method, name)) for name in names]
