"""A method's parameters as a form, and a form's values as a method: both from the annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.core import Method, Parameter, clean, parameters

Field = dict[str, Any]
"""One control, as `static/form.js` reads it."""

MOST_SLIDER_STEPS = 1_000
"""A number with a wider linear range (a seed) is typed: a slider could not hit single numbers."""


def fields(
    method: type, suggestions: Mapping[str, Sequence[str]] | None = None, kind: str = ""
) -> tuple[Field, ...]:
    """One control per parameter of a method class.

    Args:
        method: a frozen dataclass.
        suggestions: {parameter: texts to offer}, such as a model's layers.
        kind: of the rows; parameters that matter only for another kind are left out.

    Example:
        >>> from workbench import methods
        >>> [(field["name"], field["kind"]) for field in fields(methods.TreeSHAP)]
        [('feature_perturbation', 'choice')]
    """
    offered = suggestions or {}
    return tuple(
        field(one, offered.get(one.name, ()))
        for one in parameters(method)
        if not kind or one.matters_for(kind)
    )


def field(parameter: Parameter, suggestions: Sequence[str] = ()) -> Field:
    """The control of one parameter."""
    made: Field = {
        "name": parameter.name,
        "label": parameter.name.replace("_", " "),
        "doc": parameter.doc,
        "optional": parameter.optional,
        "default": parameter.default,
    }
    if parameter.choices:
        options = [[value, str(value).replace("_", " ")] for value in parameter.choices]
        if parameter.optional:
            options.insert(0, [None, "auto"])
        return made | {"kind": "choice", "options": options}
    if parameter.type is bool and not parameter.optional:
        return made | {"kind": "check"}
    if parameter.type in (int, float):
        return made | {"kind": "number", "integer": parameter.type is int, **_slider(parameter)}
    return made | {
        "kind": "text",
        "placeholder": "auto" if parameter.optional else "",
        "suggestions": list(suggestions),
    }


def opacity(label: str) -> Field:
    """The slider for a look's `opacity`: how strongly a map covers its image."""
    made: Field = {"name": "opacity", "label": label, "kind": "number"}
    return made | {"slider": True, "low": 0.0, "high": 1.0}


def _slider(parameter: Parameter) -> Field:
    span = parameter.range
    if span is None:
        return {"slider": False}
    whole = parameter.type is int
    wide = span.high - span.low > MOST_SLIDER_STEPS
    return {
        "slider": span.log or not wide,
        "log": span.log,
        "low": int(span.low) if whole else span.low,
        "high": int(span.high) if whole else span.high,
    }


def recipe_values(recipe: Any) -> dict[str, Any]:
    """What a form shows for a recipe."""
    return {one.name: getattr(recipe, one.name) for one in parameters(type(recipe))}


def recipe_from(method: type, shown: Mapping[str, Any]) -> Method:
    """The method that a form's values describe; parameters that are not in the form keep their default.

    Raises:
        InputError: a value leaves its parameter's annotation; says which and how.
    """
    known = {one.name for one in parameters(method)}
    made: Method = method(**{name: value for name, value in shown.items() if name in known})
    return made


def label_of(name: object) -> str:
    """A name from data as a control's label, which shows text as text."""
    return clean(name, limit=60)


def recipe_as_code(recipe: Any) -> str:
    """The call that makes a recipe, without parameters that have their default.

    >>> from workbench import methods
    >>> recipe_as_code(methods.LIME(seed=3))
    'methods.LIME(seed=3)'
    """
    given = ", ".join(
        f"{one.name}={getattr(recipe, one.name)!r}"
        for one in parameters(type(recipe))
        if getattr(recipe, one.name) != one.default
    )
    return f"methods.{type(recipe).__name__}({given})"
