"""A study as a TOML file: models, rows, methods, margins and a budget."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from lzma import LZMAError
from pathlib import Path
from typing import Any

import workbench.lab.keys as keys
from workbench import variants
from workbench.compare.drift import ALLOWANCE
from workbench.core import Inputs, Method, Model, check_method
from workbench.errors import InputError, WorkbenchError
from workbench.lab.budget import Budget
from workbench.lab.default_methods import default_methods
from workbench.lab.study import DriftStudy
from workbench.models import load
from workbench.models.asking import failures
from workbench.models.intake import BROKEN_ZIP

_TOP = (
    *("factory", "reference", "candidates", "siblings", "rows", "methods"),
    *("margins", "budget", "run"),
)
_MODEL = ("file", "architecture", "factory", "name", "outputs", "scale")
_ROWS = ("factory", "arguments", "csv", "y", "background", "limit")
_RUN = ("seed", "noise_seeds", "random_weights", "faithfulness", "allowance")


def read_study(path: str | os.PathLike[str]) -> tuple[DriftStudy, Budget]:
    """The study that a TOML file describes, and its budget; docs/gate.md explains every key.

    Paths are relative to the file's folder. A `factory` or `architecture` "module:function" is imported
    from the current directory or the installed packages: that is your own code, and it is run.

    Raises:
        InputError: the file cannot be read, a key is unknown or missing, a factory failed.
        WorkbenchError: the models, rows or methods do not fit.
    """
    file = Path(path)
    table = keys.known_keys(keys.parsed(file), _TOP, "The study")
    folder = file.parent
    rows = _limited(table.get("rows", {}))
    if "factory" in table:
        clash = [key for key in ("reference", "candidates") if key in table]
        if clash or set(table.get("rows", {})) - {"limit"}:
            raise InputError(
                "A study's factory makes reference, candidates and rows, but the study names "
                f"{clash or ['rows']} too. Keep one of the two."
            )
        reference, candidates, inputs = _made_together(keys.text(table, "factory", "The study"))
    else:
        if missing := [key for key in ("reference", "candidates", "rows") if key not in table]:
            raise InputError(
                f"A study needs {missing}, or a factory = 'module:function' that makes all of "
                "(reference, candidates, inputs)."
            )
        inputs = _rows(table["rows"], folder)
        reference = _model(table["reference"], folder, inputs, "reference")
        candidates = tuple(
            copy
            for entry in keys.tables(table["candidates"], "candidates")
            for copy in _copies(entry, folder, inputs, reference)
        )
    inputs = inputs[:rows] if rows else inputs
    siblings = tuple(
        _model(entry, folder, inputs, "siblings")
        for entry in keys.tables(table.get("siblings", []), "siblings")
    )
    run = keys.known_keys(table.get("run", {}), _RUN, "run")
    methods = tuple(map(_method, keys.tables(table.get("methods", []), "methods")))
    study = DriftStudy(
        reference,
        candidates,
        inputs,
        methods or default_methods((reference, *candidates), inputs),
        siblings=siblings,
        margins=table.get("margins", {}),
        random_weights=keys.yes_or_no(run, "random_weights", "run", default=True),
        faithfulness=keys.yes_or_no(run, "faithfulness", "run", default=False),
        noise_seeds=keys.whole(run, "noise_seeds", "run", 1),
        allowance=run.get("allowance", ALLOWANCE),
        seed=keys.whole(run, "seed", "run", 0),
    )
    names = [field.name for field in fields(Budget)]
    return study, Budget(**keys.known_keys(table.get("budget", {}), names, "budget"))


def _limited(rows: Any) -> int:
    return keys.whole(keys.known_keys(rows, _ROWS, "rows"), "limit", "rows", 0)


def _model(entry: Any, folder: Path, inputs: Inputs, where: str) -> Model:
    keys.known_keys(entry, _MODEL, where)
    if ("file" in entry) == ("factory" in entry):
        raise InputError(
            f"{where} needs either file = '...' or factory = 'module:function', and has {list(entry)}."
        )
    name = keys.text(entry, "name", where) if "name" in entry else None
    if "factory" in entry:
        if extra := sorted(set(entry) - {"factory", "name"}):
            raise InputError(
                f"{where} has a factory, which decides {extra} itself. Leave them out."
            )
        model = _called(keys.text(entry, "factory", where))
        if not isinstance(model, Model):
            raise InputError(
                f"{entry['factory']} must give a Model, but gave a {type(model).__name__}. Return "
                "workbench.wrap(...) or workbench.load(...) from it."
            )
        return model.renamed(name) if name else model
    architecture = entry.get("architecture")
    return load(
        keys.beside(folder, keys.text(entry, "file", where)),
        architecture=None
        if architecture is None
        else _found(keys.text(entry, "architecture", where)),
        name=name,
        outputs=entry.get("outputs"),
        scale=entry.get("scale"),
        like=inputs if inputs.of_kind.columns else None,
    )


def _copies(entry: Any, folder: Path, inputs: Inputs, reference: Model) -> tuple[Model, ...]:
    """One copy from a file or a factory, or one per level of a recipe."""
    if not isinstance(entry, Mapping) or "recipe" not in entry:
        keys.known_keys(entry, (*_MODEL, "recipe", "levels"), "candidates")
        return (_model(entry, folder, inputs, "candidates"),)
    keys.known_keys(entry, ("recipe", "levels", "rows"), "candidates with a recipe")
    levels = entry.get("levels")
    if levels is not None and not isinstance(levels, list):
        raise InputError(f"candidates.levels must be a list such as [0.5, 0.8], not {levels!r}.")
    recipe = variants.recipe(keys.text(entry, "recipe", "candidates"))
    if "rows" in entry:
        limit = _limited(entry["rows"])
        inputs = _rows(entry["rows"], folder)
        inputs = inputs[:limit] if limit else inputs
    elif recipe.rows_as == "inputs":
        raise InputError(
            f"candidates with the recipe {recipe.name!r} are trained, and need rows other than those they "
            "are judged on, where they would look better than they are. Add rows = {factory = "
            "'module:function'} to this copy."
        )
    return variants.sweep(reference, recipe, levels, rows=inputs)


def _rows(entry: Any, folder: Path) -> Inputs:
    if ("factory" in entry) == ("csv" in entry):
        raise InputError(
            "rows need either factory = 'module:function' or csv = 'file.csv', and have "
            f"{list(entry)}."
        )
    if "csv" in entry:
        if "arguments" in entry:
            raise InputError(
                "rows from a csv take no arguments: they are a factory's. Leave them out."
            )
        return _csv(entry, folder)
    if extra := sorted({"y", "background"} & set(entry)):
        raise InputError(f"rows have a factory, which decides {extra} itself. Leave them out.")
    arguments = entry.get("arguments", {})
    if not isinstance(arguments, Mapping):
        raise InputError(f"rows.arguments must be a table, not {arguments!r}.")
    inputs = _called(keys.text(entry, "factory", "rows"), **arguments)
    if not isinstance(inputs, Inputs):
        raise InputError(
            f"{entry['factory']} must give Inputs, but gave a {type(inputs).__name__}. Return "
            "workbench.Inputs(...) or workbench.data.table(frame) from it."
        )
    return inputs


def _csv(entry: Mapping[str, Any], folder: Path) -> Inputs:
    """A table from a file, with the column of its classes and a second file as background."""
    import pandas as pd

    from workbench import data

    def read(key: str) -> pd.DataFrame:
        file = keys.beside(folder, keys.text(entry, key, "rows"))
        keys.check_stored(file, f"rows.{key} needs a CSV file")
        try:
            return pd.read_csv(file)
        except (*BROKEN_ZIP, LZMAError) as error:  # pandas' parser errors are ValueErrors
            raise InputError(f"rows.{key} needs a CSV file, but {file}: {error}.") from error

    frame = read("csv")
    target = keys.text(entry, "y", "rows") if "y" in entry else None
    background = read("background") if "background" in entry else None
    if background is not None and target in background:
        background = background.drop(columns=[target])
    return data.table(frame, target=target, background=background, name=str(entry["csv"]))


def _method(entry: Any) -> Method:
    from workbench import methods

    if not isinstance(entry, Mapping) or "name" not in entry:
        raise InputError(f"methods need a name, such as name = 'GradCAM', but one is {entry!r}.")
    names = [method.__name__ for method in methods.catalog()]
    name = keys.text(entry, "name", "methods")
    given = {key: value for key, value in entry.items() if key != "name"}
    if ":" in name:
        return _own_method(name, given)
    keys.known_keys({name: 0}, names, "The catalog of methods")
    method = getattr(methods, name)
    keys.known_keys(given, [field.name for field in fields(method)], name)
    made: Method = method(**given)
    return made


def _own_method(where: str, given: Mapping[str, Any]) -> Method:
    """A method of the user's own, made by its class or by a function; the other keys are its parameters."""
    try:
        takes = inspect.signature(_found(where)).parameters.values()
    except (
        ValueError,
        TypeError,
    ) as error:  # a callable that is not written in Python may not say what it takes
        if isinstance(error, InputError):
            raise
    else:
        if not any(one.kind is one.VAR_KEYWORD for one in takes):
            keys.known_keys(given, [one.name for one in takes], where)
    made: Method = _called(where, **given)
    check_method(made)
    return made


