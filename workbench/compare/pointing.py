"""Explanations of images against what is known to be the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution
from workbench.errors import InputError


def pointing_game(
    attribution: Attribution, truth: NDArray[Any] | None = None, *, tolerance: int = 0
) -> NDArray[np.bool_]:
    """Whether each map's highest place lies in the mask `(n,)`; the mean is the hit rate.

    Where several places share the highest value (a superpixel), the one nearest to their center counts.
    A map that is nowhere positive points at nothing and misses.

    Args:
        attribution: of image rows.
        truth: masks `(n, h, w)`, True on the right places; the rows' own `truth` when left out.
        tolerance: pixels by which a place may miss the mask and still count.

    Raises:
        InputError: there are no masks, or they have another shape.

    Source: Zhang et al. (2018), "Top-down neural attention by excitation backprop"; its tolerance is 15
    pixels on photos of several hundred. **Differs:** ties, and maps without a positive value.
    """
    masks = attribution.inputs.truth if truth is None else np.asarray(truth)
    maps = attribution.maps()
    if masks is None:
        raise InputError(
            f"The pointing game needs masks of the right places, but {attribution.inputs.name!r} has no "
            "truth. Pass truth= masks of shape (n, h, w)."
        )
    if masks.shape != maps.shape:
        raise InputError(
            f"The pointing game needs masks of the maps' shape {maps.shape}, but they have {masks.shape}."
        )
    return np.array(
        [_hit(map_, mask > 0, tolerance) for map_, mask in zip(maps, masks, strict=True)]
    )


def _hit(values: NDArray[np.float64], mask: NDArray[np.bool_], tolerance: int) -> bool:
    top = values.max()
    if top <= 0:
        return False
    places = np.argwhere(values == top)
    center = places.mean(axis=0)
    place = places[np.argmin(((places - center) ** 2).sum(axis=1))]
    inside = np.argwhere(mask)
    if len(inside) == 0:
        return False
    return bool(((inside - place) ** 2).sum(axis=1).min() <= tolerance**2)
