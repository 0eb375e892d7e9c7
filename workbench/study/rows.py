"""Rows as people have them: frames, arrays, tensors, one row, lists, sparse matrices, as `Inputs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench import data
from workbench.core import (
    Inputs,
    Model,
    ambiguous,
    is_frame,
    kinds,
    no_rows,
    plain_numbers,
    rows_held,
)
from workbench.errors import InputError
from workbench.models.answer import row_like


def given_rows(rows: Any, model: Any) -> Inputs:
    """Rows as `Inputs`: a frame, an array, a tensor, one row as a Series, a list of rows, a sparse matrix.

    Columns are found by name where the rows have names and the model knows its own, else by position.
    Labels get the positions that the model gives them. A model that was wrapped with `like` rows lends
    their groups and background.

    >>> net = Model("net", len, ("y",), "raw", features=("age", "dose"))
    >>> given_rows([[31.0, 2.0]], net).features
    ('age', 'dose')

    Args:
        rows: what holds them.
        model: a `Model`, or what will be wrapped as one.

    Raises:
        InputError: it holds no rows, or nothing says what its columns or labels mean to the model.
    """
    if isinstance(rows, Inputs):
        return rows
    given = _readable(rows)
    known = model if isinstance(model, Model) else None
    if not kinds.has_columns(kind := _kind(given, known)):
        return Inputs(given, kind=kind)
    like = None if known is None else _example(known)
    if like is not None:
        _check_numbers_of(given, like)
        return data.table(_by_position(given, like.features), like=like, name="rows")
    names = names_of(model) if known is None else known.features
    columns = {str(column) for column in getattr(given, "columns", names)}
    if known is None and not columns >= set(names) and not _counted(given):
        names = ()  # the adapter says which are missing, and how its library spells them
    read = data.table(_by_position(given, names), features=names, name="rows")
    if known is not None and known.categories is None:
        _refuse_labels(read, known.name)
    return read


def names_of(native: Any) -> tuple[str, ...]:
    """The columns' names, in order, that a live object or the first of its steps keeps of its fit."""
    parts = [native, *(step for _, step in getattr(native, "steps", ())[:1])]
    parts += [getattr(one, "best_estimator_", None) for one in parts]
    for part in parts:
        for word in ("feature_names_in_", "feature_names_", "feature_names", "feature_name"):
            names = getattr(part, word, None)
            names = names() if word == "feature_name" and callable(names) else names
            if names is not None and not callable(names):
                found = [str(name) for name in names]
                own = [found, [name.replace("Column_", "") for name in found]]
                return () if [str(j) for j in range(len(found))] in own else tuple(found)
    return ()


def _readable(rows: Any) -> Any:
    """Rows as a frame or an array. Whoever asks for an explanation gives rows: a Series is one of them."""
    import pandas as pd

    if isinstance(rows, pd.Series):
        return rows.to_frame().T.infer_objects()
    held = rows_held(rows)
    if isinstance(held, list | tuple):
        raise InputError("A list of rows needs rows of one length. Fill the short ones.")
    if not is_frame(held) and not (isinstance(held, np.ndarray) and held.ndim):
        raise no_rows(rows)
    return held


def _frame(rows: Any) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)


def _kind(given: Any, model: Model | None) -> str:
    """The kind of rows: what the model reads, or what has so many axes; one row of a table has one."""
    if model is not None and model.kind is not None:
        return model.kind
    ndim = max(2, np.ndim(given)) if isinstance(given, np.ndarray) else 2
    if (kind := kinds.with_axes(ndim)) is None:
        raise InputError(
            f"Rows of a table have the shape (n, f) and images (n, h, w, c), but this array has "
            f"{given.shape}. Reshape it, or give Inputs(array, kind=...)."
        )
    return kind


def _example(model: Model) -> Inputs | None:
    """Rows of the model's columns and labels, where it knows them."""
    like = row_like(model)
    if like is not None and like.of_kind.columns and like.features == model.features:
        return like
    if not model.features or not model.categories:
        return None
    none = np.zeros((1, len(model.features)))
    return Inputs(none, kind="tabular", features=model.features, categories=dict(model.categories))


def _by_position(given: Any, names: Sequence[str]) -> Any:
    """One row as a table of one, and columns that have no names under the model's."""
    if isinstance(given, np.ndarray):
        given = given[None] if given.ndim == 1 else given
        if given.dtype != object:
            return given
        given = _frame(given).infer_objects()
    if not _counted(given):
        return given
    own = [f"x{j}" for j in range(len(given.columns))]
    if names and {str(one) for one in given.index} & set(names):
        raise InputError(
            f"Rows of columns {list(names)[:8]} are needed, but these names stand in the frame's index. "
            "Give the frame turned around, frame.T."
        )
    if names and len(names) != len(own):
        raise InputError(
            f"The model reads {len(names)} columns, {list(names)[:8]}, but these rows have {len(own)} "
            "without names. Give its columns."
        )
    return given.set_axis(list(names) or own, axis=1)


def _counted(given: Any) -> bool:
    """Whether the columns have no names, only positions."""
    columns = getattr(given, "columns", ())
    return isinstance(given, np.ndarray) or (
        len(columns) > 0 and list(columns) == list(range(len(columns)))
    )


def _check_numbers_of(given: Any, like: Inputs) -> None:
    """Refuses an array where numbers may be labels or their positions."""
    unclear = [column for column, labels in like.categories.items() if ambiguous(labels)]
    if unclear and _counted(given):
        raise InputError(
            f"In columns {unclear[:5]} the model reads labels that are numbers, and rows without names may "
            "hold these or their positions. Give a frame, or Inputs(array, categories=...) for positions."
        )


def _refuse_labels(read: Inputs, name: str) -> None:
    labels = [column for column, one in read.categories.items() if not plain_numbers(one)]
    if labels:
        raise InputError(
            f"The columns {labels[:5]} hold labels, but model {name!r} does not say which number it reads "
            "for each. Wrap it with like=rows that it was fitted on, or give the rows as its numbers."
        )
