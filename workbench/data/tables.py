"""From pandas frames and arrays to `Inputs`, and an explicit choice of background rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core import Inputs
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas


def table(
    rows: pandas.DataFrame | ArrayLike,
    *,
    features: Sequence[str] = (),
    target: str | ArrayLike | None = None,
    background: pandas.DataFrame | ArrayLike | None = None,
    groups: Mapping[str, Sequence[int | str]] | None = None,
    like: Inputs | None = None,
    name: str = "table",
) -> Inputs:
    """The rows of a pandas frame or of an array `(n, f)` as tabular `Inputs`.

    Numbers stay numbers. Columns of text, booleans or pandas categories become positions in their
    labels, which `Inputs.categories` keeps: sorted for text, in pandas' own order for categories.
    A frame's index becomes `ids` unless it is a plain count.

    Args:
        rows: what to explain.
        features: for a frame, the columns to take, in this order; for an array, their names.
        target: what is to be predicted, as a column of the frame (which is then no feature) or as one
            value per row; becomes `y`.
        background: rows that mean "absent", read the same way; never chosen implicitly (see
            `workbench.data.background`).
        groups: {name: columns} that are present or absent together.
        like: rows read before, such as the training rows: the new rows get the same columns in the same
            order, the same labels at the same positions, and the same groups and background unless others
            are given.
        name: what these rows are called.

    Raises:
        InputError: a value is missing, a column holds dates or other things that are neither numbers
            nor labels, or a label that `like` has never seen.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [31, 62], "city": ["Rome", "Oslo"], "sick": [0, 1]})
        >>> rows = table(frame, target="sick")
        >>> rows.values
        array([[31.,  1.], [62.,  0.]])
        >>> rows.categories["city"], rows.y
        (('Oslo', 'Rome'), array([0, 1]))
        >>> table(frame[:1], like=rows).values
        array([[31.,  1.]])
    """
    import pandas as pd

    frame, classes = _split_target(_as_frame(rows, features, like), target)
    if isinstance(rows, pd.DataFrame):
        columns = list(features) or (list(like.features) if like else list(frame.columns))
        frame = _picked(frame, columns)
    known: dict[str, tuple[Any, ...]] = dict(like.categories) if like else {}
    values, categories = _encoded(frame, known, fixed=like is not None)
    absent: Any = like.background if like else None
    if background is not None:
        other = background
        if isinstance(other, pd.DataFrame):
            other, _ = _encoded(_picked(other, list(frame.columns)), categories, fixed=True)
        absent = other
    if groups is None:
        groups = like.groups if like else {}
    counting = isinstance(frame.index, pd.RangeIndex) and frame.index.equals(
        pd.RangeIndex(len(frame))
    )
    return Inputs(
        values,
        kind="tabular",
        features=tuple(map(str, frame.columns)),
        background=absent,
        groups=groups,
        categories=categories,
        y=classes,
        ids=() if counting else tuple(map(str, frame.index)),
        name=name,
    )


def background(
    inputs: Inputs | ArrayLike, rows: int = 100, *, seed: int = 0, by: ArrayLike | None = None
) -> NDArray[Any]:
    """A number of rows of `inputs`, drawn without replacement and kept in order: `(rows, *f)`.

    A background is always a choice, so it is made here explicitly: no method draws a subsample by
    itself. More rows make explanations steadier and slower, in proportion.

    Args:
        inputs: where to draw from, usually training rows.
        rows: how many of them are to mean "absent".
        seed: the same seed draws the same rows.
        by: one class per row; each class then gets its share of `rows`, to the nearest row.

    Raises:
        InputError: there are fewer rows than that, or a class would get no background row.

    Example:
        >>> background([[1.0], [2.0], [3.0], [4.0]], 2, by=["a", "a", "b", "b"]).shape
        (2, 1)
    """
    values = inputs.values if isinstance(inputs, Inputs) else np.asarray(inputs)
    if type(rows) is not int or not 1 <= rows <= len(values):
        raise InputError(
            f"A background needs a whole number of rows in 1..{len(values)} (there are {len(values)} "
            f"to draw from), not {rows!r}."
        )
    rng = np.random.default_rng(seed)
    if by is None:
        chosen = np.sort(rng.choice(len(values), rows, replace=False))
        return np.array(values[chosen])
    classes = np.asarray(by)
    if classes.shape != (len(values),):
        raise InputError(
            f"by needs one class per row, shape ({len(values)},), but has {classes.shape}."
        )
    labels, member, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    exact = sizes * rows / len(values)
    shares = np.floor(exact).astype(int)
    shares[np.argsort(shares - exact, kind="stable")[: rows - shares.sum()]] += 1
    if (shares == 0).any():
        without = labels[shares == 0].tolist()
        raise InputError(
            f"Every class needs a background row, but of {rows} rows the classes {without} would get "
            f"none (they have {sizes[shares == 0].tolist()} of {len(values)} rows). Ask for at least "
            f"{int(np.ceil(len(values) / sizes.min()))} rows, or merge the rare classes."
        )
    drawn = [
        rng.choice(np.flatnonzero(member == k), share, replace=False)
        for k, share in enumerate(shares)
    ]
    return np.array(values[np.sort(np.concatenate(drawn))])


def _as_frame(
    rows: pandas.DataFrame | ArrayLike, features: Sequence[str], like: Inputs | None
) -> pandas.DataFrame:
    import pandas as pd

    if isinstance(rows, pd.DataFrame):
        names = [str(column) for column in rows.columns]
        if len(set(names)) < len(names):
            twice = sorted({column for column in names if names.count(column) > 1})
            raise InputError(f"Column names must differ, but {twice} occur more than once.")
        return rows.set_axis(names, axis=1)
    if isinstance(rows, pd.Series):
        raise InputError(
            "A table needs a frame or an array (n, f), but got a pandas Series. For one row use "
            "series.to_frame().T, for one column series.to_frame()."
        )
    array = np.asarray(rows)
    if array.ndim != 2:
        raise InputError(
            f"A table needs the shape (n, f), but the array has {array.shape}."
            + (" One row is rows[None]." if array.ndim == 1 else "")
        )
    names = list(features) or (list(like.features) if like else [])
    names = names or [f"x{j}" for j in range(array.shape[1])]
    if len(names) != array.shape[1]:
        raise InputError(
            f"features must name {array.shape[1]} columns, but name {len(names)}: {names[:8]}."
        )
    return pd.DataFrame(array, columns=names).infer_objects()


def _split_target(
    frame: pandas.DataFrame, target: str | ArrayLike | None
) -> tuple[pandas.DataFrame, NDArray[Any] | None]:
    if target is None:
        return frame, None
    if not isinstance(target, str):
        return frame, np.asarray(target)
    if target not in frame.columns:
        raise InputError(
            f"target names column {target!r}, but the columns are {list(frame.columns)[:20]}."
        )
    column = frame[target]
    if column.isna().any():
        raise InputError(
            f"The target must be known for every row, but column {target!r} misses "
            f"{int(column.isna().sum())} of {len(frame)} values. Leave those rows or the target out."
        )
    classes = column.to_numpy()
    if classes.dtype == object:  # text, or pandas' own extension types
        classes = np.array(classes.tolist())
    return frame.drop(columns=target), classes


def _picked(frame: pandas.DataFrame, columns: Sequence[str]) -> pandas.DataFrame:
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if missing := [column for column in columns if column not in frame.columns]:
        raise InputError(
            f"The rows need the columns {list(columns)[:20]}, but {missing[:20]} are not there. "
            f"The frame has {list(frame.columns)[:20]}."
        )
    return frame[list(columns)]


def _encoded(
    frame: pandas.DataFrame, known: Mapping[str, tuple[Any, ...]], *, fixed: bool
) -> tuple[NDArray[np.float64], dict[str, tuple[Any, ...]]]:
    """Every column as numbers, and the labels of those that hold labels."""
    import pandas as pd

    _refuse_missing(frame)
    values = np.empty(frame.shape, dtype=np.float64)
    categories: dict[str, tuple[Any, ...]] = {}
    refused: dict[str, str] = {}
    for j, name in enumerate(frame.columns):
        column = frame[name]
        if name in known:
            categories[name] = known[name]
        elif (labels := _labels(column)) is not None:
            if fixed:
                raise InputError(
                    f"Column {name!r} must hold numbers as it did before, but holds labels "
                    f"{list(labels)[:5]} ({column.dtype}). Convert it first."
                )
            categories[name] = labels
        elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
            values[:, j] = column.to_numpy(dtype=np.float64)
            continue
        else:
            refused[name] = str(column.dtype)
            continue
        values[:, j] = _positions(name, column, categories[name])
    if refused:
        raise InputError(
            "A table needs columns of numbers, text, booleans or pandas categories, but found "
            + ", ".join(f"{name!r} ({dtype})" for name, dtype in refused.items())
            + ". Convert them (a date to days since a day, mixed objects with astype(float) or "
            "astype('category')), or leave them out with features=[...]."
        )
    return values, categories


def _refuse_missing(frame: pandas.DataFrame) -> None:
    missing = frame.isna()
    counts = missing.sum()
    if not counts.any():
        return
    found = ", ".join(f"{column!r} ({count})" for column, count in counts[counts > 0].items())
    first = frame.index[int(np.argmax(missing.any(axis=1).to_numpy()))]
    raise InputError(
        f"Every value must be known, but values are missing in columns {found} of {len(frame)} rows "
        f"(first: row {first!r}). Fill or drop them before explaining, or make 'missing' a label of "
        "its own: an explanation of a missing value would be one of whatever replaced it."
    )


def _labels(column: pandas.Series) -> tuple[Any, ...] | None:
    """The labels of a column that holds some, or None when it does not."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        labels = tuple(column.cat.categories.tolist())
        return labels if all(isinstance(x, str | bool | int | float) for x in labels) else None
    if pd.api.types.is_bool_dtype(column):
        return (False, True)
    if pd.api.types.is_numeric_dtype(column):
        return None
    found = set(column.tolist()) if pd.api.types.is_string_dtype(column) else set()
    return tuple(sorted(found)) if all(isinstance(x, str) for x in found) and found else None


def _positions(name: str, column: pandas.Series, labels: tuple[Any, ...]) -> NDArray[np.float64]:
    position = {label: j for j, label in enumerate(labels)}
    found = column.tolist()
    if unknown := sorted({str(x) for x in found if x not in position}):
        raise InputError(
            f"Column {name!r} must hold one of the labels {list(labels)[:10]} read before, but holds "
            f"{unknown[:10]}. Read all rows that belong together in one table, or make the column a "
            "pandas category that lists every label."
        )
    return np.array([position[x] for x in found], dtype=np.float64)
