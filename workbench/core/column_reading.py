"""One column of a frame as numbers: its type tells what it holds, or else its cells do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.column import Column, Labels, labels_as
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas

_SCALARS = (str, bool, int, float)


def read_column(
    name: str,
    series: pandas.Series,
    labels: Labels | None = None,
    known: Column | None = None,
) -> tuple[NDArray[np.float64], Labels | None, Column]:
    """A frame's column as numbers, the labels they are positions in, and its type.

    Args:
        name: for messages.
        series: the column.
        labels: those that it has if it was read before, and the only ones it may hold.
        known: its type, if it was read before.

    Raises:
        InputError: it holds what is neither a number, a label nor a time, a label that is not known, or
            another sort of thing than before.

    >>> import pandas as pd
    >>> read_column("when", pd.Series(pd.to_datetime(["1970-01-01 00:00:01"])))[0]
    array([1000000.])
    """
    import pandas as pd

    if series.dtype == object:
        told = series.infer_objects()
        series = told if told.dtype.kind in "biufmM" else series
    found = _found_labels(name, series)
    column = Column(str(series.dtype), missing=_mark(name, series))
    if labels is not None:
        column = known or Column(column.dtype if found is not None else "object")
        if column.dtype == "object" and _mark(name, series) not in ("", column.missing or "NaN"):
            raise InputError(
                f"Column {name!r} marks missing values by {_mark(name, series)}, but the rows read before "
                "do not. Mark them in the same way, for example frame.fillna(numpy.nan)."
            )
        return _positions(name, series, labels), labels, column
    if found is not None:
        if known is not None:
            raise InputError(
                f"Column {name!r} must hold {known.unit or 'numbers'} as it did before, but holds labels "
                f"{list(found)[:5]} ({series.dtype}). Convert it first."
            )
        if isinstance(series.dtype, pd.CategoricalDtype):
            index = series.cat.categories
            column = Column("category", bool(series.cat.ordered), str(index.dtype))
            if list(labels_as(found, column.labels)) != list(index):
                raise _unreadable(name, series)
        return _positions(name, series, found), found, column
    numbers = _counts(series) if column.unit else _numbers(name, series)
    if known is not None and known.unit != column.unit and not np.isnan(numbers).all():
        raise InputError(
            f"Column {name!r} must hold {known.unit or 'numbers'} as it did before, but holds "
            f"{column.unit or 'numbers'} ({series.dtype}). Convert it first."
        )
    if column.dtype == "object":  # whole or missing numbers among objects
        column = Column()
    return numbers, None, known or column


def _found_labels(name: str, series: pandas.Series) -> Labels | None:
    """The labels of a column that holds some, or None where it holds numbers or times."""
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _written(series.cat.categories.tolist())
    if isinstance(dtype, pd.IntervalDtype):
        return _written(sorted(series.dropna().unique()))
    if pd.api.types.is_bool_dtype(dtype):
        return (False, True)
    if pd.api.types.is_complex_dtype(dtype):
        raise _unreadable(name, series)
    if pd.api.types.is_numeric_dtype(dtype) or Column(str(dtype)).unit:
        return None
    if isinstance(dtype, pd.StringDtype):
        return tuple(sorted(series.dropna().unique().tolist()))
    kind = pd.api.types.infer_dtype(series, skipna=True)
    if kind in ("empty", "integer", "floating", "mixed-integer-float"):
        return None
    found = {(type(one), one): one for one in series.dropna().tolist() if _hashed(one)}
    apart = len(set(found.values())) == len(found)  # True, 1 and 1.0 are one label
    if len(found) and all(isinstance(one, _SCALARS) for one in found.values()) and apart:
        return tuple(sorted(found.values(), key=lambda one: (type(one).__name__, one)))
    raise _unreadable(name, series)


def _hashed(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _unreadable(name: str, series: pandas.Series) -> InputError:
    return InputError(
        "A table needs columns of numbers, text, booleans, dates or pandas categories, but found "
        f"{name!r} ({series.dtype}). Convert it (mixed objects with astype(float) or astype(str), text "
        "that stands for dates with pandas.to_datetime), or leave it out with features=[...]."
    )


def _written(labels: Sequence[Any]) -> Labels:
    """Labels of a type that JSON does not know as text."""
    plain = [one.item() if isinstance(one, np.generic) else one for one in labels]
    return tuple(plain if all(isinstance(one, _SCALARS) for one in plain) else map(str, plain))


def _mark(name: str, series: pandas.Series) -> str:
    """How a column of objects marks its missing values."""
    import pandas as pd

    if series.dtype != object:
        return ""
    marks = {
        "None" if one is None else "NA" if one is pd.NA else "NaN"
        for one in series[series.isna()].tolist()
    }
    if len(marks) > 1 and pd.api.types.infer_dtype(series, skipna=True) != "empty":
        raise InputError(
            f"Column {name!r} marks missing values by {' and '.join(sorted(marks))}, which steps of a "
            "Pipeline may tell apart. Mark them in one way, for example frame.fillna(numpy.nan)."
        )
    return next(iter(marks), "")


def _positions(name: str, series: pandas.Series, labels: Labels) -> NDArray[np.float64]:
    import pandas as pd

    position = {label: float(j) for j, label in enumerate(labels)}
    if isinstance(series.dtype, pd.CategoricalDtype):
        cells, codes = _written(series.cat.categories.tolist()), series.cat.codes.to_numpy()
    else:
        codes, distinct = pd.factorize(series)
        cells = _written(list(distinct))
    if unknown := sorted(
        {str(cells[code]) for code in set(codes) - {-1} if cells[code] not in position}
    ):
        raise InputError(
            f"Column {name!r} must hold one of the labels {list(labels)[:10]} read before, but holds "
            f"{unknown[:10]}. Read all rows that belong together in one table, or make the column a "
            "pandas category that lists every label."
        )
    found: NDArray[np.float64] = np.array([*(position.get(one, np.nan) for one in cells), np.nan])
    return np.asarray(found[codes])


def _numbers(name: str, series: pandas.Series) -> NDArray[np.float64]:
    import pandas as pd

    if isinstance(series.dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
    numbers = np.array(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if pd.api.types.is_integer_dtype(series.dtype):
        whole = series.dropna().to_numpy(dtype=object)
        _check_exact(name, numbers[~np.isnan(numbers)], whole)
    return numbers


def _counts(series: pandas.Series) -> NDArray[np.float64]:
    """Times as counts, NaN for missing ones; exact, or refused by whoever compares them."""
    import pandas as pd

    missing = series.isna().to_numpy()
    if isinstance(series.dtype, pd.PeriodDtype):
        counts = np.asarray(series.array.asi8, dtype=np.float64)
    else:
        if isinstance(series.dtype, pd.DatetimeTZDtype):
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        stamps = series.to_numpy()
        unit = "m8[us]" if stamps.dtype.kind == "m" else "M8[us]"
        whole = stamps.astype(unit)
        if (whole.astype(stamps.dtype)[~missing] != stamps[~missing]).any():
            raise InputError(
                f"Column {series.name!r} holds times finer than a microsecond, which are not kept. Round "
                "them: frame[column].dt.round('us')."
            )
        counts = whole.view(np.int64).astype(np.float64)
        _check_exact(
            str(series.name), counts[~missing], whole.view(np.int64)[~missing].astype(object)
        )
    counts[missing] = np.nan
    return counts


def _check_exact(name: str, numbers: NDArray[np.float64], whole: NDArray[Any]) -> None:
    """Refuses whole numbers that are others as floating-point numbers."""
    large = np.abs(numbers) >= 2**53
    if any(int(one) != own for one, own in zip(numbers[large], whole[large], strict=True)):
        raise InputError(
            f"Column {name!r} holds whole numbers beyond 2**53, which cannot be told apart as "
            "floating-point numbers. Leave it out, or make it a category: frame[column].astype('category')."
        )
