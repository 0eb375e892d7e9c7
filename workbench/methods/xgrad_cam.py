"""XGrad-CAM: a layer's channels, weighted by their gradients where they are active."""

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

Array = NDArray[np.float64]

_NOTHING = 1e-9
"""A channel whose sum is this small beside its sizes has no share to divide by."""


def xgrad_cam_weights(maps: Array, gradients: Array) -> Array:
    """Each channel's weight `(t, n, c, 1, 1)`: its gradients' mean, weighted by its activations.

    >>> maps, gradients = np.array([[[[3.0, 1.0]]]]), np.array([[[[[2.0, -2.0]]]]])
    >>> xgrad_cam_weights(maps, gradients).ravel()
    array([1.])
    """
    own, places = tuple(range(2, maps.ndim)), tuple(range(3, gradients.ndim))
    total = maps.sum(axis=own, keepdims=True)
    nothing = np.abs(total) <= _NOTHING * np.abs(maps).sum(axis=own, keepdims=True)
    share = (gradients * maps).sum(axis=places, keepdims=True)
    return np.asarray(np.where(nothing, 0.0, share / np.where(nothing, 1.0, total)))


def signed_xgrad_cam(maps: Array, gradients: Array) -> Array:
    """The map before the maximum with zero."""
    return weighted_sum(xgrad_cam_weights(maps, gradients), maps)


def xgrad_cam(maps: Array, gradients: Array) -> Array:
    """Maps `(t, n, h, w)` from activations `(n, c, h, w)` and gradients `(t, n, c, h, w)`."""
    return np.maximum(signed_xgrad_cam(maps, gradients), 0.0)


@dataclass(frozen=True)
class XGradCAM:
    """Where in a spatial layer the evidence for the target lies: a channel earns what it contributes.

    Each channel c weighs `alpha_c = sum over places of (A_c / sum of A_c) * dy/dA_c`, so that the map,
    before `max(0, sum_c alpha_c A_c)` cuts it, sums to activations times gradients, as HiResCAM's does.

    `layer="a, b"` or `layer=("a", "b")` gives the mean of the maps at several layers. `aug_smooth` and
    `eigen_smooth` are those of pytorch-grad-cam.

    Source: Fu et al. (2020), eq. 8.
    **Differs:** a channel whose activations sum to zero has no share of anything, and weighs nothing. No
    map is scaled to 0..1.
    """

    layer: Layers = None
    aug_smooth: AugSmooth = False
    eigen_smooth: EigenSmooth = False

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Fu et al. 2020"
    order: ClassVar[int] = 2
    unrefereed: ClassVar[str] = (
        "captum has no such method; GradCAM and HiResCAM read the same layer, and can be checked"
    )

    def __post_init__(self) -> None:
        check_cam(self)

    unfit = unfit_for_members
    evaluations = rows_of_maps
    attribute = cam_by(xgrad_cam, xgrad_cam_weights)
    signed = Signed(signed_xgrad_cam)  # those of an ensemble's members add up before the maximum