def _made_together(where: str) -> tuple[Model, tuple[Model, ...], Inputs]:
    made = _called(where)
    good = isinstance(made, tuple) and len(made) == 3
    if not good or not isinstance(made[0], Model) or not isinstance(made[2], Inputs):
        raise InputError(
            f"{where} must give (reference, candidates, inputs): a Model, a sequence of Models, and "
            f"Inputs. It gave a {type(made).__name__}."
        )
    candidates = made[1]
    candidates = (candidates,) if isinstance(candidates, Model) else tuple(candidates)
    if wrong := [type(copy).__name__ for copy in candidates if not isinstance(copy, Model)]:
        raise InputError(f"{where} must give candidates that are Models, but gave {wrong[:3]}.")
    return made[0], candidates, made[2]


def _called(where: str, **arguments: Any) -> Any:
    factory = _found(where)
    try:
        return factory(**arguments)
    except WorkbenchError:
        raise
    except failures() as error:
        raise _failure(where, error) from error


def _found(where: str) -> Callable[..., Any]:
    """The function of "module:function", imported from the current directory or the installed packages."""
    module, _, function = where.partition(":")
    if not module or not function:
        raise InputError(
            f"A function is named as 'module:function', such as 'my_study:make', but here is {where!r}."
        )
    with _current_directory():
        try:
            found = getattr(importlib.import_module(module), function, None)
        except (ImportError, SyntaxError) as error:
            raise InputError(
                f"{where!r} is needed, but {module!r} cannot be imported: {error}. Run from the directory "
                "that holds it, or install it."
            ) from error
        except failures() as error:
            raise _failure(where, error) from error
    if not callable(found):
        raise InputError(f"{where!r} is needed, but {module!r} has no function {function!r}.")
    called: Callable[..., Any] = found
    return called


@contextmanager
def _current_directory() -> Iterator[None]:
    """Makes the current directory importable, as `python script.py` does."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _failure(where: str, error: BaseException) -> InputError:
    """A failure of the user's own code, with the place where it happened."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error}"
    return InputError(
        f"{where} must run without an error, but raised {text} ({last.filename}, line {last.lineno})."
    )
