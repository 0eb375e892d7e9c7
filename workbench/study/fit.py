"""Whether a method, a model and rows go together, before any time is spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.core import (
    CAPABILITIES,
    IN_WORDS,
    Inputs,
    Method,
    Model,
    other_codes,
    other_units,
)
from workbench.errors import IncompatibleError, InputError


def check(method: Method, model: Model, inputs: Inputs) -> None:
    """Refuse what cannot work before any time is spent.

    Raises:
        IncompatibleError: the method does not suit the model or the kind of rows.
        InputError: the rows do not have the model's shape.
    """
    if reason := mismatch(model, inputs):
        raise InputError(reason)
    if reason := obstacle(method, model, inputs):
        raise IncompatibleError(f"{reason} {_other_ways(method, model, inputs)}".strip())


def _other_ways(method: Method, model: Model, inputs: Inputs) -> str:
    """What can explain the model as it is, or once the rows have a background; nothing to add is empty."""
    if able := _able(model, inputs):
        return f"Methods that can explain it: {', '.join(able)}."
    if inputs.background is not None or not len(inputs):
        return "No method here can explain it."
    filled = inputs.with_background(inputs.values)
    if obstacle(method, model, filled) is None:
        return ""  # the reason says how to add a background
    if able := _able(model, filled):
        return (
            f"With background rows {', '.join(able)} can explain it: "
            "Inputs(rows, background=training_rows)."
        )
    return "No method here can explain it."


def _able(model: Model, inputs: Inputs) -> list[str]:
    from workbench import methods

    return [c.__name__ for c in methods.catalog() if obstacle(c, model, inputs) is None]


def mismatch(model: Model, inputs: Inputs) -> str | None:
    """Why these rows are not rows of this model, or None when they are."""
    if model.kind is not None and model.kind != inputs.kind:
        return (
            f"Model {model.name!r} reads {model.kind} rows, but these are {inputs.kind}. "
            "Choose rows of its kind, or wrap it with the right kind."
        )
    shape = inputs.values.shape[1:]
    if model.shape and (
        len(model.shape) != len(shape)
        or any(
            want is not None and want != have for want, have in zip(model.shape, shape, strict=True)
        )
    ):
        wanted = " x ".join("any" if want is None else str(want) for want in model.shape)
        hint = ""
        if inputs.of_kind.columns and model.features:
            missing = [name for name in model.features if name not in inputs.features]
            hint = f" Columns it misses: {missing[:8]}." if missing else ""
        return (
            f"Model {model.name!r} needs rows of {wanted}, but these are "
            f"{' x '.join(map(str, shape))}.{hint} Give it the columns or the image size it was trained on."
        )
    names = inputs.features
    if inputs.of_kind.columns and positional(model.features, names):
        names = model.features
    elif model.respelled:
        names = tuple(name.replace(" ", "_") for name in names)
    if inputs.of_kind.columns and model.features and model.features != names:
        wrong = [
            (j, want, inputs.features[j])
            for j, (want, have) in enumerate(zip(model.features, names, strict=True))
            if want != have
        ]
        j, want, have = wrong[0]
        return (
            f"Model {model.name!r} was trained on other column names or another order: column {j} should "
            f"be {want!r} but is {have!r} ({len(wrong)} differ). Reorder or rename the columns."
        )
    labels = {
        name: inputs.categories[own]
        for name, own in zip(names, inputs.features, strict=True)
        if own in inputs.categories
    }
    if inputs.of_kind.columns and (
        other := other_codes(model.categories, labels, names)
        or other_units(model.columns, inputs.columns, names)
    ):
        return (
            f"Model {model.name!r} takes the rows' numbers otherwise: {other}. Wrap or load it with "
            "like=rows, which finds their labels, or read the rows with data.table(frame, like=...)."
        )
    return None


def positional(meant: Sequence[str], found: Sequence[str]) -> bool:
    """Whether columns are matched by position, because the rows' names (x0, x1, ...) were made up.

    >>> positional(("age", "dose"), ("x0", "x1")), positional(("x1", "x0"), ("x0", "x1"))
    (True, False)
    """
    made_up = tuple(found) == tuple(f"x{j}" for j in range(len(found)))
    return made_up and len(meant) == len(found) and not set(meant) & set(found)


def obstacle(method: Method | type, model: Model, inputs: Inputs) -> str | None:
    """Why this method cannot explain this model on these rows, or None when it can.

    `method` may be a recipe or its class; a class is judged by its default parameters.
    """
    recipe: Any = method() if isinstance(method, type) else method
    name = type(recipe).__name__
    if not getattr(recipe, "any_kind", False) and inputs.kind not in recipe.kinds:
        named = " and ".join(filter(None, (", ".join(recipe.kinds[:-1]), recipe.kinds[-1])))
        return f"{name} explains {named} rows, but these are {inputs.kind}."
    lacking = [
        need for need in recipe.needs if need in CAPABILITIES and getattr(model, need) is None
    ]
    if lacking:
        reasons = [model.absent[need] for need in lacking if need in model.absent]
        wanted = " and ".join(IN_WORDS[need] for need in lacking)
        found = f"{name} needs the model's {wanted}, which {model.name!r} does not give."
        return " ".join([found, *reasons])
    lacks, unfit = getattr(recipe, "lacks", None), getattr(recipe, "unfit", None)
    reason = lacks(inputs) if lacks is not None else None
    if reason is None and unfit is not None:
        reason = unfit(model, inputs)
    return f"{name} {reason}" if reason else None
