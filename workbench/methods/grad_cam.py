"""Grad-CAM: a layer's channels, weighted by their mean gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core import check_parameters
from workbench.core.kinds import PLACED
from workbench.gradients.cam import Layer, each_row_once, maps_by


def grad_cam(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps `(t, n, *places)` from activations `(n, c, *places)` and gradients `(t, n, c, *places)`."""
    return np.maximum(signed_grad_cam(maps, gradients), 0.0)


def signed_grad_cam(
    maps: NDArray[np.float64], gradients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same before the maximum with zero."""
    alpha = gradients.mean(axis=tuple(range(3, gradients.ndim)))
    return np.asarray(np.einsum("tnc,nc...->tn...", alpha, maps))


@dataclass(frozen=True)
class GradCAM:
    """Where in a spatial layer the evidence for the target lies.

    With activations A and the target's gradients dy/dA, each channel c weighs
    `alpha_c = mean over places of dy/dA_c`, and the map is `max(0, sum_c alpha_c A_c)`, enlarged to
    the image. It is not normalized: two maps of one model can be compared by size.

    Source: Selvaraju et al. (2017), eqs. 1 and 2.
    """

    layer: Layer = None

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Selvaraju et al. 2017"
    order: ClassVar[int] = 0
    referee: ClassVar[str] = "captum.layer_grad_cam"

    def __post_init__(self) -> None:
        check_parameters(self)

    evaluations = each_row_once
    attribute = maps_by(grad_cam)
    signed = maps_by(signed_grad_cam)  # those of an ensemble's members add up before the maximum
