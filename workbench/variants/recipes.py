"""`Recipe`: a compressor's name, the meaning of its level, and where it applies; and a list of all."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib.util import find_spec
from inspect import getmodule
from types import ModuleType
from typing import Any, Literal

from workbench.core import Inputs, Model
from workbench.errors import InputError, MissingDependency
from workbench.variants.record import Applies, for_torch

Level = float | str | None
"""How far a recipe goes; None for a recipe that has no level."""


@dataclass(frozen=True)
class Recipe:
    """One way to make a copy of a model: a public function of `workbench.variants` and its arguments.

    >>> recipe("prune").code("model", 0.5)
    'variants.prune(model, 0.5, rows=inputs)'

    Args:
        name: unique in the catalog.
        title: what menus call it.
        function: the function of `workbench.variants` that it calls.
        level: what the level means; "" where there is none.
        levels: the levels that are tried unless others are given, from gentle to harsh.
        parameter: the keyword of the level; "" where it follows the model by position.
        fixed: further keywords and their values.
        rows_as: what the function does with rows: `calibration` and `inputs` follow the model by position,
            `rows` is the keyword of rows to try both models on.
        needs_rows: whether it cannot do without rows.
        applies: returns the reason why a model cannot be changed like this, or None.
        modules: the modules it needs beyond the core.
        extra: the extra of this package that installs them; "" where they are installed by their own names.
        order: its place in menus, from 0 on; 99 comes after all the built-in ones.
    """

    name: str
    title: str
    function: str
    level: str = ""
    levels: tuple[Level, ...] = (None,)
    parameter: str = ""
    fixed: tuple[tuple[str, Any], ...] = ()
    rows_as: Literal["calibration", "inputs", "rows"] = "rows"
    needs_rows: bool = False
    applies: Applies = for_torch
    modules: tuple[str, ...] = ()
    extra: str = ""
    order: int = 99

    def make(self, model: Model, level: Level, rows: Inputs | None = None) -> Model:
        """The copy of `model` at this level.

        Raises:
            InputError: it needs rows and has none.
            MissingDependency: a library it needs is not installed.
            WorkbenchError: any reason for which the function refuses.
        """
        self._check(model, rows)
        positional, named = self._arguments(level, rows)
        copy: Model = self._function()(model, *positional, **named)
        return copy

    def steps(self, model: Model, level: Level, rows: Inputs | None = None) -> Iterator[Any] | None:
        """The same as a generator of epochs, each with `.label` and `.model()`; None without epochs."""
        generator = getattr(getmodule(self._function()), f"{self.function}_steps", None)
        if generator is None:
            return None
        self._check(model, rows)
        positional, named = self._arguments(level, rows)
        epochs: Iterator[Any] = generator(model, *positional, **named)
        return epochs

    def code(self, model: str, level: Level, rows: str = "inputs") -> str:
        """The call as code.

        Args:
            model: an expression for the model.
            level: the level, or None without one.
            rows: an expression for the rows; "" for none, where they are not needed.
        """
        positional, named = self._arguments(level, _Code(rows) if rows else None)
        words = [
            model,
            *map(_as_code, positional),
            *(f"{key}={_as_code(value)}" for key, value in named.items()),
        ]
        return f"variants.{self.function}({', '.join(words)})"

    def obstacle(self, model: Model) -> str | None:
        """Why this cannot be done to the model, as a sentence that tells what to do; None if it can."""
        return self._missing() or self.applies(model)

    def _arguments(self, level: Level, rows: Any) -> tuple[list[Any], dict[str, Any]]:
        given = rows is not None
        positional = [rows] if given and self.rows_as != "rows" else []
        named: dict[str, Any] = {}
        if self.level and not self.parameter:
            positional.append(level)
        elif self.level:
            named[self.parameter] = level
        named |= dict(self.fixed)
        if given and self.rows_as == "rows":
            named["rows"] = rows
        return positional, named

    def _check(self, model: Model, rows: Inputs | None) -> None:
        if missing := self._missing():
            raise MissingDependency(missing)
        if self.needs_rows and rows is None:
            what = {"calibration": "calibration", "inputs": "training"}.get(self.rows_as, "some")
            raise InputError(
                f"{self.title} of {model.name!r} needs {what} rows, and there are none. Give rows=inputs, "
                "rows such as the model was trained on."
            )

    def _missing(self) -> str | None:
        absent = [module for module in self.modules if find_spec(module) is None]
        if not absent:
            return None
        wanted = f'"explainability-workbench[{self.extra}]"' if self.extra else " ".join(absent)
        return f"{self.title} needs {', '.join(absent)}, which is not installed. Run: pip install {wanted}"

    def _function(self) -> Any:
        from workbench import variants

        return getattr(variants, self.function)


class _Code:
    """An expression that is printed unchanged."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _as_code(value: object) -> str:
    """A value as an argument; a dataclass such as `Schedule` is written as a name of this room."""
    return f"variants.{value!r}" if is_dataclass(value) else repr(value)


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        InputError: there is none; lists the existing ones.
    """
    found = {one.name: one for one in recipes()}
    if name not in found:
        raise InputError(f"There is no recipe {name!r}. There are {', '.join(map(repr, found))}.")
    return found[name]


@cache
def recipes() -> tuple[Recipe, ...]:
    """Every compressor, in the order menus list them.

    The folder is the registry: a file adds itself by holding a `Recipe` beside the function it calls.

    >>> [one.name for one in recipes()][:3]
    ['fake_quantize', 'cast', 'quantize_weights']

    Raises:
        InputError: two files give their recipes the same name.
    """
    found: dict[str, Recipe] = {}
    for one in (one for module in _compressors() for one in _held(module)):
        other = found.setdefault(one.name, one)
        if other is not one:
            raise InputError(
                f"Recipes need names that differ, but those of variants.{other.function} and "
                f"variants.{one.function} are both called {one.name!r}. Rename one of them."
            )
    return tuple(sorted(found.values(), key=lambda one: (one.order, one.name)))


def function_called(name: str) -> Any:
    """The function of this name in a file that holds a recipe for it; None where there is none."""
    for module in _compressors():
        if name.removesuffix("_steps") in {one.function for one in _held(module)}:
            return getattr(module, name, None)
    return None


def _compressors() -> Iterator[ModuleType]:
    """The files of this room, and of the rooms in it, that may hold recipes.

    A file that does not mention recipes is not imported: some need torch.
    """
    from workbench import variants

    for info in pkgutil.walk_packages(variants.__path__, f"{variants.__name__}.", onerror=_raised):
        spec = importlib.util.find_spec(info.name)
        source = getattr(spec.loader, "get_source", lambda _: "")(info.name) if spec else ""
        if source and "Recipe" in source:
            yield importlib.import_module(info.name)


def _held(module: ModuleType) -> list[Recipe]:
    return [thing for thing in vars(module).values() if isinstance(thing, Recipe)]


def _raised(_name: str) -> None:
    """Raises for a room that cannot be imported; `pkgutil` would leave it out in silence."""
    raise
