"""A target that was resolved before: the same number is explained at rows beside the explained one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Model


@dataclass(frozen=True, eq=False)
class Fixed:
    """Weights over the outputs that no longer depend on the scores; takes the place of a `Target`.

    "Each row's own prediction" is decided at the row itself: a copy with noise, or turned around, may be
    predicted as something else, and is still asked about the same output.

    Args:
        given: the weights `(n, k)`.
    """

    given: NDArray[np.float64]

    def check_rows(self, n: int) -> None:
        """Nothing to refuse: the weights were made for these rows."""

    def of_rows(self, rows: slice) -> Fixed:
        """The same for some of the rows."""
        return Fixed(self.given[rows])

    def weights(self, _model: Model, _scores: NDArray[Any]) -> NDArray[np.float64]:
        """The weights `(n, k)`."""
        return self.given
