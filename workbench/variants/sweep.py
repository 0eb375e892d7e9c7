"""A family of copies: one recipe at several levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from workbench.core import Inputs, Model, Step
from workbench.errors import IncompatibleError, InputError, WorkbenchError
from workbench.variants.recipes import Level, Recipe, recipe

Make = Callable[[Model, Level], Model]


def sweep(
    model: Model,
    recipe: Recipe | str | Make,
    levels: Sequence[Level] | None = None,
    *,
    rows: Inputs | None = None,
) -> tuple[Model, ...]:
    """One copy of the model per level, under names that differ.

    Args:
        model: the original.
        recipe: of the catalog (`recipes()`), its name, or a function of model and level.
        levels: in the order wanted; the recipe's own when left out.
        rows: for calibration, training, or to try the copies on, as the recipe needs.

    Raises:
        InputError: no level, a level twice, or an unknown recipe.
        WorkbenchError: a level that fails; names the level.

    Example:
        >>> import numpy as np
        >>> one = Model("one", lambda rows: rows[:, :1], ("y",), "raw")
        >>> def scaled(model, level):
        ...     return Model("scaled", lambda rows: level * model.predict(rows), ("y",), "raw")
        >>> [copy.name for copy in sweep(one, scaled, [2, 3])]
        ['scaled (2)', 'scaled (3)']
    """
    steps = sweep_steps(model, recipe, levels, rows=rows)
    return tuple(step.result for step in steps if step.result is not None)


def sweep_steps(
    model: Model,
    recipe: Recipe | str | Make,
    levels: Sequence[Level] | None = None,
    *,
    rows: Inputs | None = None,
) -> Iterator[Step[Model | None]]:
    """The same, step by step: iterating advances it, stopping cancels it, and finished copies are kept.

    A step's result is the copy just finished, or None in between; training shows each epoch as a step.

    Raises:
        InputError: at the call itself: no level, a level twice, or an unknown recipe.
        WorkbenchError: while iterating: a level that fails; names the level.
    """
    chosen = _chosen(recipe)
    wanted = _levels(chosen, levels)
    return _steps(model, chosen, wanted, rows)


def _chosen(given: Recipe | str | Make) -> Recipe | Make:
    if isinstance(given, str):
        return recipe(given)
    if not callable(given) and not isinstance(given, Recipe):
        raise InputError(
            "A sweep needs a Recipe, the name of one, or a function of model and level, but got "
            f"{given!r}. workbench.variants.recipes() lists them."
        )
    return given


def _levels(chosen: Recipe | Make, levels: Sequence[Level] | None) -> tuple[Level, ...]:
    if levels is None:
        if not isinstance(chosen, Recipe):
            raise InputError("A function of your own has no levels of its own. Give levels=[...].")
        return chosen.levels
    if isinstance(levels, str):
        raise InputError(f"levels must be a list, not the text {levels!r}. Write [{levels!r}].")
    wanted = tuple(levels)
    if not wanted:
        raise InputError(
            "A sweep needs at least one level, and levels is empty. Give levels=[...]."
        )
    if twice := sorted({repr(one) for one in wanted if wanted.count(one) > 1}):
        raise InputError(f"The levels must differ, but {', '.join(twice)} repeat. Leave one out.")
    return wanted


def _steps(
    model: Model, chosen: Recipe | Make, levels: tuple[Level, ...], rows: Inputs | None
) -> Iterator[Step[Model | None]]:
    title = (
        chosen.title if isinstance(chosen, Recipe) else getattr(chosen, "__name__", "the function")
    )
    total = len(levels)
    taken = {model.name}
    for done, level in enumerate(levels):
        at = title if level is None else f"{title}, level {level}"
        yield Step(done, total, at, None)
        try:
            copy = None
            epochs = chosen.steps(model, level, rows) if isinstance(chosen, Recipe) else None
            if epochs is not None:
                for epoch in epochs:
                    yield Step(done, total, f"{at}: {epoch.label}", None)
                copy = epoch.model()
            elif isinstance(chosen, Recipe):
                copy = chosen.make(model, level, rows)
            else:
                copy = chosen(model, level)
        except WorkbenchError as error:
            raise type(error)(f"{at} of {model.name!r} failed: {error}") from error
        if not isinstance(copy, Model):
            raise IncompatibleError(
                f"{at} must give a Model, but gave a {type(copy).__name__}. Return "
                "workbench.wrap(...) of it."
            )
        alike = not isinstance(chosen, Recipe) or copy.name in taken
        copy = _under_its_own_name(copy, model, level, taken) if alike else copy
        taken.add(copy.name)
        yield Step(done + 1, total, at, copy)


def _under_its_own_name(copy: Model, model: Model, level: Level, taken: set[str]) -> Model:
    """The copy under a name of its own: a function may give all its copies the same name."""
    if str(level) in copy.name.removeprefix(model.name) and copy.name not in taken:
        return copy
    name = copy.name if level is None else f"{copy.name} ({level})"
    number = 2
    while name in taken:
        name, number = f"{copy.name} ({number})", number + 1
    return copy if name == copy.name else copy.renamed(name)
