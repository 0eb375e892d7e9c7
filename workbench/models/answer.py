"""`Answer`: the function from rows to scores of a wrapped estimator or booster, with an example row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from workbench.core import Inputs, Model


@dataclass(frozen=True, eq=False)
class Answer:
    """The function from rows to scores of a wrapped object, with an example of the rows it was wrapped for.

    The example row holds the columns' names and the categories' labels, which an estimator fitted on a
    frame needs. With it another object can be wrapped for the same rows.

    Args:
        answer: rows `(n, f)` to scores `(n, k)`.
        like: the example row, or None.
        frames: whether the object gets frames, where that was said or found by trying.
    """

    answer: Callable[[NDArray[Any]], NDArray[Any]]
    like: Inputs | None = field(repr=False)
    frames: bool | None = None

    def __call__(self, rows: NDArray[Any], /) -> NDArray[Any]:
        """Scores `(n, k)`."""
        return self.answer(rows)


def row_like(model: Model) -> Inputs | None:
    """An example of the rows the model was wrapped for, or None where none was given."""
    found: Inputs | None = getattr(model.predict, "like", None)
    return found
