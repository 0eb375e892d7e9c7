"""A parameter is described once, in its annotation; checks, forms and files all use that."""

from __future__ import annotations

import types
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from workbench.errors import InputError


@dataclass(frozen=True)
class Range:
    """The closed range of a number; with `log`, a form shows a logarithmic slider."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, init=False)
class Doc:
    """One line on what a parameter does; and the kinds of rows it matters for, if not for all."""

    text: str
    kinds: tuple[str, ...]

    def __init__(self, text: str, *kinds: str) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "kinds", kinds)


@dataclass(frozen=True)
class Parameter:
    """What a form needs to know about one field of a method.

    `type` is int, float, bool or str; `choices` is empty unless the annotation is a `Literal`;
    `optional` means that None is allowed too; `kinds` is empty where the field matters for
    every kind of rows.
    """

    name: str
    type: type
    default: Any
    choices: tuple[Any, ...] = ()
    range: Range | None = None
    doc: str = ""
    optional: bool = False
    kinds: tuple[str, ...] = ()

    def matters_for(self, kind: str) -> bool:
        """Whether the field changes anything for rows of this kind."""
        return not self.kinds or kind in self.kinds


def parameters(cls: type) -> tuple[Parameter, ...]:
    """The parameters of a frozen dataclass, in order, read from its annotations.

    >>> @dataclass(frozen=True)
    ... class Blur:
    ...     radius: Annotated[int, Range(1, 9), Doc("in pixels")] = 3
    >>> parameters(Blur)[0].range
    Range(low=1, high=9, log=False)
    """
    return _read(cls)


@cache
def _read(cls: Any) -> tuple[Parameter, ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(_parameter(f.name, hints[f.name], f.default) for f in fields(cls))


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    hint, extras = _bare(hint)
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        optional = type(None) in get_args(hint)
        (hint,) = (member for member in get_args(hint) if member is not type(None))
        hint, inner = _bare(hint)
        extras += inner
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    return Parameter(
        name=name,
        type=type(choices[0]) if choices else hint,
        default=None if default is MISSING else default,
        choices=choices,
        range=next((e for e in extras if isinstance(e, Range)), None),
        doc=next((e.text for e in extras if isinstance(e, Doc)), ""),
        kinds=next((e.kinds for e in extras if isinstance(e, Doc)), ()),
        optional=optional,
    )


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """An annotation without its `Annotated` wrapping, and the wrapped metadata."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    bare, *extras = get_args(hint)
    return bare, tuple(extras)


def check_parameters(recipe: Any) -> None:
    """Refuse a recipe whose fields do not fit their annotations.

    Raises:
        InputError: a field does not fit; names the field, what it may be, and what it is.
    """
    name = type(recipe).__name__
    for p in parameters(type(recipe)):
        value = getattr(recipe, p.name)
        if value is None and p.optional:
            continue
        if p.choices:
            if value not in p.choices:
                raise InputError(
                    f"{name}.{p.name} must be one of {list(p.choices)}, not {value!r}."
                )
            continue
        if p.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
            object.__setattr__(recipe, p.name, value)
        if p.type in (int, float, bool, str) and type(value) is not p.type:
            raise InputError(
                f"{name}.{p.name} must be of type {p.type.__name__}, not {value!r} "
                f"({type(value).__name__})."
            )
        if p.range is not None and not p.range.low <= value <= p.range.high:
            raise InputError(
                f"{name}.{p.name} must lie in {p.range.low:g} … {p.range.high:g}, but is {value!r}."
            )
