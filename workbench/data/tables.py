"""From pandas frames and arrays to `Inputs`, and an explicit choice of background rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core import Inputs, as_table, background_frame, is_frame, picked, read_frame
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas


def table(
    rows: Any,
    *,
    features: Sequence[str] = (),
    target: str | ArrayLike | None = None,
    background: pandas.DataFrame | ArrayLike | None = None,
    groups: Mapping[str, Sequence[int | str]] | None = None,
    like: Inputs | None = None,
    name: str = "table",
) -> Inputs:
    """The rows of a pandas frame or of an array `(n, f)` as tabular `Inputs`.

    Numbers stay numbers, and missing ones NaN. Columns of text, booleans, intervals or pandas categories
    become positions in their labels, which `Inputs.categories` keeps: sorted for text, in pandas' own order
    for categories. Dates become counts of microseconds. `Inputs.columns` keeps each column's type, so a
    model gets back what the frame held. A frame's index becomes `ids` unless it is a plain count.

    Args:
        rows: what to explain: a frame of pandas or polars, an array or tensor, a Series that is one row, a
            list of rows, a sparse matrix.
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
        InputError: a column holds things that are neither numbers, labels nor times, or a label that
            `like` has never seen; rows in an object that does not give them back, such as a DMatrix.

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
    if features and is_frame(rows):
        frame = picked(frame, tuple(map(str, features)))
    read = read_frame(frame, like, background_frame(frame, background))
    absent: Any = like.background if like else None
    if groups is None:
        groups = like.groups if like else {}
    counting = isinstance(frame.index, pd.RangeIndex) and frame.index.equals(
        pd.RangeIndex(len(frame))
    )
    return Inputs(
        read.values,
        kind="tabular",
        features=read.features,
        background=absent if background is None else background,  # type: ignore[arg-type]
        groups=groups,
        categories=read.categories,
        y=classes,
        ids=() if counting else tuple(map(str, frame.index)),
        name=name,
        columns=read.columns,
    )


def background(inputs: Any, rows: int = 100, *, seed: int = 0, by: ArrayLike | None = None) -> Any:
    """A number of rows of `inputs`, drawn without replacement and kept in order: `(rows, *f)`.

    Of a frame they are a frame, whose columns will be found by name.

    A background is always a choice, so it is made here explicitly: no method draws a subsample by
    itself. More rows make explanations steadier and slower, in proportion.

    Args:
        inputs: where to draw from, usually training rows: `Inputs`, an array or a frame.
        rows: how many of them are to mean "absent".
        seed: the same seed draws the same rows.
        by: one class per row; each class then gets its share of `rows`, to the nearest row.

    Raises:
        InputError: there are fewer rows than that, or a class would get no background row.

    Example:
        >>> background([[1.0], [2.0], [3.0], [4.0]], 2, by=["a", "a", "b", "b"]).shape
        (2, 1)
    """
    values = inputs.values if isinstance(inputs, Inputs) else as_table(inputs)
    if type(rows) is not int or not 1 <= rows <= len(values):
        raise InputError(
            f"A background needs a whole number of rows in 1..{len(values)} (there are {len(values)} "
            f"to draw from), not {rows!r}."
        )
    rng = np.random.default_rng(seed)
    if by is None:
        chosen = np.sort(rng.choice(len(values), rows, replace=False))
        return _taken(values, chosen)
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
    return _taken(values, np.sort(np.concatenate(drawn)))


def _taken(rows: Any, chosen: NDArray[np.intp]) -> Any:
    return rows.iloc[chosen] if is_frame(rows) else np.array(rows[chosen])


def _as_frame(rows: Any, features: Sequence[str], like: Inputs | None) -> pandas.DataFrame:
    import pandas as pd

    named = () if is_frame(rows) else tuple(features) or (like.features if like else ())
    found = as_table(rows, named, like)
    if is_frame(found):
        return found
    array = np.asarray(found)
    if array.ndim != 2:
        raise InputError(
            f"A table needs the shape (n, f), but the array has {array.shape}."
            + (" One row is rows[None]." if array.ndim == 1 else "")
        )
    names = list(named) or [f"x{j}" for j in range(array.shape[1])]
    if len(names) != array.shape[1]:
        raise InputError(
            f"features must name {array.shape[1]} columns, but name {len(names)}: {names[:8]}."
        )
    return pd.DataFrame(array, columns=names)


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
