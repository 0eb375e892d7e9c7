"""AblationCAM: a layer's channels, each weighted by what the score loses without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core import Doc, Evaluations, Inputs, Model, Progress, Range, Target
from workbench.core.kinds import PLACED
from workbench.gradients.ablation import ablation_maps
from workbench.gradients.smoothing import (
    AugSmooth,
    EigenSmooth,
    Layers,
    averaged_maps,
    check_cam,
    eigen_map,
    rows_of_maps,
    weighted_sum,
)

Array = NDArray[np.float64]


def signed_ablation_cam(maps: Array, losses: Array) -> Array:
    """Maps `(t, n, h, w)` from activations `(n, c, h, w)` and losses `(t, n, c, 1, 1)`.

    >>> signed_ablation_cam(np.array([[[[2.0, 1.0]]]]), np.full((1, 1, 1, 1, 1), -3.0)).ravel()
    array([-6., -3.])
    """
    return weighted_sum(losses, maps)


def ablation_cam(maps: Array, losses: Array) -> Array:
    """The same, with a maximum with zero."""
    return np.maximum(signed_ablation_cam(maps, losses), 0.0)


def _losses(_maps: Array, losses: Array) -> Array:
    return losses


@dataclass(frozen=True)
class AblationCAM:
    """Where in a spatial layer the evidence for the target lies, found without a gradient.

    With y the target's score and y_c the score when channel c is set to zero, each channel weighs
    `alpha_c = y - y_c`, and the map is `max(0, sum_c alpha_c A_c)`, enlarged to the image. It also works
    for models whose gradient is saturated or missing.

    `layer="a, b"` or `layer=("a", "b")` gives the mean of the maps at several layers. `aug_smooth` and
    `eigen_smooth` are those of pytorch-grad-cam.

    Source: Desai & Ramaswamy (2020), eqs. 3 and 4.
    **Differs:** the weights are not divided by y. That is one factor for all channels of a row; where y is
    a negative logit it would turn all signs, and near zero it has any size.
    """

    layer: Layers = None
    channels: Annotated[
        int, Range(1, 4096), Doc("at most so many of the layer's channels are set to zero")
    ] = 2048
    aug_smooth: AugSmooth = False
    eigen_smooth: EigenSmooth = False

    needs: ClassVar[tuple[str, ...]] = ("feature_maps",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Desai & Ramaswamy 2020"
    order: ClassVar[int] = 9
    unrefereed: ClassVar[str] = (
        "captum has no such method; GradCAM and HiResCAM read the same layer, and can be checked"
    )

    def __post_init__(self) -> None:
        check_cam(self)

    def unfit(self, model: Model, _inputs: Inputs) -> str | None:
        """Why this recipe cannot explain this model."""
        if model.ablated is not None:
            return None
        return (
            f"needs to set a layer's channels to zero, which model {model.name!r} does not offer. Use "
            "ScoreCAM."
        )

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row once, then once per channel; only the model knows the number of channels."""
        once = rows_of_maps(self, inputs)
        return Evaluations(once.fewest, once.most * (1 + self.channels), rows=once.rows)

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of copies without a channel."""
        formula: Callable[[Array, Array], Array] = ablation_cam
        if self.eigen_smooth:
            formula = partial(eigen_map, _losses, True)

        def ask(model: Model, rows: Inputs, about: Sequence[Any], layer: str | None) -> Any:
            return ablation_maps(model, rows, about, layer, self.channels, formula)

        return averaged_maps(self, model, inputs, targets, ask)
