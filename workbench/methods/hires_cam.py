"""HiResCAM: activations times gradients, place by place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core import Doc, Evaluations, Inputs, Model, Progress, Target, check_parameters
from workbench.gradients.cam import layer_maps


@dataclass(frozen=True)
class HiResCAM:
    """Where in a spatial layer the target's score comes from, for and against.

    The map is `sum_c A_c * dy/dA_c` at each place: unlike Grad-CAM it does not average the gradients
    over places, so it does not claim places that the model does not use.

    Source: Draelos & Carin (2020), eq. 6.
    **Differs:** negative evidence is kept; apply a maximum with zero for the paper's pictures.
    """

    layer: Annotated[str, Doc("a spatial layer's name; the last one when left out")] | None = None

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = ("image",)
    additive: ClassVar[bool] = False
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Draelos & Carin 2020"
    order: ClassVar[int] = 1
    referee: ClassVar[str] = "captum.layer_gradient_x_activation"

    def __post_init__(self) -> None:
        check_parameters(self)

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row once."""
        return Evaluations.exactly(len(inputs), rows=False)

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of rows."""
        return layer_maps(model, inputs, targets, self.layer, hires_cam)


def hires_cam(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps `(t, n, h, w)` from activations `(n, c, h, w)` and gradients `(t, n, c, h, w)`."""
    return np.asarray(np.einsum("tnchw,nchw->tnhw", gradients, maps))
