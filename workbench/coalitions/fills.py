"""What replaces a feature that is absent from a coalition."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs
from workbench.errors import InputError

Fill = Literal["auto", "background", "mean", "blur", "zero"]
"""What stands in for an absent feature.

- "auto": "background" for tables, "mean" for images;
- "background": the background rows, each in turn or all on average, as the method says;
- "mean": for tables the mean background row; for images the mean color of each player;
- "blur": for images, the image under a Gaussian blur (sigma = 1/10 of its shorter side);
- "zero": zeros (black).
"""


def chosen_fill(fill: str, inputs: Inputs) -> str:
    """`fill` with "auto" made explicit."""
    if fill != "auto":
        return fill
    return "mean" if inputs.kind == "image" else "background"


def missing_for(fill: str, inputs: Inputs) -> str | None:
    """What these rows lack for this fill, as the rest of a sentence, or None when nothing."""
    fill = chosen_fill(fill, inputs)
    if fill == "blur" and inputs.kind != "image":
        return "can blur only images. Use fill='background'."
    if fill == "background" or (fill == "mean" and inputs.kind != "image"):
        if inputs.background is None:
            return (
                f"needs background rows for fill={fill!r}, but {inputs.name!r} has none. "
                "Add them with inputs.with_background(rows), or choose fill='zero'."
            )
        if fill == "mean" and inputs.categories:
            return (
                f"cannot average the categories of {list(inputs.categories)[:3]}. "
                "Use fill='background'."
            )
    return None


def fill_rows(
    fill: str, inputs: Inputs, row: int, players: NDArray[np.intp] | None = None
) -> NDArray[Any]:
    """The rows `(b, *f)` that absent features are taken from; b is 1 unless fill is "background".

    Args:
        fill: see `Fill`.
        inputs: the rows and their background.
        row: which row is explained.
        players: `(h, w)` for images: "mean" gives each player its own mean color; without players the
            whole image's.

    Raises:
        InputError: the fill needs something these rows do not have.
    """
    _refuse_missing(fill, inputs)
    fill = chosen_fill(fill, inputs)
    image: NDArray[Any] = inputs.values[row]
    if fill == "zero":
        return np.zeros((1, *image.shape), dtype=image.dtype)
    if fill == "blur":
        return _blurred(image)[None]
    if fill == "mean" and inputs.kind == "image":
        return _player_means(image, players)[None]
    background: NDArray[Any] = np.asarray(inputs.background)
    return np.asarray(background.mean(axis=0, keepdims=True)) if fill == "mean" else background


def fill_count(fill: str, inputs: Inputs) -> int:
    """How many rows `fill_rows` gives for each explained row.

    Raises:
        InputError: the fill needs something these rows do not have.
    """
    _refuse_missing(fill, inputs)
    return len(np.asarray(inputs.background)) if chosen_fill(fill, inputs) == "background" else 1


def _refuse_missing(fill: str, inputs: Inputs) -> None:
    if reason := missing_for(fill, inputs):
        raise InputError(f"This explanation {reason}")


def _blurred(image: NDArray[Any]) -> NDArray[Any]:
    from scipy.ndimage import gaussian_filter

    sigma = min(image.shape[:2]) / 10
    return np.asarray(gaussian_filter(image, sigma=(sigma, sigma, 0)))


def _player_means(image: NDArray[Any], players: NDArray[np.intp] | None) -> NDArray[Any]:
    if players is None:
        return np.broadcast_to(image.mean(axis=(0, 1)), image.shape).astype(image.dtype)
    owner = players.ravel() + 1  # players start at -1
    size = np.maximum(np.bincount(owner), 1)
    pixels = image.reshape(-1, image.shape[-1])
    means = np.stack([np.bincount(owner, weights=channel) / size for channel in pixels.T], axis=1)
    return np.asarray(means[owner].reshape(image.shape), dtype=image.dtype)
