"""Input x Gradient: each feature's value times its slope at the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core import Evaluations, Inputs, Model, Progress, Target, check_parameters
from workbench.core.kinds import PLACED
from workbench.gradients.paths import no_slope
from workbench.gradients.slopes import SUMMED, slope_values

Array = NDArray[np.float64]


def input_x_gradient(rows: NDArray[Any], gradients: Array) -> Array:
    """Values `(t, n, *f)` from rows `(n, *f)` and gradients `(t, n, *f)`.

    >>> input_x_gradient(np.array([[2.0, 3.0]]), np.array([[[5.0, -1.0]]]))
    array([[[10., -3.]]])
    """
    return np.asarray(rows * gradients)


@dataclass(frozen=True)
class InputXGradient:
    """Each feature's value times its slope at the row, `x * dy/dx`.

    What the target would lose if the feature went to zero along the slope at the row: exact for linear
    models, local for all others. "Absent" means zero in the rows' own units, so a feature of value 0 gets
    nothing, however much the model reads it.

    Source: Shrikumar et al. (2016), "Not just a black box".
    """

    needs: ClassVar[tuple[str, ...]] = ("gradient",)
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = False
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Shrikumar et al. 2016"
    order: ClassVar[int] = 10
    referee: ClassVar[str] = "captum.input_x_gradient"
    sums_groups: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_parameters(self)

    def absence(self, _inputs: Inputs) -> str | None:
        """Where an absent feature's value comes from."""
        return "zero, along the slope at the row"

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return no_slope(inputs)

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """One gradient per row."""
        return Evaluations.exactly(len(inputs))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of rows."""
        return slope_values(model, inputs, targets, input_x_gradient, sums_groups=True, note=SUMMED)
