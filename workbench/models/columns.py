"""Which column of the rows each column of a model is, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs
from workbench.errors import InputError


def columns_in(
    like: Inputs, columns: Sequence[str], name: str
) -> tuple[NDArray[np.intp], list[str]]:
    """The position of each of the model's columns in `like`, and what a user should know of the rest.

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
