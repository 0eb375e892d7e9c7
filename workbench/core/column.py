"""`Column`: what a table's numbers in one column were in the user's frame, there and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError

if TYPE_CHECKING:
    pass

Labels = tuple[Any, ...]

_DTYPES = re.compile(
    r"category|object|str|bool|boolean|[uU]?[iI]nt\d{1,2}|[fF]loat\d{1,3}|"
    r"(string|datetime64|timedelta64|period|interval|Sparse)(\[.{1,60}\])?|[a-z0-9]{1,30}\[pyarrow\]"
)
_SPARSE = re.compile(r"Sparse\[(\w+), (.+)\]")
_INTERVAL = re.compile(r"([\[(])(.+), (.+)([\])])", re.DOTALL)


@dataclass(frozen=True)
class Column:
    """One column of a frame: its type, so that a model gets it as it was when it was fitted.

    A table holds numbers alone. Labels are positions in `Inputs.categories`; dates, spans of time and
    periods are counts (of microseconds since 1970, of microseconds, and as pandas counts periods). NaN is
    a missing value in every column.

    >>> Column("int64").restored(np.array([1.0, 2.0])).dtype
    dtype('int64')
    >>> Column("category", ordered=True, labels="str").restored(np.array([1.0, 0.0]), ("low", "high"))[0]
    'high'

    Args:
        dtype: the name of the type as pandas writes it.
        ordered: whether a category's labels have an order.
        labels: of a category, the type of its labels.
        missing: how a column of objects marks a missing value: "None", "NaN", "NA"; "" where it has none.
        key: the frame's own name of the column where that is no text, such as 0.
    """

    dtype: str = "float64"
    ordered: bool = False
    labels: str = ""
    missing: str = ""
    key: Any = None

    def __post_init__(self) -> None:
        kinds = (self.dtype, self.labels or "object")
        if not all(isinstance(one, str) and _DTYPES.fullmatch(one) for one in kinds):
            raise InputError(
                f"A column's type must be one of pandas' that a table can hold, not {self.dtype!r:.80} "
                f"with labels of {self.labels!r:.80}. Read rows with workbench.data.table(frame)."
            )

    @classmethod
    def of(cls, labels: Labels | None) -> Column:
        """The type of a column that came from no frame.

        >>> Column.of(None).dtype, Column.of((False, True)).dtype, Column.of(("a", "b")).dtype
        ('float64', 'bool', 'object')
        """
        if labels is None:
            return cls()
        kinds = {type(one) for one in labels}
        alike = kinds.pop() if len(kinds) == 1 else object
        return cls({bool: "bool", int: "int64", float: "float64"}.get(alike, "object"))

    @property
    def unit(self) -> str:
        """What the numbers count, as a person says it: "" for plain numbers and labels.

        >>> Column("datetime64[us]").unit, Column("int64").unit
        ('dates', '')
        """
        if self.dtype.startswith("datetime64"):
            return "dates in a time zone" if "," in self.dtype else "dates"
        if self.dtype.startswith("timedelta64"):
            return "spans of time"
        if self.dtype.startswith("period"):
            return f"periods ({self.dtype[7:-1]})"
        return ""

    def shown(self, number: float) -> str:
        """A number of this column as a person reads it, if it is no plain number; else "".

        >>> Column("datetime64[us]").shown(86_400_000_000.0), Column("int64").shown(7.0)
        ('1970-01-02', '')
        """
        if not self.unit:
            return ""
        one = self.restored(np.array([number]))[0]
        text = str(one)
        return text.removesuffix(" 00:00:00")

    def restored(self, numbers: NDArray[Any], labels: Labels | None = None) -> Any:
        """The numbers of this column as an array of pandas, of the column's own type where they fit.

        Perturbed rows may hold what the type has no place for, such as a mean of whole numbers or a missing
        one among them: such a column becomes floating-point numbers.

        Args:
            numbers: `(n,)`.
            labels: what the numbers are positions in, if they are.
        """
        import pandas as pd

        numbers = np.asarray(numbers, dtype=np.float64)
        missing = np.isnan(numbers)
        if labels is not None:
            return self._labeled(np.where(missing, -1, numbers).astype(np.intp), labels)
        if self.unit:
            return self._counted(np.where(missing, 0, np.rint(np.nan_to_num(numbers))), missing)
        dtype = _dtype_of(self.dtype)
        if isinstance(dtype, pd.SparseDtype):
            fits = dtype.subtype.kind == "f" or _whole(numbers)
            return pd.arrays.SparseArray(numbers, dtype=dtype) if fits else numbers
        if isinstance(dtype, np.dtype):
            return _as_numbers(numbers, dtype)
        whole = pd.api.types.is_integer_dtype(dtype) and _whole(numbers[~missing])
        filled = np.where(missing, 0, numbers)
        masked: Any = (
            pd.arrays.IntegerArray(filled.astype(np.int64), missing)
            if whole
            else pd.arrays.FloatingArray(filled, missing)
        )
        fits = whole or not pd.api.types.is_integer_dtype(dtype)
        return pd.Series(masked).astype(dtype).array if fits else masked

    def _labeled(self, codes: NDArray[np.intp], labels: Labels) -> Any:
        import pandas as pd

        if self.dtype == "category":
            kind = _category(labels, self.labels, self.ordered)
            return pd.Categorical.from_codes(codes, dtype=kind)
        some_missing = bool((codes < 0).any())
        of_numpy = isinstance(_dtype_of(self.dtype), np.dtype)
        if of_numpy and self.dtype != "object" and not some_missing:
            return np.asarray(labels, dtype=self.dtype)[codes]
        if of_numpy:
            known = np.empty(len(labels) + 1, dtype=object)
            known[:-1] = labels
            known[-1] = {"None": None, "NA": pd.NA}.get(self.missing, np.nan)
            return known[codes]
        return labels_as(labels, self.dtype).take(codes, allow_fill=True)

    def _counted(self, counts: NDArray[Any], missing: NDArray[np.bool_]) -> Any:
        import pandas as pd

        whole = counts.astype(np.int64)
        dtype = _dtype_of(self.dtype)
        if self.dtype.startswith("period"):
            found: Any = pd.arrays.PeriodArray(whole, dtype=dtype).copy()
            found[missing] = pd.NaT
            return found
        stamps = whole.view("m8[us]" if self.dtype.startswith("timedelta") else "M8[us]").copy()
        stamps[missing] = "NaT"
        series = pd.Series(stamps)
        if isinstance(dtype, pd.DatetimeTZDtype):
            series = series.dt.tz_localize("UTC")
        return series.astype(dtype).array


def _dtype_of(name: str) -> Any:
    """A type by the name that pandas writes, which it cannot read again where a type is sparse."""
    import pandas as pd

    sparse = _SPARSE.fullmatch(name)
    if sparse is None:
        return pd.api.types.pandas_dtype(name)
    kind = np.dtype(sparse[1])
    fill = sparse[2] == "True" if kind.kind == "b" else kind.type(sparse[2]).item()
    return pd.SparseDtype(kind, fill)


def _as_numbers(numbers: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        fits = _whole(numbers) and bool(((numbers >= info.min) & (numbers <= info.max)).all())
        return numbers.astype(dtype) if fits else numbers
    return numbers.astype(dtype) if dtype.kind == "f" else numbers


def _whole(numbers: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all())


@lru_cache(maxsize=256)
def _category(labels: Labels, dtype: str, ordered: bool) -> Any:
    import pandas as pd

    return pd.CategoricalDtype(pd.Index(labels_as(labels, dtype)), ordered)


@lru_cache(maxsize=256)
def labels_as(labels: Labels, dtype: str) -> Any:
    """Labels as an array of pandas: those of a type that JSON does not know are kept as text."""
    import pandas as pd

    kind: Any = _dtype_of(dtype or "object")
    if isinstance(kind, pd.IntervalDtype):
        parts = [_INTERVAL.fullmatch(one) for one in labels]
        ends = [pd.array([part[side] for part in parts if part], dtype="object") for side in (2, 3)]
        if kind.subtype.kind in "iuf":
            ends = [np.array([float(one) for one in side]) for side in ends]
        left, right = (pd.Index(side).astype(kind.subtype) for side in ends)
        return pd.arrays.IntervalArray.from_arrays(left, right, closed=kind.closed)
    return pd.array(list(labels), dtype=kind)


def other_units(meant: Sequence[Column], given: Sequence[Column], features: Sequence[str]) -> str:
    """The first column in which one side holds dates, say, and the other plain numbers; "" where none.

    >>> other_units((), (Column("datetime64[us]"),), ["when"])
    "in column 'when' it reads plain numbers, but the rows hold dates"
    """
    for j, name in enumerate(features):
        own, other = (side[j].unit if j < len(side) else "" for side in (meant, given))
        if own != other:
            return (
                f"in column {name!r} it reads {own or 'plain numbers'}, but the rows hold "
                f"{other or 'plain numbers'}"
            )
    return ""
