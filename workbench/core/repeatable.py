"""Recipes that give the same copy of a model every time, so that another process can make it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec

from workbench.core.model import Model
from workbench.core.source import Source, source_of

P = ParamSpec("P")


def repeatable(recipe: Callable[P, Model]) -> Callable[P, Model]:
    """The recipe, changed so that its copies record how they were made, if the original does.

    For recipes that are quick and leave nothing to chance; a copy that is trained is saved instead.
    """

    @wraps(recipe)
    def made(*arguments: P.args, **keywords: P.kwargs) -> Model:
        copy = recipe(*arguments, **keywords)
        try:
            given = tuple(map(_source, arguments))
            named = {key: _source(one) for key, one in keywords.items()}
        except _UnknownError:
            return copy
        if not copy.digest:  # without one, nobody could check that it was made alike
            return copy
        recorded: Model = Source(made, given, named).on(copy)
        return recorded

    return made


class _UnknownError(Exception):
    """A model among the arguments has no source; never leaves this file."""


def _source(argument: Any) -> Any:
    """The arguments, with every model replaced by its source."""
    if isinstance(argument, Model):
        source = source_of(argument)
        if source is None:
            raise _UnknownError
        return source
    if isinstance(argument, list | tuple):
        return tuple(map(_source, argument))
    if isinstance(argument, Mapping):
        return dict(argument)
    return argument
