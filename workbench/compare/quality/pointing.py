"""Explanations of images compared with the known reason."""

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
    maps = attribution.maps()
    masks = _masks("The pointing game", attribution, maps, truth)
    return np.array([_hit(map_, mask, tolerance) for map_, mask in zip(maps, masks, strict=True)])


def mass_in_mask(
    attribution: Attribution, truth: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """The share of each map's positive credit that lies in the mask `(n,)`, 0 to 1.

    A map that is nowhere positive has 0. A random map has about the mask's share of the picture.

    Args:
        attribution: of image rows.
        truth: masks `(n, h, w)`, True on the right places; the rows' own `truth` when left out.

    Raises:
        InputError: there are no masks, or they have another shape.

    Source: Wang et al. (2020), "Score-CAM", the energy-based pointing game. **Differs:** masks, not boxes.
    """
    maps = attribution.maps()
    masks = _masks("The mass in the mask", attribution, maps, truth)
    positive = np.maximum(maps, 0.0)
    total = positive.sum(axis=(1, 2))
    inside = np.where(masks, positive, 0.0).sum(axis=(1, 2))
    return np.asarray(inside / np.where(total > 0, total, 1.0))


def _masks(
    who: str, attribution: Attribution, maps: NDArray[np.float64], truth: NDArray[Any] | None
) -> NDArray[np.bool_]:
    masks = attribution.inputs.truth if truth is None else np.asarray(truth)
    if masks is None:
        raise InputError(
            f"{who} needs masks of the right places, but {attribution.inputs.name!r} has no truth. Pass "
            "truth= masks of shape (n, h, w)."
        )
    if masks.shape != maps.shape:
        raise InputError(
            f"{who} needs masks of the maps' shape {maps.shape}, but they have {masks.shape}. Give one "
            "mask per row, of the picture's size."
        )
    return np.asarray(masks > 0)


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
