"""HiResCAM: activations times gradients, place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core.kinds import PLACED
from workbench.gradients.smoothing import (
    AugSmooth,
    EigenSmooth,
    Layers,
    cam_by,
    check_cam,
    rows_of_maps,
    unfit_for_members,
    weighted_sum,
)


def hires_cam_weights(
    _maps: NDArray[np.float64], gradients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each place's weight in each channel: its gradient."""
    return gradients


def hires_cam(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps `(t, n, *places)` from activations `(n, c, *places)` and gradients `(t, n, c, *places)`."""
    return weighted_sum(hires_cam_weights(maps, gradients), maps)


@dataclass(frozen=True)
class HiResCAM:
    """Where in a spatial layer the target's score comes from, for and against.

    The map is `sum_c A_c * dy/dA_c` at each place: unlike Grad-CAM it does not average the gradients
    over places, so it does not claim places that the model does not use.

    `layer="a, b"` or `layer=("a", "b")` gives the mean of the maps at several layers. `aug_smooth` and
    `eigen_smooth` are those of pytorch-grad-cam.

    Source: Draelos & Carin (2020), eq. 6.
    **Differs:** negative evidence is kept; apply a maximum with zero for the paper's pictures. With
    averages no map is scaled to 0..1, neither one layer's before the mean nor a turned image's.
    """

    layer: Layers = None
    aug_smooth: AugSmooth = False
    eigen_smooth: EigenSmooth = False

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Draelos & Carin 2020"
    order: ClassVar[int] = 1
    referee: ClassVar[str] = "captum.layer_gradient_x_activation"

    def __post_init__(self) -> None:
        check_cam(self)

    @property
    def linear(self) -> bool:
        """Maps of models add up, and their means too; principal components do not."""
        return not self.eigen_smooth

    unfit = unfit_for_members
    evaluations = rows_of_maps
    attribute = cam_by(hires_cam, hires_cam_weights, rectified=False)
