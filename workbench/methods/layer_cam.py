"""LayerCAM: activations times positive gradients, place by place."""

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
    Signed,
    cam_by,
    check_cam,
    rows_of_maps,
    unfit_for_members,
    weighted_sum,
)


def layer_cam_weights(
    _maps: NDArray[np.float64], gradients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each place's weight in each channel: its gradient, where that is positive."""
    return np.maximum(gradients, 0.0)


def layer_cam(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps `(t, n, *places)` from activations `(n, c, *places)` and gradients `(t, n, c, *places)`."""
    return np.maximum(signed_layer_cam(maps, gradients), 0.0)


def signed_layer_cam(
    maps: NDArray[np.float64], gradients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same before the maximum with zero."""
    return weighted_sum(layer_cam_weights(maps, gradients), maps)


@dataclass(frozen=True)
class LayerCAM:
    """Where in a spatial layer the evidence for the target lies; sharp in early layers too.

    The map is `max(0, sum_c max(0, dy/dA_c) * A_c)` at each place.

    `layer="a, b"` or `layer=("a", "b")` gives the mean of the maps at several layers. `aug_smooth` and
    `eigen_smooth` are those of pytorch-grad-cam.

    Source: Jiang et al. (2021), eqs. 5 and 6.
    **Differs:** with averages no map is scaled to 0..1, neither one layer's before the mean nor a turned
    image's.
    """

    layer: Layers = None
    aug_smooth: AugSmooth = False
    eigen_smooth: EigenSmooth = False

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Jiang et al. 2021"
    order: ClassVar[int] = 1
    unrefereed: ClassVar[str] = (
        "captum has no such method; GradCAM and HiResCAM read the same layer, and can be checked"
    )

    def __post_init__(self) -> None:
        check_cam(self)

    unfit = unfit_for_members
    evaluations = rows_of_maps
    attribute = cam_by(layer_cam, layer_cam_weights)
    signed = Signed(signed_layer_cam)  # those of an ensemble's members add up before the maximum
