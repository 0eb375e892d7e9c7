"""A panel's arguments as choices; a wrong name is an error here, while a stale choice is replaced."""

from __future__ import annotations

from workbench import methods
from workbench.core import Method, Model, Target
from workbench.errors import InputError
from workbench.panels.kit.bench import Bench
from workbench.panels.kit.choices import Choices, target_choices
from workbench.panels.kit.form import recipe_values


def choices_of(
    bench: Bench,
    model: str | None,
    data: str | None,
    rows: str | None,
    target: Target | None,
    method: Method | type | None,
) -> Choices:
    """Choices for a model of the bench.

    Raises:
        InputError: a name that is not on the bench, a target that the model does not have, or a method that
            is not in the catalog.
    """
    on_bench(bench, "models", model)
    first = model if model is not None else next(iter(bench.models), None)
    named = None if first is None else bench.models[first]
    return choices_for(bench, named, data, rows, target, method)


def choices_for(
    bench: Bench,
    model: Model | None,
    data: str | None,
    rows: str | None,
    target: Target | None,
    method: Method | type | None,
) -> Choices:
    """Choices for any model, such as an ensemble that is not on the bench.

    Raises:
        InputError: as for `choices_of`.
    """
    on_bench(bench, "inputs", data)
    shown, against = target_choices(model, target)
    name = None if model is None else model.name
    if method is None:
        return Choices(name, data, rows, shown, against)
    recipe = None if isinstance(method, type) else method
    wanted = (method if isinstance(method, type) else type(method)).__name__
    known = [one.__name__ for one in methods.catalog()]
    if wanted not in known:
        raise InputError(
            f"The panel offers the methods {known}, not {wanted!r}. An object of your own works in "
            "workbench.explain."
        )
    forms = {} if recipe is None else {wanted: recipe_values(recipe)}
    return Choices(name, data, rows, shown, against, wanted, forms)


def on_bench(bench: Bench, shelf: str, name: str | None) -> None:
    """Refuse a name that is not there.

    Args:
        bench: where to look.
        shelf: "models" or "inputs".
        name: of a thing there, or None.

    Raises:
        InputError: it is not there.
    """
    there = getattr(bench, shelf)
    if name is not None and name not in there:
        raise InputError(
            f"{name!r} must be on the bench, whose {shelf} are {list(there)}. Add it first."
        )
