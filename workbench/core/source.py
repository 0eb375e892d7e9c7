"""`Source`: how to make a model again in another process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.core.call import CALLS
from workbench.errors import IncompatibleError, InputError

_ANSWERS = (*CALLS, "layers", "trees")
_FACTS = ("digest", "outputs", "scale", "kind", "features", "shape", "capabilities", "categories")


@dataclass(frozen=True, eq=False)
class Source:
    """A function that makes a model, and its arguments.

    `workbench.load` and the recipes of `workbench.variants` record one. A function of your own that
    returns a model makes one that can be pickled: `Source(make_my_model).model()`.

    Args:
        make: a function that another process can import by its name, so not a lambda.
        arguments: its positional arguments; a `Source` among them stands for the model that it makes.
        keywords: its keyword arguments; likewise.
        name: the model's name; "" for the name that `make` gives.
    """

    make: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    _of: tuple[object, ...] = field(default=(), repr=False)  # the recorded model's callables
    _now: Callable[[], str] | None = field(default=None, repr=False)  # computes its digest again

    def model(self) -> Any:
        """Make the model; it carries this source."""
        keywords = {key: _filled(one) for key, one in self.keywords.items()}
        made = self.make(*map(_filled, self.arguments), **keywords)
        return self.on(made.renamed(self.name) if self.name else made)

    def on(self, model: Any, now: Callable[[], str] | None = None) -> Any:
        """The model, with the record that this source made it.

        The record does not hold for another model that is derived from it later, by `dataclasses.replace`
        with another `predict` or another capability.

        Args:
            model: as it was made.
            now: computes the present digest of the wrapped object, whose weights may be trained further.
        """
        return replace(model, source=replace(self, _of=_answers(model), _now=now))

    def is_of(self, model: Any) -> bool:
        """Whether this source made this very model."""
        found = _answers(model)
        return len(self._of) == len(found) and all(
            one is None or one is of for one, of in zip(found, self._of, strict=True)
        )

    def still(self, model: Any) -> bool:
        """Whether the model's weights are unchanged since it was made, as far as that is known."""
        return self._now is None or self._now() == model.digest

    def __reduce__(self) -> tuple[Any, ...]:
        return Source, (self.make, self.arguments, dict(self.keywords), self.name)


def reduced(model: Any) -> tuple[Any, ...]:
    """For a model's `__reduce__`: its source, and the properties that the model made from it must have.

    Raises:
        IncompatibleError: it is unknown how to make the model again, or only this process can do it.
    """
    source = source_of(model)
    if source is None:
        raise IncompatibleError(
            f"To go to another process a model must be made again there, but how {model.name!r} was made "
            "is not known: it was wrapped, trained or changed here. Save it in its library's format (a "
            "torch module with workbench.models.save) and use workbench.load, or give a function of a "
            "module that makes it: workbench.core.Source(make).model()."
        )
    if changed := next(_changed(model), ""):
        raise IncompatibleError(
            f"To go to another process {model.name!r} must be made again there, but the weights of "
            f"{changed!r} were changed after it was made, by training perhaps. Save it with "
            "workbench.models.save and use workbench.load."
        )
    if lost := [one for one in _things(source) if not _found_by_name(one)]:
        raise IncompatibleError(
            f"To go to another process {model.name!r} must be made again there, but it was made with "
            f"{lost[0]!r}, which only this process has. Give a class or function of a module in its place."
        )
    return remade, (source, facts(model))


def remade(source: Source, expected: Mapping[str, Any]) -> Any:
    """The model, made again.

    Raises:
        InputError: the source made a different model.
    """
    model = source.model()
    found = facts(model)
    if other := [name for name in _FACTS if found[name] != expected[name]]:
        raise InputError(
            f"Model {source.name!r} must be made again as it was, but its {', '.join(other)} came out "
            "otherwise: its source or the model itself was changed after it was made. Save the model that "
            "you mean and load it."
        )
    return model


def source_of(model: Any) -> Source | None:
    """How to make a model again under its present name, or None where that is unknown."""
    source: Source | None = model.source
    if source is None or not source.is_of(model):
        return None
    return replace(source, name=model.name)


def facts(model: Any) -> dict[str, Any]:
    """The properties that must be equal in two models from one source."""
    found = {name: getattr(model, name) for name in _FACTS}
    if found["categories"] is not None:
        found["categories"] = dict(found["categories"])
    return found


def _changed(model: Any) -> Iterator[str]:
    """The names of what was changed since: the model, or members that it shares."""
    if model.source is not None and not model.source.still(model):
        yield model.name
    for member in model.combination.members if model.combination is not None else ():
        yield from _changed(member)


def _answers(model: Any) -> tuple[object, ...]:
    return tuple(getattr(model, name) for name in _ANSWERS)


def _filled(argument: Any) -> Any:
    if isinstance(argument, Source):
        return argument.model()
    if isinstance(argument, list | tuple):
        return type(argument)(map(_filled, argument))
    return argument


def _things(given: Any) -> Iterator[Any]:
    """All arguments of a source, and of the sources among them."""
    if isinstance(given, Source):
        yield given.make
        for one in (*given.arguments, *given.keywords.values()):
            yield from _things(one)
    elif isinstance(given, list | tuple):
        for one in given:
            yield from _things(one)
    else:
        yield given


def _found_by_name(thing: Any) -> bool:
    if thing is None:
        return True
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    found: Any = sys.modules.get(getattr(named, "__module__", None) or "")
    for part in named.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is named
