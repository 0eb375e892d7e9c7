"""Grad-CAM++: a layer's channels, weighted by their positive gradients, each place by its share."""

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

Array = NDArray[np.float64]


def grad_cam_plus_plus_weights(maps: Array, gradients: Array) -> Array:
    """Each channel's weight `(t, n, c, 1, 1)` from activations and gradients.

    >>> maps, gradients = np.full((1, 1, 1, 2), 0.5), np.array([[[[[2.0, -1.0]]]]])
    >>> grad_cam_plus_plus_weights(maps, gradients).ravel()  # 2 times 1 / (2 + 1 * 2)
    array([0.5])
    """
    places = tuple(range(3, gradients.ndim))
    slopes = np.maximum(gradients, 0.0)
    total = np.maximum(maps.sum(axis=tuple(range(2, maps.ndim)), keepdims=True), 0.0)
    return np.asarray((slopes / (2.0 + total * slopes)).sum(axis=places, keepdims=True))


def grad_cam_plus_plus(maps: Array, gradients: Array) -> Array:
    """Maps `(t, n, h, w)` from activations `(n, c, h, w)` and gradients `(t, n, c, h, w)`."""
    return np.maximum(weighted_sum(grad_cam_plus_plus_weights(maps, gradients), maps), 0.0)


@dataclass(frozen=True)
class GradCAMPlusPlus:
    """Where in a spatial layer the evidence for the target lies, several objects of one class among it.

    With activations A and gradients g = dy/dA, each place weighs `a = 1 / (2 + g * sum over places of
    A_c)`, each channel `alpha_c = sum over places of a * max(0, g)`, and the map is `max(0, sum_c alpha_c
    A_c)`. A small region with a positive gradient counts nearly as much as a large one, which Grad-CAM's
    mean over all places would drown.

    `layer="a, b"` or `layer=("a", "b")` gives the mean of the maps at several layers. `aug_smooth` and
    `eigen_smooth` are those of pytorch-grad-cam.

    Source: Chattopadhay et al. (2018), eqs. 10 and 19.
    **Differs:** the gradient is the score's, as in pytorch-grad-cam, not that of the score's exponential,
    which differs by one positive factor per row. The formula is made for activations that are not
    negative; where a channel's sum is negative (no ReLU before the layer), it counts as 0, since a might
    be of any size. No map is scaled to 0..1.
    """

    layer: Layers = None
    aug_smooth: AugSmooth = False
    eigen_smooth: EigenSmooth = False

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Chattopadhay et al. 2018"
    order: ClassVar[int] = 2
    unrefereed: ClassVar[str] = (
        "captum has no such method; GradCAM and HiResCAM read the same layer, and can be checked"
    )

    def __post_init__(self) -> None:
        check_cam(self)

    unfit = unfit_for_members
    evaluations = rows_of_maps
    attribute = cam_by(grad_cam_plus_plus, grad_cam_plus_plus_weights)
