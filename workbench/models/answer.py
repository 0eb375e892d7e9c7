"""`Answer`: what a wrapped estimator or booster answers, with a row that another could be wrapped by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from workbench.core import Inputs, Model


@dataclass(frozen=True, eq=False)
class Answer:
    """What a wrapped object answers, with a row such as it was wrapped for.

    That row knows the columns' names and the categories' labels, which an estimator fitted on a frame
    needs: so another can be wrapped for the same rows.
    """

    answer: Callable[[NDArray[Any]], NDArray[Any]]
    like: Inputs | None = field(repr=False)

    def __call__(self, rows: NDArray[Any], /) -> NDArray[Any]:
        """Scores `(n, k)`."""
        return self.answer(rows)


def row_like(model: Model) -> Inputs | None:
    """A row such as the model was wrapped for, or None where none was given."""
    found: Inputs | None = getattr(model.predict, "like", None)
    return found
