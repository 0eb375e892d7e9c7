"""Names for a model's outputs, given or made up, one per column of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.core import clean
from workbench.errors import InputError


def output_names(
    name: str, given: Sequence[str] | None, count: int | None, made_up: Sequence[str]
) -> tuple[str, ...]:
    """The given names where there are any, else the made-up ones.

    >>> output_names("forest", ["cat", "dog"], 2, ("0", "1"))
    ('cat', 'dog')

    Args:
        name: the model's name, for messages.
        given: the user's names.
        count: how many columns the model's scores have, or None when that is not known yet.
        made_up: the names when none are given.

    Raises:
        InputError: too few or too many names, a name twice, or a bare string.
    """
    if given is None:
        return tuple(made_up)
    if isinstance(given, str):
        raise InputError(
            f"outputs must be a list of names, not the text {given!r}. One output is [{given!r}]."
        )
    names = tuple(clean(one) for one in given)
    if count is not None and len(names) != count:
        raise InputError(
            f"Model {name!r} has {count} outputs, so outputs needs {count} names in their order, but "
            f"has {len(names)}: {list(names)[:20]}."
        )
    if len(set(names)) < len(names):
        twice = sorted({one for one in names if names.count(one) > 1})
        raise InputError(f"The outputs of model {name!r} need different names; {twice} repeat.")
    return names


def numbered(count: int) -> tuple[str, ...]:
    """Names for outputs that have none.

    >>> numbered(1), numbered(3)
    (('prediction',), ('y0', 'y1', 'y2'))
    """
    return ("prediction",) if count == 1 else tuple(f"y{j}" for j in range(count))


def classes_of(native: object, names: Sequence[str], columns: int) -> tuple[Any, ...] | None:
    """The labels that an object was fitted with, where each output, or each side of one, stands for one.

    Args:
        native: perhaps has `classes_`.
        names: the outputs' names as they were made up from its classes: pairs of classes are none.
        columns: how many columns its scores have.
    """
    held = getattr(native, "classes_", None)
    if held is None or isinstance(held, list):  # a list of labels for each of several questions
        return None
    labels = tuple(np.asarray(held, dtype=object).ravel().tolist())
    called = tuple(str(label) for label in labels)
    fits = len(labels) == max(2, columns) and tuple(names) == (
        called[1:] if columns == 1 else called
    )
    return labels if fits else None
