"""EigenCAM: the first principal component of a layer's maps, which shows what it responds to most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core.kinds import PLACED
from workbench.gradients.smoothing import (
    AugSmooth,
    Layers,
    check_cam,
    free_cam_by,
    rows_of_maps,
)


def eigen_cam(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps `(n, *places)` from activations `(n, c, *places)`.

    >>> eigen_cam(np.array([[[[3.0, 0.0]], [[4.0, 0.0]]]]))  # one place, whose channels are 3 and 4
    array([[[5., 0.]]])
    """
    n, c, *places = maps.shape
    left, sizes, _ = np.linalg.svd(maps.reshape(n, c, -1).transpose(0, 2, 1), full_matrices=False)
    first = left[:, :, 0] * sizes[:, :1]  # O v1 is u1 times its singular value
    signs = np.where(first.sum(axis=1) < 0, -1.0, 1.0)
    return np.asarray((signs[:, None] * first).reshape(n, *places))


@dataclass(frozen=True)
class EigenCAM:
    """Where in a spatial layer most of what it computes for a row can be found; no gradient is needed.

    With the layer's activations as a matrix O of places by channels and its singular value decomposition
    `O = U S V'`, the map is `O v1`, the places' share in the first component, enlarged to the image. So it
    also works for models with integer arithmetic. It uses no target: every target has the same map.

    A singular vector has no sign of its own. It is turned so that the map's sum is not negative.

    `layer="a, b"` gives the mean of the maps at several layers, and `aug_smooth` that over turned copies,
    as pytorch-grad-cam has it; no map is scaled before.

    Source: Muhammad & Yeasin (2020), section III.
    """

    layer: Layers = None
    aug_smooth: AugSmooth = False

    needs: ClassVar[tuple[str, ...]] = ("feature_maps",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Muhammad & Yeasin 2020"
    order: ClassVar[int] = 9
    unrefereed: ClassVar[str] = (
        "captum has no such method; GradCAM and HiResCAM read the same layer, and can be checked"
    )

    def __post_init__(self) -> None:
        check_cam(self)

    evaluations = rows_of_maps
    attribute = free_cam_by(
        eigen_cam,
        "EigenCAM asks for no target: the map shows what the layer responds to, for any of them.",
    )
