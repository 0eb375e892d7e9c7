"""What people have in hand as a model, a recipe and a target; what cannot be told is refused."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, ValuesView
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np

from workbench.core import Inputs, Method, Model, Target, check_method, plain_numbers
from workbench.errors import InputError
from workbench.models import wrap
from workbench.study.fit import positional
from workbench.study.labels import output_of
from workbench.study.rows import names_of

Wanted = Literal["all"] | Target

_WORDS = ("predicted", "true", "all")


def given_model(model: Any, rows: Inputs) -> Model:
    """A `Model`; a live object is wrapped for these rows.

    Raises:
        IncompatibleError: it is nothing that can be wrapped.
        InputError: it cannot be wrapped without being told more.
    """
    if isinstance(model, Model):
        return model
    if not len(rows):
        raise InputError("At least one row to explain is needed, but there is none.")
    names = names_of(model)
    by_position = rows.of_kind.columns and positional(names, rows.features)
    try:
        made = wrap(model, like=replace(rows, features=names) if by_position else rows)
    except InputError as error:
        raise InputError(
            f"{error} Wrap it yourself where that takes more than rows: "
            "workbench.wrap(model, like=rows, ...)."
        ) from error
    known = {*(names := names_of(model)), *(name.replace("_", " ") for name in names)}
    if unknown := [
        column
        for column, labels in rows.categories.items()
        if not plain_numbers(labels) and column not in known
    ]:
        raise InputError(
            f"The columns {unknown[:5]} hold labels, and {made.name!r} does not say that it was fitted on "
            "columns of these names, so it may read positions that only its author knows. Give the rows as "
            "the numbers it was fitted with, or wrap it with rows of the fit: workbench.wrap(model, "
            "like=workbench.data.table(frame))."
        )
    return made


def given_method(method: Any) -> Method:
    """A recipe: itself, its class with its default parameters, or the class of that name.

    >>> type(given_method("kernel shap")).__name__, type(given_method("Grad-CAM++")).__name__
    ('KernelSHAP', 'GradCAMPlusPlus')

    Raises:
        InputError: no method has this name, or the class needs parameters.
    """
    if isinstance(method, str):
        from workbench.methods import catalog

        named = {_spelled(one.__name__): one for one in catalog()}
        if (asked := _spelled(method)) not in named:
            within = [one for name, one in named.items() if asked and asked in name]
            near = within or [named[name] for name in get_close_matches(asked, named)]
            words = "Its name may be one of these:" if near else "Methods are"
            raise InputError(
                f"There is no method {method!r}. {words} "
                f"{', '.join(one.__name__ for one in near or catalog())}."
            )
        method = named[asked]
    if isinstance(method, type) and hasattr(method, "attribute"):
        try:
            method = method()
        except TypeError as error:
            raise InputError(
                f"{method.__name__} needs parameters ({error}). Give the recipe, {method.__name__}(...)."
            ) from None
    check_method(method)
    made: Method = method
    return made


def given_target(target: Any, model: Model, inputs: Inputs) -> Wanted:
    """A `Target`, or "all": from a name, a label, a position, a truth, a word, or one of these per row.

    >>> net = Model("net", len, ("1", "2"), "logit", classes=(1, 2))
    >>> rows = Inputs([[0.0]], kind="tabular", y=[2])
    >>> given_target("1", net, rows), given_target("true", net, rows)
    (Target(index='1', against=None), Target(index=(2,), against=None, labels=True))

    Args:
        target: None is each row's own prediction.
        model: the model that has the outputs.
        inputs: the rows.

    Raises:
        InputError: there is no such output, or it is not clear which one is meant.
    """
    if target is None or isinstance(target, Target):
        return Target.predicted() if target is None else target
    if isinstance(target, str) and target in _WORDS:
        if target in model.outputs:
            raise InputError(
                f"{target!r} is an output of model {model.name!r} and a word for which outputs to explain. "
                f"Give Target({target!r}) for the output, or Target(None), Target.true(rows) or each "
                "output's name."
            )
        if target == "all":
            return "all"
        return Target.predicted() if target == "predicted" else Target.true(inputs)
    one_per_row = _listed(target)
    if one_per_row is None:
        return Target(output_of(target, model))
    if len(one_per_row) != len(inputs):
        raise InputError(
            f"A target is one output for all rows or one for each of {len(inputs)} rows, but there are "
            f"{len(one_per_row)}. Explain several outputs with target='all' or a Study of several targets."
        )
    return Target(tuple(output_of(one, model) for one in one_per_row))


def listed(given: Any) -> tuple[Any, ...]:
    """One thing or a list of several as a tuple; a forest, which can be iterated over, is one.

    >>> listed("LIME"), listed(["LIME", "KernelSHAP"])
    (('LIME',), ('LIME', 'KernelSHAP'))
    """
    several = isinstance(given, list | tuple | set | frozenset | KeysView | ValuesView | Iterator)
    return tuple(given) if several else (given,)


def every_target(model: Model) -> tuple[Target, ...]:
    """One target for each of the model's outputs."""
    distinct = len(set(model.outputs)) == len(model.outputs)
    return tuple(Target(name if distinct else i) for i, name in enumerate(model.outputs))


def _spelled(name: str) -> str:
    """A name without case, gaps and dashes; its signs are words, or Grad-CAM++ would be Grad-CAM."""
    written = name.casefold().replace("+", "plus").replace("×", "x").replace("*", "x")
    return "".join(letter for letter in written if letter.isalnum())


def _listed(target: Any) -> list[Any] | None:
    """One target per row, as a list; None where it is one for all."""
    if type(target).__module__.split(".")[0] == "torch":
        target = target.detach().cpu().numpy()
    if isinstance(target, list | tuple):
        return list(target)
    if hasattr(target, "__array__") and not isinstance(target, np.generic):
        array = np.asarray(target)
        if array.ndim > 1:
            raise InputError(
                f"A target of each row needs the shape (n,), but has {array.shape}. Give one class per row."
            )
        return None if array.ndim == 0 else array.tolist()
    return None
