"""Which compressors were ticked, at which levels, and the rows that the copies are made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.core import Inputs, Model, clean
from workbench.errors import InputError
from workbench.panels.kit import Field, rows_as_code
from workbench.variants import Recipe, recipes
from workbench.variants.recipes import Level

FEWEST_OTHERS = 20
"""So many rows that are not explained are enough to make copies with."""


@dataclass(frozen=True)
class Family:
    """One compressor and the chosen levels."""

    recipe: Recipe
    levels: tuple[Level, ...]

    def code(self, model: str, rows: str) -> str:
        """The call that makes the copies, as code."""
        given = f", {list(self.levels)!r}" if self.recipe.level else ""
        return f"variants.sweep({model}, {self.recipe.name!r}{given}, rows={rows})"


@dataclass(frozen=True, eq=False)
class MadeWith:
    """The rows that copies are calibrated, trained and tried with.

    Args:
        inputs: the rows.
        code: an expression for them.
        note: what a user must know about them, or "".
    """

    inputs: Inputs
    code: str
    note: str = ""


def possible(model: Model) -> tuple[tuple[Recipe, ...], tuple[tuple[str, str], ...]]:
    """The recipes that apply to a model; and the titles of the others, each with the reason."""
    able: list[Recipe] = []
    others: list[tuple[str, str]] = []
    for one in recipes():
        reason = one.obstacle(model)
        if reason is None:
            able.append(one)
        else:
            others.append((one.title, reason))
    return tuple(able), tuple(others)


def levels_of(recipe: Recipe, text: str) -> tuple[Level, ...]:
    """The levels that a text names.

    >>> from workbench.variants import recipe
    >>> levels_of(recipe("prune"), "0.3, 0.5"), levels_of(recipe("cast"), "float16")
    ((0.3, 0.5), ('float16',))

    Raises:
        InputError: there is no level, one is repeated, or one cannot be read.
    """
    if not recipe.level:
        return (None,)
    words = [word for word in text.replace(";", ",").replace(",", " ").split() if word]
    if not words:
        raise InputError(
            f"{recipe.title} needs at least one level ({recipe.level}), but none is given. Write for "
            f"example {levels_as_text(recipe.levels)!r}."
        )
    found: tuple[Level, ...] = tuple(_level(recipe, word) for word in words)
    if len(set(found)) < len(found):
        raise InputError(
            f"The levels of {recipe.title} must differ, but {clean(text, limit=60)!r} repeats one. Leave "
            "it out."
        )
    return found


def levels_as_text(levels: Sequence[Level]) -> str:
    """Levels as text, as a user would type them.

    >>> levels_as_text((0.3, 0.5))
    '0.3, 0.5'
    """
    return ", ".join(str(level) for level in levels if level is not None)


def fields_of(able: Sequence[Recipe], levels: Mapping[str, str]) -> tuple[Field, ...]:
    """A box per recipe, and below a ticked one its levels."""
    fields: list[Field] = []
    for one in able:
        fields.append({"name": f"make-{one.name}", "label": one.title, "kind": "check"})
        if one.name in levels and one.level:
            fields.append(
                {
                    "name": f"levels-{one.name}",
                    "label": f"{one.title}: levels",
                    "kind": "text",
                    "doc": f"{one.level}, such as {levels_as_text(one.levels)}",
                }
            )
    return tuple(fields)


def values_of(able: Sequence[Recipe], levels: Mapping[str, str]) -> dict[str, object]:
    """The values of these controls."""
    values: dict[str, object] = {f"make-{one.name}": one.name in levels for one in able}
    values |= {f"levels-{one.name}": levels[one.name] for one in able if one.name in levels}
    return values


def asked_of(able: Sequence[Recipe], values: Mapping[str, object]) -> dict[str, str]:
    """The ticked recipes with their levels as text: a recipe's own levels where none were typed yet."""
    return {
        one.name: str(values.get(f"levels-{one.name}") or levels_as_text(one.levels))
        if f"levels-{one.name}" not in values
        else str(values[f"levels-{one.name}"] or "")
        for one in able
        if values.get(f"make-{one.name}")
    }


def made_with(
    name: str, source: Inputs, explained: str, picked: Sequence[int], code: str
) -> MadeWith:
    """The rows of a set that copies are made with: the ones not explained, if enough are left.

    Args:
        name: of the set.
        source: its rows.
        explained: the name of the set that is explained.
        picked: which of them are explained.
        code: an expression for the set.
    """
    if name != explained:
        return MadeWith(source, code)
    others = np.setdiff1d(np.arange(len(source)), picked).tolist()
    if len(others) >= FEWEST_OTHERS:
        return MadeWith(source[others], code + rows_as_code(others))
    return MadeWith(
        source,
        code,
        "The copies are calibrated or trained with the rows that are explained: no others are at hand, so "
        "the drift may look smaller than it is. Put other rows on the bench to make them with.",
    )


def _level(recipe: Recipe, word: str) -> Level:
    known = recipe.levels
    if all(isinstance(level, str) for level in known):
        if word in known:
            return word
        raise InputError(
            f"{recipe.title} knows the levels {levels_as_text(known)}, but not {clean(word, limit=40)!r}. "
            "Choose among these."
        )
    try:
        value = float(word)
    except ValueError:
        raise InputError(
            f"The levels of {recipe.title} are numbers ({recipe.level}), but {clean(word, limit=40)!r} is "
            f"none. Write for example {levels_as_text(known)!r}."
        ) from None
    whole = all(isinstance(level, int) for level in known)
    return int(value) if whole and value == int(value) else value
