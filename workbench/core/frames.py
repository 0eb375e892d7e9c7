"""A table's frame as numbers, with its names, labels and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.core.column import Column, Labels
from workbench.core.column_reading import read_column
from workbench.core.holders import rows_held
from workbench.core.markup import encodable
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas


class Known(Protocol):
    """Rows that were read before, whose columns others are read like: `Inputs`."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names."""

    @property
    def categories(self) -> Mapping[str, Labels]:
        """The labels behind a column's numbers."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns' types, where they came from a frame."""


@dataclass(frozen=True)
class ReadFrame:
    """A frame as numbers `(n, f)`, with what is needed to make it again."""

    values: NDArray[np.float64]
    features: tuple[str, ...]
    categories: Mapping[str, Labels] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()


def is_frame(rows: object) -> bool:
    """Whether an object has named columns, like the frames of pandas and polars.

    >>> is_frame([[1.0]])
    False
    """
    return hasattr(rows, "columns") and (hasattr(rows, "dtypes") or hasattr(rows, "schema"))


def as_table(rows: Any, features: Sequence[str] = (), like: Known | None = None) -> Any:
    """Rows as a pandas frame whose columns are called by text, or as an array where they are numbers alone.

    Args:
        rows: see `rows_held`.
        features: names for the columns of rows that have none.
        like: rows read before, whose names such rows get otherwise.

    Raises:
        InputError: names that occur twice; an object that holds rows for a library alone; a sparse matrix
            that is too large to be written out.
    """
    import pandas as pd

    named = list(features) or (list(like.features) if like is not None else [])
    held = rows_held(rows, named)
    if isinstance(held, pd.DataFrame):
        return _by_text(held)
    if not isinstance(held, np.ndarray) or held.dtype.kind not in "OUSMm" or held.ndim != 2:
        return held
    if named and len(named) != held.shape[1]:
        raise InputError(
            f"features must name {held.shape[1]} columns, but name {len(named)}: {named[:8]}."
        )
    named = named or [f"x{j}" for j in range(held.shape[1])]
    return pd.DataFrame(held.astype(object), columns=named).infer_objects()


def made_up(features: Sequence[str]) -> bool:
    """Whether columns have only the names that `Inputs` gives to columns without any.

    >>> made_up(("x0", "x1")), made_up(("age", "dose"))
    (True, False)
    """
    return all(name == f"x{j}" for j, name in enumerate(features))


def read_frame(
    frame: pandas.DataFrame,
    like: Known | None = None,
    beside: pandas.DataFrame | None = None,
    positions: Mapping[str, Labels] | None = None,
    what: str = "rows",
) -> ReadFrame:
    """Every column of a frame as numbers.

    Args:
        frame: as `as_table` gives it.
        like: rows read before: their columns alone are taken, in their order, with their labels.
        beside: other rows of the same table; a column of text then has the labels of both.
        positions: {column: labels} of columns that may hold positions in these labels.
        what: these rows are, for messages.

    Raises:
        InputError: a column that is not there, or that cannot be read.
    """
    import pandas as pd

    if like is not None:
        if made_up(like.features) and len(like.features) == frame.shape[1]:
            frame = frame.set_axis(list(like.features), axis=1)
        frame = picked(frame, like.features, what)
    known = _known(like)
    values = np.empty(frame.shape, dtype=np.float64)
    categories: dict[str, Labels] = {}
    columns = []
    for j, name in enumerate(frame.columns):
        column, labels = known.get(name, (None, None))
        series = frame[name]
        stated = (positions or {}).get(name)
        if stated is not None:
            column, labels = Column.of(tuple(stated)), tuple(stated)
            if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
                values[:, j] = series.to_numpy(dtype=np.float64, na_value=np.nan)
                categories[name] = labels
                columns.append(column)
                continue
        elif like is None and beside is not None and name in beside.columns:
            labels, column = _labels_of_both(name, series, beside[name])
        values[:, j], found, read = read_column(name, series, labels, column)
        if found is not None:
            categories[name] = found
        own = frame.attrs.get("keys", {}).get(name)
        columns.append(replace(read, key=read.key if own is None else own))
    return ReadFrame(values, tuple(frame.columns), categories, tuple(columns))


