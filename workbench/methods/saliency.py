"""Saliency: the gradient at the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core import Doc, Evaluations, Inputs, Model, Progress, Target, check_parameters
from workbench.core.kinds import PLACED
from workbench.gradients.paths import no_slope
from workbench.gradients.slopes import COLUMNS, slope_values

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Saliency:
    """How steeply the target changes with each feature, at the row: `|dy/dx|`.

    As in the paper, and by default in captum, it is the size of the gradient, without its sign;
    `absolute=False` gives the gradient itself. Its unit is the score's per unit of the feature, so
    features of different units cannot be compared by it: InputXGradient and IntegratedGradients can.

    Source: Simonyan, Vedaldi & Zisserman (2014), section 3.
    **Differs:** an image keeps its channels; its map adds them up, where the paper takes the largest.
    """

    absolute: Annotated[bool, Doc("the slope's size alone; without it, up or down too")] = True

    needs: ClassVar[tuple[str, ...]] = ("gradient",)
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Simonyan, Vedaldi & Zisserman 2014"
    order: ClassVar[int] = 10
    referee: ClassVar[str] = "captum.saliency"

    def __post_init__(self) -> None:
        check_parameters(self)

    @property
    def linear(self) -> bool:
        """The slope of a sum is the sum of the slopes; their sizes do not add up."""
        return not self.absolute

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
        return slope_values(model, inputs, targets, self._sizes, sums_groups=False, note=COLUMNS)

    def _sizes(self, _rows: NDArray[Any], gradients: Array) -> Array:
        return np.abs(gradients) if self.absolute else gradients
