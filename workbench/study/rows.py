"""Rows as people have them: frames, arrays, tensors, one row, lists, sparse matrices, as `Inputs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from workbench import data
from workbench.core import Inputs, Model, ambiguous, kinds, plain_numbers
from workbench.errors import InputError
from workbench.models.answer import row_like

_BUILT = {"DMatrix", "QuantileDMatrix", "Pool", "Dataset", "DataLoader", "Subset", "TensorDataset"}
"""Classes in which libraries keep rows for themselves, whose columns and labels cannot be read back."""


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
    """What `data.table` or an array can be made of, from what holds rows."""
    cls = type(rows)
    library = cls.__module__.split(".")[0]
    if cls.__name__ in _BUILT or any(one.__name__ in _BUILT for one in cls.__mro__):
        raise InputError(
            f"Rows are needed as a frame or an array, but a {library} {cls.__name__} keeps them for "
            "itself. Give what it was made from."
        )
    if isinstance(rows, str | bytes | Iterator):
        raise _no_rows(rows)
    if library == "torch":
        dense = rows.detach().cpu()
        dense = dense.to_dense() if dense.layout is not _strided() else dense
        return (dense.float() if dense.dtype.itemsize == 2 else dense).numpy()
    if library == "pyarrow":
        return rows.to_pandas()
    if isinstance(rows, np.ma.MaskedArray):
        return np.ma.filled(rows.astype(np.float64), np.nan)
    if isinstance(rows, np.ndarray) and rows.dtype.names:
        return _frame(rows)
    if isinstance(rows, Mapping):
        several = any(np.ndim(one) for one in rows.values())
        return _frame(dict(rows) if several else [dict(rows)])
    if isinstance(rows, list | tuple):
        return _of_list(rows)
    if library == "pandas" and not hasattr(rows, "columns") and hasattr(rows, "to_frame"):
        return rows.to_frame().T.infer_objects()  # a row of a frame, as frame.iloc[3] gives it
    if library == "polars" and hasattr(rows, "to_dict"):
        return _frame(rows.to_dict(as_series=False))  # as an array it would lose its names
    if hasattr(rows, "columns") or library == "scipy":
        return rows
    try:
        array = np.asarray(rows)
    except ValueError:
        raise _no_rows(rows) from None
    if not array.ndim:
        raise _no_rows(rows)
    return array


def _no_rows(given: Any) -> InputError:
    return InputError(
        "Rows are needed as Inputs, a frame, an array (n, f), one Series or a list of rows, not "
        f"{'None' if given is None else type(given).__name__}. A file is read by "
        "data.table(pandas.read_csv(path))."
    )


def _of_list(rows: Sequence[Any]) -> Any:
    """A list of rows, each a list, an array, a Series or {column: value}; or one row of numbers."""
    if not len(rows):
        raise InputError("Rows are needed, but the list is empty. Give at least one row.")
    if any(
        hasattr(one, "columns") or np.ndim(one) > 1 for one in rows if not isinstance(one, Mapping)
    ):
        if isinstance(rows, tuple) or any(hasattr(one, "columns") for one in rows):
            raise InputError(
                f"Rows are needed as one table, but this is a {type(rows).__name__} of {len(rows)} things "
                "with rows of their own. Give the rows alone, and the classes as Inputs(y=...)."
            )
        return np.stack([_readable(one) for one in rows])
    if all(
        isinstance(one, Mapping) or (hasattr(one, "index") and hasattr(one, "name")) for one in rows
    ):
        return _frame(list(rows))
    if not any(np.ndim(one) for one in rows):
        return _frame([list(rows)])
    return _frame([one if isinstance(one, list | tuple) else list(_readable(one)) for one in rows])


def _frame(rows: Any) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)


def _strided() -> Any:
    import torch

    return torch.strided


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
