"""Which output of a model a label, a name, a position or a truth stands for."""

from __future__ import annotations

from typing import Any

from workbench.core import Model, class_names
from workbench.core.classes import name_as_number
from workbench.errors import InputError


def output_of(given: Any, model: Model) -> bool | int | str:
    """The output that is meant, as a `Target` takes it: by its name, or by its position.

    A number is a label where the model knows its labels, and a position where that is another output's
    neither. Where it is both, for different outputs, it is refused.

    >>> grades = Model("grades", len, ("1", "2", "3"), "probability", classes=(1, 2, 3))
    >>> output_of("2", grades), output_of(3, grades), output_of(0, grades)
    ('2', '3', 0)
    >>> output_of(2, Model("net", len, ("cat", "dog", "eel"), "logit"))
    2

    Raises:
        InputError: it is none, or may be two.
    """
    scalar = hasattr(given, "item") and getattr(given, "ndim", 0) == 0  # of NumPy, or of torch
    one = given.item() if scalar else given
    if isinstance(one, str | bool):
        return one
    sides = class_names(model.outputs, model.opposite)
    labelled = _by_label(one, model, sides)
    whole = isinstance(one, int | float) and float(one).is_integer()
    position = int(one) if whole and 0 <= one < len(model.outputs) else None
    if isinstance(one, float) and labelled is None:
        position = None
    if position is None and labelled is None:
        raise InputError(
            f"Model {model.name!r} has no output {one!r}. Give a name of {list(sides)[:20]}, a position in "
            f"0..{len(model.outputs) - 1}, True or False of two classes, 'predicted', 'true', 'all', or a "
            "Target."
        )
    if labelled is None:
        assert position is not None
        return position
    if position is not None and model.outputs[position] != sides[labelled]:
        raise InputError(
            f"{one!r} is the label of {sides[labelled]!r} and the position of {model.outputs[position]!r} "
            f"among the outputs of model {model.name!r}. Give the name, {sides[labelled]!r}, or "
            f"Target({position}) for the position."
        )
    return sides[labelled]


def _by_label(one: Any, model: Model, sides: tuple[str, ...]) -> int | None:
    """The position in `sides` of the output whose label, or whose name as a number, this is."""
    if model.classes is not None:
        found = [i for i, label in enumerate(model.classes) if _same(label, one)]
        return found[0] if found else None
    if not isinstance(one, int | float):
        return None
    found = [i for i, name in enumerate(sides) if name_as_number(name) == one]
    return found[0] if found else None


def _same(label: Any, one: Any) -> bool:
    numbers = isinstance(label, int | float) and isinstance(one, int | float)
    return (numbers or type(label) is type(one)) and bool(label == one)
