"""HiResCAM: activations times gradients, place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core import check_parameters
from workbench.core.kinds import PLACED
from workbench.gradients.cam import Layer, each_row_once, maps_by


def hires_cam(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps `(t, n, *places)` from activations `(n, c, *places)` and gradients `(t, n, c, *places)`."""
    return np.asarray(np.einsum("tnc...,nc...->tn...", gradients, maps))


@dataclass(frozen=True)
class HiResCAM:
    """Where in a spatial layer the target's score comes from, for and against.

    The map is `sum_c A_c * dy/dA_c` at each place: unlike Grad-CAM it does not average the gradients
    over places, so it does not claim places that the model does not use.

    Source: Draelos & Carin (2020), eq. 6.
    **Differs:** negative evidence is kept; apply a maximum with zero for the paper's pictures.
    """

    layer: Layer = None

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Draelos & Carin 2020"
    order: ClassVar[int] = 1
    referee: ClassVar[str] = "captum.layer_gradient_x_activation"

    def __post_init__(self) -> None:
        check_parameters(self)

    evaluations = each_row_once
    attribute = maps_by(hires_cam)
