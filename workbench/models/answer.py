"""`Answer`: the function from rows to scores of a wrapped estimator or booster, with example rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from workbench.core import Inputs, Model, is_frame
from workbench.errors import InputError

KEPT = 32
"""How many of the user's rows stay with a model: its copies are tried on them."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The function from rows to scores of a wrapped object, with some of the rows it was wrapped for.

    They hold the columns' names and the categories' labels, which an estimator fitted on a
    frame needs. With them another object can be wrapped for the same rows, and tried on them.

    Args:
        answer: rows `(n, f)` to scores `(n, k)`.
        like: some of the rows, or None.
        frames: whether the object gets frames, where that was said or found by trying.
    """

    answer: Callable[[NDArray[Any]], NDArray[Any]]
    like: Inputs | None = field(repr=False)
    frames: bool | None = None

    def __call__(self, rows: NDArray[Any], /) -> NDArray[Any]:
        """Scores `(n, k)`.

        Raises:
            InputError: a frame, whose columns would be taken as they stand.
        """
        if is_frame(rows):
            raise InputError(
                "A model's predict takes numbers (n, f), but got a frame, whose columns may stand in "
                "another order. Give it to the model's scores, which finds them by name."
            )
        return self.answer(rows)


def row_like(model: Model) -> Inputs | None:
    """Some of the rows the model was wrapped for, as the user gave them, or None where none were given.

    The engine of a torch module keeps them, and so does the `Answer` of an estimator or booster.
    """
    engine = getattr(model.predict, "__self__", model.predict)
    found: Inputs | None = getattr(engine, "like", None)
    return found
