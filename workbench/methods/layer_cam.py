"""LayerCAM: activations times positive gradients, place by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core import check_parameters
from workbench.core.kinds import PLACED
from workbench.gradients.cam import Layer, each_row_once, maps_by


def layer_cam(maps: NDArray[np.float64], gradients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps `(t, n, *places)` from activations `(n, c, *places)` and gradients `(t, n, c, *places)`."""
    return np.maximum(signed_layer_cam(maps, gradients), 0.0)


def signed_layer_cam(
    maps: NDArray[np.float64], gradients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same before the maximum with zero."""
    return np.asarray(np.einsum("tnc...,nc...->tn...", np.maximum(gradients, 0.0), maps))


@dataclass(frozen=True)
class LayerCAM:
    """Where in a spatial layer the evidence for the target lies; sharp in early layers too.

    The map is `max(0, sum_c max(0, dy/dA_c) * A_c)` at each place.

    Source: Jiang et al. (2021), eqs. 5 and 6.
    """

    layer: Layer = None

    needs: ClassVar[tuple[str, ...]] = ("activations",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Jiang et al. 2021"
    order: ClassVar[int] = 1
    unrefereed: ClassVar[str] = (
        "captum has no such method; GradCAM and HiResCAM read the same layer, and can be checked"
    )

    def __post_init__(self) -> None:
        check_parameters(self)

    evaluations = each_row_once
    attribute = maps_by(layer_cam)
    signed = maps_by(signed_layer_cam)  # those of an ensemble's members add up before the maximum
