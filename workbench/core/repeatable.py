"""Recipes that give the same copy of a model every time, so that another process can make it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec

from workbench.core.model import Model
from workbench.core.source import Source, source_of

P = ParamSpec("P")


def repeatable(recipe: Callable[P, Model]) -> Callable[P, Model]:
    """The recipe; its copies of models that know their source know how they were made.

    For recipes that are quick and leave nothing to chance: a copy that is trained is saved and loaded.
    """

    @wraps(recipe)
    def made(*arguments: P.args, **keywords: P.kwargs) -> Model:
        copy = recipe(*arguments, **keywords)
        try:
            given = tuple(map(_source, arguments))
            named = {key: _source(one) for key, one in keywords.items()}
        except _UnknownError:
            return copy
        if not copy.digest:  # whether it came out alike could not be told
            return copy
        recorded: Model = Source(made, given, named).on(copy)
        return recorded

    return made


class _UnknownError(Exception):
    """A model among the arguments does not know how it was made; never leaves this file."""


def _source(argument: Any) -> Any:
    """Models as their sources."""
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