def _of_numbers(series: pandas.Series) -> bool:
    """Whether a column holds numbers, some of them known, so that it has no labels to share."""
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)
    return numeric and bool(series.notna().any())


def background_frame(frame: pandas.DataFrame, background: Any) -> pandas.DataFrame | None:
    """The background of these rows as a frame with labels of its own, or None where it holds numbers.

    Columns without names are those of the frame, in its order.
    """
    if background is None:
        return None
    other = as_table(background, () if is_frame(background) else tuple(frame.columns))
    if not is_frame(other):
        return None
    named: pandas.DataFrame = other
    if made_up(tuple(frame.columns)) and named.shape[1] == frame.shape[1]:
        named = named.set_axis(frame.columns, axis=1)
    return named


def numbers_by_name(frame: Any, like: Known) -> NDArray[np.float64]:
    """A frame as the numbers `(n, f)` that a model reads, whose columns are found by their names.

    Args:
        frame: of pandas or polars.
        like: the columns that the model reads; where it names none, they are taken as they stand.

    Raises:
        InputError: a column is not there, holds another sort of thing, or holds labels whose numbers
            nothing tells.

    >>> import pandas as pd
    >>> numbers_by_name(pd.DataFrame({"b": [2], "a": [1]}), ReadFrame(np.empty((0, 2)), ("a", "b")))
    array([[1., 2.]])
    """
    table = as_table(frame)
    if like.features:
        return read_frame(table, like=like).values
    read = read_frame(table)
    if read.categories:
        raise InputError(
            f"The columns {list(read.categories)[:8]} hold labels, and the model does not say which number "
            "stands for which. Wrap it with like=workbench.data.table(frame)."
        )
    return read.values


def picked(frame: pandas.DataFrame, columns: Sequence[str], what: str = "rows") -> pandas.DataFrame:
    """These columns of a frame, in this order.

    Raises:
        InputError: one is not there.
    """
    if missing := [column for column in columns if column not in frame.columns]:
        raise InputError(
            f"The {what} need the columns {list(columns)[:20]}, but {missing[:20]} are not there. "
            f"The frame has {list(frame.columns)[:20]}."
        )
    return frame[list(columns)]


def _known(like: Known | None) -> dict[str, tuple[Column | None, Labels | None]]:
    if like is None:
        return {}
    types = like.columns or (None,) * len(like.features)
    known = {}
    for name, column in zip(like.features, types, strict=True):
        labels = like.categories.get(name)
        known[name] = (column or (Column() if labels is None else None), labels)
    return known


def _labels_of_both(
    name: str, series: pandas.Series, other: pandas.Series
) -> tuple[Labels | None, Column | None]:
    """The labels of two parts of one column: a category's own order stays, text is sorted."""
    import pandas as pd

    if _of_numbers(series):
        return None, None
    _, mine, column = read_column(name, series)
    _, theirs, another = read_column(name, other)
    if not mine and series.isna().all() and (theirs or another.unit != column.unit):
        # Nothing but missing values: the other part says what they are.
        return theirs, replace(another, missing=another.missing or column.missing)
    if mine is None or theirs is None or not (set(theirs) - set(mine)):
        return (mine, column) if mine is not None else (None, None)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return (*mine, *(one for one in theirs if one not in mine)), column
    both = sorted({*mine, *theirs}, key=lambda one: (type(one).__name__, one))
    return tuple(both), column


def _by_text(frame: pandas.DataFrame) -> pandas.DataFrame:
    """The frame with names of text; its own names are kept in `attrs["keys"]` where they are none."""
    names = [encodable(str(column)) for column in frame.columns]
    if len(set(names)) < len(names):
        twice = sorted({column for column in names if names.count(column) > 1})
        raise InputError(f"Column names must differ, but {twice} occur more than once.")
    keys = {
        name: key.item() if isinstance(key, np.generic) else key
        for name, key in zip(names, frame.columns, strict=True)
        if not isinstance(key, str)
    }
    named = frame.set_axis(names, axis=1)
    named.attrs = {"keys": keys}
    return named
