"""Grad-CAM: a layer's channels, weighted by their mean gradient."""

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


def grad_cam_weights(
    _maps: NDArray[np.float64], gradients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each channel's weight `(t, n, c, 1, 1)`: its mean gradient."""
    places = tuple(range(3, gradients.ndim))
    return np.asarray(gradients.mean(axis=places, keepdims=True))


def grad_cam(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps `(t, n, *places)` from activations `(n, c, *places)` and gradients `(t, n, c, *places)`."""
    return np.maximum(signed_grad_cam(maps, gradients), 0.0)


def signed_grad_cam(
    maps: NDArray[np.float64], gradients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same before the maximum with zero."""
    return weighted_sum(grad_cam_weights(maps, gradients), maps)


@dataclass(frozen=True)
class GradCAM:
    """Where in a spatial layer the evidence for the target lies.

    With activations A and the target's gradients dy/dA, each channel c weighs
    `alpha_c = mean over places of dy/dA_c`, and the map is `max(0, sum_c alpha_c A_c)`, enlarged to
    the image. It is not normalized: two maps of one model can be compared by size.

    `layer="a, b"` or `layer=("a", "b")` gives the mean of the maps at several layers. `aug_smooth` and
    `eigen_smooth` are those of pytorch-grad-cam.

    Source: Selvaraju et al. (2017), eqs. 1 and 2.
    **Differs:** with averages no map is scaled to 0..1, neither one layer's before the mean nor a turned
    image's.
    """

    layer: Layers = None
    aug_smooth: AugSmooth = False
    eigen_smooth: EigenSmooth = False

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Selvaraju et al. 2017"
    order: ClassVar[int] = 0
    referee: ClassVar[str] = "captum.layer_grad_cam"

    def __post_init__(self) -> None:
        check_cam(self)

    unfit = unfit_for_members
    evaluations = rows_of_maps
    attribute = cam_by(grad_cam, grad_cam_weights)
    signed = Signed(signed_grad_cam)  # those of an ensemble's members add up before the maximum
