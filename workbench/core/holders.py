"""What people hold their rows in: frames, a single row, tensors, sparse matrices, lists of many sorts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas

_BUILT = {"DMatrix", "QuantileDMatrix", "Pool", "Dataset", "DataLoader", "Subset", "TensorDataset"}
"""Classes in which libraries keep rows for themselves, whose columns and labels cannot be read back."""

_LARGEST_DENSE = 2**31  # bytes; a larger matrix is refused rather than let the machine swap


def rows_held(rows: Any, named: Sequence[str] = ()) -> Any:
    """Rows as a pandas frame where they have names, else as an array, perhaps one of objects.

    Takes frames of pandas, polars and pyarrow, a Series that is one row, a dict of columns or of one row,
    lists of rows (lists, arrays, dicts, Series), arrays, tensors, records, masked arrays, and sparse
    matrices, whose zeros are written out. What it does not know is returned as it is.

    >>> rows_held([[31, "Rome"]]).tolist(), rows_held({"age": 31, "city": "Rome"}).shape
    ([[31, 'Rome']], (1, 2))

    Args:
        rows: such rows.
        named: the columns' names, where they are known: a Series that names them is one row.

    Raises:
        InputError: an object that holds rows for a library alone, several tables in one, or a sparse matrix
            that is too large to be written out.
    """
    import pandas as pd

    cls = type(rows)
    library = cls.__module__.partition(".")[0]
    if any(one.__name__ in _BUILT for one in cls.__mro__):
        raise InputError(
            f"Rows are needed as a frame or an array, but a {cls.__name__} of {library} keeps them for "
            "itself. Give what it was made from."
        )
    if isinstance(rows, str | bytes | Iterator):
        raise no_rows(rows)
    if library == "polars":
        return _of_polars(rows)
    if library == "pyarrow":
        return rows.to_pandas()
    if isinstance(rows, pd.DataFrame):
        return rows
    if isinstance(rows, pd.Series):
        return _one_row(rows, named)
    if library == "torch":
        return _of_tensor(rows)
    if hasattr(rows, "toarray") and hasattr(rows, "nnz"):
        return _dense(rows)
    if isinstance(rows, np.ma.MaskedArray):
        return np.ma.filled(rows.astype(np.float64), np.nan)
    if isinstance(rows, np.ndarray):
        return pd.DataFrame(rows) if rows.dtype.names else rows
    if isinstance(rows, Mapping):
        several = any(np.ndim(one) for one in rows.values())
        return pd.DataFrame(dict(rows) if several else [dict(rows)])
    if isinstance(rows, list | tuple):
        return _of_list(rows)
    try:
        return np.asarray(rows)
    except (TypeError, ValueError):
        return rows


def no_rows(given: Any) -> InputError:
    """The error for what holds no rows."""
    return InputError(
        "Rows are needed as Inputs, a frame, an array (n, f), one Series or a list of rows, not "
        f"{'None' if given is None else type(given).__name__}. A file is read by "
        "data.table(pandas.read_csv(path))."
    )


def _of_tensor(rows: Any) -> NDArray[Any]:
    """A tensor of torch, perhaps one that gradients are kept for, sparse, or in half precision."""
    dense = rows.detach().cpu()
    dense = dense if str(dense.layout) == "torch.strided" else dense.to_dense()
    halved = str(dense.dtype) in ("torch.float16", "torch.bfloat16")
    return np.asarray((dense.float() if halved else dense).numpy())


def _of_list(rows: Sequence[Any]) -> Any:
    """A list of rows, each a list, an array, a Series or {column: value}; or numbers alone."""
    import pandas as pd

    if not len(rows):
        raise InputError("Rows are needed, but the list is empty. Give at least one row.")
    if all(isinstance(one, Mapping | pd.Series) for one in rows):
        return pd.DataFrame(list(rows))
    if any(hasattr(one, "columns") for one in rows) or (
        isinstance(rows, tuple) and any(np.ndim(one) > 1 for one in rows)
    ):
        raise InputError(
            f"Rows are needed as one table, but this is a {type(rows).__name__} of {len(rows)} things "
            "with rows of their own. Give the rows alone, and the classes as Inputs(y=...)."
        )
    held = [one if isinstance(one, list | tuple) else rows_held(one) for one in rows]
    if not any(isinstance(one, list | tuple) for one in held):
        try:
            return np.asarray(held)
        except ValueError:
            return rows
    return _of_lists([one if isinstance(one, list | tuple) else list(one) for one in held])


def _one_row(series: pandas.Series, named: Sequence[str]) -> pandas.DataFrame:
    """A Series that is one row of a table."""
    keys = [str(key) for key in series.index]
    if named and set(named) <= set(keys):
        return series.to_frame().T.infer_objects()
    if not named and all(isinstance(key, str) for key in series.index):
        return series.to_frame().T.infer_objects()
    if list(named) == [str(series.name)]:
        return series.to_frame()
    raise InputError(
        "A table needs a frame or an array (n, f), but got a pandas Series whose index does not name the "
        "columns of a row. For one row use frame.iloc[[0]], for one column series.to_frame()."
    )


def _dense(matrix: Any) -> NDArray[Any]:
    """A sparse matrix written out, where that needs a reasonable amount of memory."""
    size = 8 * int(np.prod(matrix.shape, dtype=np.float64))
    if size > _LARGEST_DENSE:
        raise InputError(
            f"A sparse matrix is explained with its zeros written out, but {matrix.shape[0]} rows of "
            f"{matrix.shape[1]} columns would take {size / 2**30:.1f} GiB (of {_LARGEST_DENSE / 2**30:.0f} "
            "GiB allowed). Give fewer rows: matrix[:100]."
        )
    return np.asarray(matrix.toarray())


def _of_lists(rows: Sequence[Sequence[Any]]) -> NDArray[Any]:
    """Rows as lists, whose cells keep their own types: NumPy would write numbers beside text as text."""
    if len({len(row) for row in rows}) > 1:
        raise InputError("A list of rows needs rows of one length. Fill the short ones.")
    if any(isinstance(cell, list | tuple | np.ndarray) for row in rows for cell in row):
        return np.asarray(rows)
    cells = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            cells[i, j] = cell
    plain = all(
        isinstance(cell, bool | int | float | np.number | np.bool_) or cell is None
        for cell in cells.ravel()
    )
    return cells.astype(np.float64) if plain else cells


def _of_polars(rows: Any) -> pandas.DataFrame:
    """A frame of polars in pandas' types, without needing pyarrow."""
    import pandas as pd

    if hasattr(rows, "collect"):
        rows = rows.collect()
    if not hasattr(rows, "get_columns"):
        return pd.DataFrame({rows.name or "x0": _polars_column(rows)})
    return pd.DataFrame({one.name: _polars_column(one) for one in rows.get_columns()})


def _polars_column(series: Any) -> Any:
    import pandas as pd

    kind = str(series.dtype).partition("(")[0]
    if kind in ("Categorical", "Enum"):
        cells = series.to_list()
        names = (  # what a Categorical holds is ordered as text; its codes differ between versions
            series.dtype.categories.to_list()
            if kind == "Enum"
            else sorted({one for one in cells if one is not None})
        )
        return pd.Categorical(cells, names, ordered=kind == "Enum")
    if kind == "Boolean":
        return pd.array(series.to_list(), dtype="boolean" if series.null_count() else "bool")
    if kind.startswith(("Int", "UInt")) and series.null_count():
        return pd.array(series.to_list(), dtype=kind)
    if kind in ("Date", "Datetime", "Duration"):
        zone = getattr(series.dtype, "time_zone", None)
        stamps = pd.Series(series.to_numpy())
        if kind == "Date":
            stamps = stamps.astype("datetime64[s]")
        return stamps if zone is None else stamps.dt.tz_localize("UTC").dt.tz_convert(zone)
    if kind in ("String", "Utf8"):
        return pd.Series(series.to_list(), dtype="str" if pd.__version__ >= "3" else "object")
    return series.to_numpy()
