"""Matches the columns of a model to the columns of the rows, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, ambiguous
from workbench.errors import InputError


def columns_in(
    like: Inputs, columns: Sequence[str], name: str
) -> tuple[NDArray[np.intp], list[str]]:
    """The position of each of the model's columns in `like`, and notes about the remaining columns.

    >>> rows = Inputs([[1, 2, 3]], kind="tabular", features=("age", "dose", "id"))
    >>> columns_in(rows, ("dose", "age"), "risk")
    (array([1, 0]), ["The model does not read the columns ['id']; they get no credit."])

    Raises:
        InputError: a column the model was fitted on is not there.
    """
    missing = [column for column in columns if column not in like.features]
    if missing:
        raise InputError(
            f"Model {name!r} was fitted on columns {list(columns)[:20]}, but the rows have "
            f"{list(like.features)[:20]}. Missing: {missing[:20]}. Give rows with these columns."
        )
    ignored = [feature for feature in like.features if feature not in columns]
    notes = (
        [f"The model does not read the columns {ignored}; they get no credit."] if ignored else []
    )
    return np.array([like.features.index(column) for column in columns], dtype=np.intp), notes


def number_of(labels: tuple[Any, ...], column: str, name: str) -> NDArray[np.float64]:
    """The number behind each label, for a model that was fitted on numbers.

    >>> number_of((5, 9), "grade", "risk")
    array([5., 9.])

    Raises:
        InputError: the labels are no numbers, and only the person who fitted the model knows their codes.
    """
    if not all(isinstance(label, bool | int | float) for label in labels):
        raise InputError(
            f"Model {name!r} reads numbers in column {column!r} and keeps no labels, but the rows hold "
            f"labels {list(labels)[:5]} there. Give the rows with the numbers it was fitted on, or fit it "
            "on a frame whose column is a pandas category."
        )
    return np.array([float(label) for label in labels])


def check_numbers(like: Inputs | None, name: str, *, asked: bool = False) -> None:
    """Refuses labels that are numbers, for a model that gets arrays: codes and labels look alike there.

    Args:
        like: the rows.
        name: of the model, for messages.
        asked: whether `wrap(..., frames=)` can say which of the two it reads.

    Raises:
        InputError: some column's labels are numbers other than their positions.
    """
    if like is None or not like.of_kind.columns:
        return
    for column, labels in like.categories.items():
        if not ambiguous(labels):
            continue
        way_out = (
            "frames=True if it was fitted on a frame, frames=False if on an array of these labels, or the "
            "column as the numbers that it was fitted on (frame.astype({column: float}))."
            if asked
            else "the column as numbers (frame.astype({column: float})), or, for a function that reads "
            "frames, frames=True."
        )
        raise InputError(
            f"Model {name!r} gets rows as arrays, in which column {column!r} holds positions "
            f"0..{len(labels) - 1} of the labels {list(labels)[:5]}. Those are numbers too, and it cannot "
            f"be told which of the two it reads. Give {way_out}"
        )


def coded(
    column: NDArray[np.float64], table: NDArray[np.float64], feature: str
) -> NDArray[np.float64]:
    """A column with the model's numbers in place of the rows' codes.

    >>> coded(np.array([1.0, 0.0]), np.array([5.0, 9.0]), "grade")
    array([9., 5.])

    Raises:
        InputError: the column holds a number that is no code.
    """
    missing = np.isnan(column)
    code = np.where(missing, 0, column).astype(np.intp)
    if ((code != column) & ~missing).any() or (code < 0).any() or (code >= len(table)).any():
        raise InputError(
            f"Column {feature!r} must hold positions 0..{len(table) - 1} of its labels, but holds "
            f"{np.unique(column)[:5].tolist()}. Give whole numbers in that range."
        )
    return np.where(missing, np.nan, table[code])
