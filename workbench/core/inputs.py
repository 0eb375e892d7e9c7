"""`Inputs`: the rows to explain, and the rows that mean "absent"."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core import kinds
from workbench.core.codes import check_positions, written
from workbench.core.column import Column
from workbench.core.frames import as_table, background_frame, is_frame, picked, read_frame
from workbench.core.markup import clean, encodable, escape
from workbench.core.pickling import by_fields
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas

Kind = str
"""The name of a kind of rows: "tabular", "image", "signal", "volume", or one added to
`workbench.core.kinds`."""


def frozen_array(values: ArrayLike, what: str) -> NDArray[np.float64] | NDArray[np.float32]:
    """A read-only float copy of `values` (float32 stays float32, everything else is float64)."""
    try:
        array = np.asarray(values)
        dtype = np.float32 if array.dtype == np.float32 else np.float64
        array = np.array(array, dtype=dtype, order="C")
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what} must be numbers, but could not be read as an array of floats ({error}). "
            "Rows of text and numbers are read from a frame: workbench.data.table(frame)."
        ) from None
    if np.isnan(array).any():
        array[np.isnan(array)] = np.nan  # there are many NaN, and equal rows shall have equal bytes
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Inputs:
    """Rows of one kind, checked once, read-only ever after.

    >>> rows = Inputs([[1.0, 2.0], [3.0, 4.0]], kind="tabular", features=("age", "dose"))
    >>> len(rows), rows.features
    (2, ('age', 'dose'))
    >>> rows[1:].values
    array([[3., 4.]])

    Args:
        values: `(n, f)` for tables, `(n, h, w, c)` for images (channels last, as PIL gives them),
            `(n, t, c)` for signals and `(n, d, h, w, c)` for volumes (channels last too). A table
            may be a frame, whose names, labels and types are kept; NaN there is a missing value, for the
            model to decide about.
        kind: "tabular", "image", "signal" or "volume", or the name of a kind that was added to
            `workbench.core.kinds`; may be left out for tables.
        features: the f column names of a table; made up (x0, x1, ...) when left out.
        background: rows `(b, *f)` that mean "absent"; methods say when they need them. The columns of a
            frame are found by name.
        groups: for tables, {group name: its column names or positions}: columns that are present or
            absent together, such as one-hot columns. Columns in no group stay on their own.
        categories: for tables, {column name: labels}: the column holds positions in `labels`, which
            keep their type (text, booleans, whole numbers), so that `to_frame` gives them back.
        truth: the known right explanation: for images a mask `(n, h, w)` that is True on the deciding
            pixels.
        y: the true class or value of each row `(n,)`, where known; as scikit-learn calls it.
        ids: one label per row for pictures and tables; row numbers when left out.
        name: what these rows are called.
        baseline: for each row the row `(n, *f)` that means "absent" for it alone, for methods with
            fill="baseline".
        columns: the type of each column of a table that was read from a frame, so that `to_frame` gives it
            back; see `workbench.data.table`.
    """

    values: NDArray[Any]
    kind: Kind = ""
    features: tuple[str, ...] = ()
    background: NDArray[Any] | None = None
    groups: Mapping[str, Sequence[int | str]] = field(default_factory=dict)
    categories: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    truth: NDArray[Any] | None = None
    y: NDArray[Any] | None = None
    ids: tuple[str, ...] = ()
    name: str = "rows"
    baseline: NDArray[Any] | None = None
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        keep = object.__setattr__
        if not self.kind or self.of_kind.columns:
            self._read_table()
        kind = self.of_kind
        values = frozen_array(self.values, "The rows")
        if values.ndim != kind.ndim:
            raise InputError(
                f"{self.kind} rows need the shape ({', '.join(kind.axes)}), but have {values.shape}. "
                + (
                    "One row is values[None]."
                    if values.ndim == kind.ndim - 1
                    else "Reshape them first."
                )
                + _kind_of_shape(values.shape)
            )
        if not kind.columns:
            _refuse_gaps(values, "row")
        keep(self, "values", values)
        for name, ordered in kind.check(self).items():
            keep(self, name, ordered)
        if len(self.columns) not in (0, len(self.features)):
            raise InputError(
                f"columns must describe {len(self.features)} columns, but describe {len(self.columns)}."
            )
        if self.background is not None:
            keep(self, "background", self._checked(self.background, "background rows"))
        if self.baseline is not None:
            keep(self, "baseline", self._checked(self.baseline, "baseline rows"))
            if len(self.baseline) != len(values):
                raise InputError(
                    f"baseline needs a row for each of the {len(values)} rows, not {len(self.baseline)}. "
                    "Rows that stand in for all of them are the background."
                )
        for name in ("truth", "y"):
            given = getattr(self, name)
            if given is not None:
                array = np.array(given)
                if len(array) != len(values):
                    raise InputError(
                        f"{name} needs one entry per row: {len(values)} rows, {len(array)} entries."
                    )
                array.setflags(write=False)
                keep(self, name, array)
        keep(self, "name", encodable(self.name))
        keep(self, "ids", tuple(map(encodable, self.ids)) or tuple(map(str, range(len(values)))))
        if len(self.ids) != len(values):
            raise InputError(f"ids must name {len(values)} rows, but there are {len(self.ids)}.")

    @property
    def of_kind(self) -> kinds.RowKind:
        """The object of this kind of rows, which knows their players, fills, labels and places."""
        return kinds.of(self.kind)

    @property
    def places(self) -> tuple[int, ...]:
        """The shape of one row without its channels: what players own, `(f,)` or `(h, w)`."""
        return self.of_kind.places(self.values.shape[1:])

    @cached_property
    def digest(self) -> str:
        """The sha256 of everything in these rows that a model's explanation depends on.

        Kind, values, background and baseline (every bit, and their precision), columns, groups and
        categories count; the rows' names, their truth and `y` do not.

        >>> rows = Inputs([[1.0, 2.0]], kind="tabular")
        >>> rows.digest == Inputs([[1.0, 2.0]], kind="tabular", ids=["a"], name="b").digest
        True
        >>> rows.digest == rows.with_background([[0.0, 0.0]]).digest
        False

        Raises:
            InputError: a category's label is an object whose text does not show its content.
        """
        groups = {
            name: [one if isinstance(one, str) else int(one) for one in columns]
            for name, columns in self.groups.items()
        }
        described = [self.kind, self.features, groups, written(self.categories)]
        # Not as ASCII, which writes the two halves of a character like the character itself.
        text = json.dumps(described, sort_keys=True, ensure_ascii=False)
        state = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
        arrays = [self.values, self.background]
        for array in arrays if self.baseline is None else [*arrays, self.baseline]:
            if array is None:
                state.update(b"none;")
                continue
            state.update(f"{array.dtype.str}{array.shape};".encode())
            state.update(array.tobytes())
        return state.hexdigest()

    def some_ids(self, rows: Sequence[int]) -> str:
        """The ids of these rows, at most five of them, and how many more there are.

        >>> Inputs([[0.0]] * 9, kind="tabular").some_ids([1, 2, 3, 5, 6, 8])
        '1, 2, 3, 5, 6 and 1 more'
        """
        named = ", ".join(self.ids[row] for row in rows[:5])
        return f"{named} and {len(rows) - 5} more" if len(rows) > 5 else named

    def shares_background(self, other: Inputs) -> bool:
        """Whether an absent feature means the same in both: the same background rows, or none."""
        mine, theirs = self.background, other.background
        if mine is None or theirs is None:
            return mine is theirs
        return mine is theirs or np.array_equal(mine, theirs, equal_nan=True)

    def _read_table(self) -> None:
        """Take names, labels and types from a frame, and zeros from a sparse matrix."""
        keep = object.__setattr__
        table = as_table(self.values, () if is_frame(self.values) else self.features)
        shape = getattr(table, "shape", ())
        if not self.kind:
            if len(shape) != 2:
                raise InputError(
                    "The kind of these rows must be said, for they have the shape "
                    f"{shape} and are no table (n, f). Give kind='image' for images (n, h, w, c)."
                    + _kind_of_shape(shape)
                )
            keep(self, "kind", kinds.with_axes(2))
        if not is_frame(table):
            keep(self, "values", table)
            return
        if self.features:
            table = picked(table, tuple(map(encodable, self.features)))
        others = background_frame(table, self.background)
        read = read_frame(table, beside=others, positions=self.categories)
        for name in ("values", "features", "categories", "columns"):
            keep(self, name, getattr(read, name))

    def _checked(self, given: Any, what: str) -> NDArray[Any]:
        """Rows that stand in for others, as numbers of the same columns."""
        if isinstance(given, Inputs):
            given = self._of_same_columns(given)
        elif self.of_kind.columns:
            given = as_table(given, self.features, self)
            if is_frame(given):
                given = read_frame(given, like=self, what=what).values
        background = frozen_array(given, f"The {what}")
        if background.ndim != self.values.ndim or background.shape[1:] != self.values.shape[1:]:
            raise InputError(
                f"{what.capitalize()} need the shape (b, {', '.join(map(str, self.values.shape[1:]))}) "
                f"of the rows they stand in for, but have {background.shape}."
            )
        if len(background) == 0:
            raise InputError(
                f"The {what.split()[0]} is empty. Give at least one row, or None for no background."
            )
        if not self.of_kind.columns:
            _refuse_gaps(background, what[:-1])
        check_positions(background, self.features, self.categories, what[:-1])
        return background

    def _of_same_columns(self, other: Inputs) -> NDArray[Any]:
        """The values of other rows, if their numbers mean the same."""
        if self.of_kind.columns and (
            other.features != self.features or dict(other.categories) != dict(self.categories)
        ):
            raise InputError(
                f"Background rows need the columns and labels of the rows, {list(self.features)[:20]}, but "
                f"{other.name!r} has {list(other.features)[:20]} or other labels. Read both alike: "
                "workbench.data.table(frame, like=rows)."
            )
        return other.values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: int | slice | Sequence[int] | NDArray[Any]) -> Inputs:
        """These rows alone, with the same background; an integer keeps one row."""
        index = np.arange(len(self))[rows]
        index = np.atleast_1d(index)
        return replace(
            self,
            values=self.values[index],
            truth=None if self.truth is None else self.truth[index],
            y=None if self.y is None else self.y[index],
            baseline=None if self.baseline is None else self.baseline[index],
            ids=tuple(self.ids[i] for i in index),
        )

    def with_background(self, background: ArrayLike | None) -> Inputs:
        """The same rows with another background."""
        given: Any = background  # unconverted, since a frame's column names are checked
        return replace(self, background=given)

    def players(self) -> tuple[NDArray[np.intp], tuple[str, ...]]:
        """Each column's player `(f,)`, and the players' names, where all rows share their players.

        >>> Inputs([[1, 2, 3]], kind="tabular", features="abc", groups={"ac": "ac"}).players()
        (array([0, 1, 0]), ('ac', 'b'))

        Raises:
            InputError: every row has its own players, as images have.
        """
        if not self.of_kind.shared_players:
            raise InputError(
                f"Players that all rows share are needed, but each of these {self.kind} rows has its own. "
                "Take those of one row, from the players and player_names of its explanation."
            )
        return self.of_kind.players(self, 0, _uncut)

    def to_frame(self, rows: NDArray[Any] | None = None) -> pandas.DataFrame:
        """A table as a pandas frame, with labels where the columns hold categories.

        Args:
            rows: other rows `(n, f)` of the same columns, such as the background or perturbed copies.

        Raises:
            InputError: these are not tables, or a category holds a number that is no label's position.
        """
        import pandas as pd

        if not self.of_kind.columns:
            raise InputError(
                f"Only tables become frames, but {self.name!r} holds {self.kind} rows."
            )
        values = self.values if rows is None else np.asarray(rows)
        if values.ndim != 2 or values.shape[1] != len(self.features):
            raise InputError(
                f"Rows of the {len(self.features)} columns {list(self.features)[:20]} are needed, but "
                f"these have the shape {values.shape}. Give rows (n, {len(self.features)})."
            )
        columns: dict[Any, Any] = {}
        for j, feature in enumerate(self.features):
            column, labels = values[:, j], self.categories.get(feature)
            of = self.columns[j] if self.columns else Column.of(labels)
            if labels is not None:
                codes = column[~np.isnan(column)]
                if (codes != np.floor(codes)).any() or ((codes < 0) | (codes >= len(labels))).any():
                    raise InputError(
                        f"Column {feature!r} must hold positions 0..{len(labels) - 1} of its labels "
                        f"{list(labels)[:5]}, but holds {np.unique(column)[:5].tolist()}. Give whole "
                        "numbers in that range, or leave the column out of categories."
                    )
            key = feature if of.key is None else of.key
            plain = labels is None and of.dtype == "float64"
            columns[key] = column if plain else of.restored(column, labels)
            if self.columns and of.dtype == "object":
                columns[key] = pd.Series(columns[key], dtype=object)
        return pd.DataFrame(columns)

    def shown(self, row: int, column: int) -> str:
        """One table cell as a person reads it: the category's label, a date, "missing", or the number."""
        value = float(self.values[row, column])
        if np.isnan(value):
            return "missing"
        labels = self.categories.get(self.features[column])
        if labels is not None and value.is_integer() and 0 <= value < len(labels):
            return clean(str(labels[int(value)]))
        said = self.columns[column].shown(value) if self.columns else ""
        whole = 1e4 <= abs(value) < 1e9  # 16502 is read at first sight, 1.65e+04 is not
        return said or (f"{value:.0f}" if whole else f"{value:.4g}")

    def __reduce__(self) -> tuple[Any, ...]:
        return by_fields(self)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.values.shape[1:]))
        background = (
            "no background"
            if self.background is None
            else f"{len(self.background)} background rows"
        )
        return f"Inputs({self.name!r}, {len(self)} {self.kind} rows of {shape}, {background})"

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self), limit=400)}</code>"


def _refuse_gaps(values: NDArray[Any], what: str) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    rows = np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1))
    where = np.argwhere(~finite[rows[0]])[0].tolist()
    raise InputError(
        f"Every value must be finite, but {len(rows)} of {len(values)} {what}s hold NaN or infinity "
        f"(first: {what} {rows[0]}, position {where}). Fill or drop them before explaining: an "
        "explanation of a missing value would be an explanation of whatever replaced it."
    )


def _uncut(row: NDArray[Any]) -> NDArray[np.intp]:
    """A row in one piece."""
    return np.zeros(row.shape, dtype=np.intp)


def _kind_of_shape(shape: tuple[int, ...]) -> str:
    """The advice to say another kind, where rows of this shape are clearly of one."""
    name = kinds.with_axes(len(shape))
    if name is None or len(shape) in (2, 4):
        return ""
    kind = kinds.of(name)
    return f" {name.capitalize()}s have the shape ({', '.join(kind.axes)}): give kind={name!r} for these."
