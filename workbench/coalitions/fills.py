"""What replaces a feature that is absent from a coalition."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.contrast import apart, span
from workbench.coalitions.superpixels import even_cells
from workbench.coalitions.windows import Windows
from workbench.core import Inputs
from workbench.errors import InputError

Fill = Literal["auto", "background", "contrast", "mean", "blur", "zero", "baseline"]
"""What stands in for an absent feature.

- "auto": the default of the kind of rows: "background" for tables, "contrast" for the others;
- "background": the background rows, each in turn or all on average, as the method says;
- "contrast": for images, signals and volumes, one color that differs from what it covers: in every
  channel far from the mean of each part that may be absent, and equal to none of its pixels
  (`contrast.apart`);
- "mean": for tables the mean background row, of the known values (a column that no background row knows
  stays missing); for the others the mean over the row's places;
- "blur": for these, the row under a Gaussian blur (sigma = 1/10 of its shortest side);
- "zero": zeros (black);
- "baseline": the row's own, `Inputs.baseline`.

All but "contrast" can equal what they cover: a part of the fill's own color, a flat part under a blur, a
column that is the same in every background row. Such parts are counted (`left_as_it_was`) and reported.
"""

NEARLY = 0.01
"""A fill that moves no pixel of a part by more than this share of the image's range hides nothing."""

_ROUNDING = {4: 2.0**-20, 8: 2.0**-44}
"""What rounding may move a mean by, as a share of its value, in numbers of so many bytes."""


def chosen_fill(fill: str, inputs: Inputs) -> str:
    """`fill` with "auto" made explicit."""
    if fill != "auto":
        return fill
    return inputs.of_kind.default_fill


def missing_for(fill: str, inputs: Inputs, choices: tuple[str, ...] = get_args(Fill)) -> str | None:
    """What these rows lack for this fill, as the rest of a sentence, or None when nothing.

    Args:
        fill: see `Fill`.
        inputs: the rows and their background.
        choices: the fills that the caller could use instead.
    """
    fill, kind = chosen_fill(fill, inputs), inputs.of_kind
    if fill == "baseline":
        if inputs.baseline is not None:
            return None
        able = [one for one in choices if one != fill and not missing_for(one, inputs, ())]
        advice = f", or choose fill={able[0]!r}" if able else ""
        return f"needs a row for each row to be absent into: Inputs(..., baseline=rows){advice}."
    if fill in ("blur", "contrast") and fill not in kind.fills:
        return f"can {fill} only images. {_instead(inputs, choices)}"
    if fill not in kind.fills:
        return f"cannot fill {kind.name} rows with {fill!r}, only with {list(kind.fills)}."
    if fill in ("background", "mean") and fill not in kind.from_row:
        if inputs.background is None:
            return (
                f"needs background rows for fill={fill!r}, but {inputs.name!r} has none. "
                "Add them with Inputs(rows, background=training_rows), or choose fill='zero'."
            )
        if fill == "mean" and inputs.categories:
            return (
                f"cannot average the categories of {list(inputs.categories)[:3]}. "
                f"{_instead(inputs, choices)}"
            )
    return None


def _instead(inputs: Inputs, choices: tuple[str, ...]) -> str:
    """Advice on another fill: background rows where possible, else the first that these rows allow."""
    able = [one for one in choices if one != "baseline" and not missing_for(one, inputs, ())]
    if "background" in choices or not able:
        return "Use fill='background'." if choices else ""
    return f"Use fill={able[0]!r}."


def fill_rows(
    fill: str, inputs: Inputs, row: int, players: NDArray[np.intp] | None = None
) -> NDArray[Any]:
    """The rows `(b, *f)` that absent features are taken from; b is 1 unless fill is "background".

    Args:
        fill: see `Fill`.
        inputs: the rows and their background.
        row: which row is explained.
        players: each place's player `(*places)`, which "contrast" stays away from; without
            players, 64 even cells.

    Raises:
        InputError: the fill needs something these rows do not have.
    """
    _refuse_missing(fill, inputs)
    fill = chosen_fill(fill, inputs)
    image: NDArray[Any] = inputs.values[row]
    kind = inputs.of_kind
    if fill in kind.from_row and kind.fill is not None:
        return np.asarray(kind.fill(fill, image, players))[None]
    if fill == "baseline":
        own: NDArray[Any] = np.asarray(inputs.baseline)
        return own[row : row + 1]
    if fill == "zero":
        return np.zeros((1, *image.shape), dtype=image.dtype)
    if fill == "blur":
        return _blurred(image)[None]
    if fill == "mean" and fill in kind.from_row:
        return _even(image.mean(axis=tuple(range(image.ndim - 1)))[None], image)
    if fill == "contrast":
        return _even(_contrasting(image, players)[None], image)
    background: NDArray[Any] = np.asarray(inputs.background)
    return known_mean(background)[None] if fill == "mean" else background


def known_mean(rows: NDArray[Any]) -> NDArray[Any]:
    """The mean of each column's known values `(f,)`; missing where no row knows one.

    Equal values have that value as their mean, to the last bit, so that a fill that hides nothing is seen.

    >>> known_mean(np.array([[1.0, np.nan, 0.1], [3.0, np.nan, 0.1], [np.nan, np.nan, 0.1]]))
    array([2. , nan, 0.1])
    """
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore"):  # infinity minus infinity has no mean
        mean = rows.mean(axis=0, where=known) if count.all() else np.full(rows.shape[1:], np.nan)
    if not count.all():
        some = count > 0
        mean = mean.astype(rows.dtype)
        with np.errstate(invalid="ignore"):
            mean[some] = rows[:, some].mean(axis=0, where=known[:, some])
    low = np.where(known, rows, np.inf).min(axis=0)
    high = np.where(known, rows, -np.inf).max(axis=0)
    return np.asarray(np.where(low == high, low, mean), dtype=mean.dtype)


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

    *places, _ = image.shape
    sigma = min(places) / 10
    return np.asarray(gaussian_filter(image, sigma=(*(sigma,) * len(places), 0)))


def _even(colors: NDArray[Any], image: NDArray[Any]) -> NDArray[Any]:
    """Rows of one color each `(m, *places, c)` from colors `(m, c)`, in the row's own precision."""
    along = colors.reshape(len(colors), *(1,) * (image.ndim - 1), -1)
    return np.broadcast_to(along.astype(image.dtype), (len(colors), *image.shape))


def _contrasting(image: NDArray[Any], players: NDArray[np.intp] | None) -> NDArray[np.float64]:
    """The color `(c,)` that replaces every absent player of a row, whichever others are absent."""
    pixels = image.reshape(-1, image.shape[-1]).astype(np.float64)
    parts = even_cells(image.shape[:-1], 64) if players is None else players
    owner = parts.ravel() + 1  # players start at -1, which is never absent
    size = np.bincount(owner)
    sums = np.stack([np.bincount(owner, weights=channel) for channel in pixels.T], axis=1)
    means = (sums / np.maximum(size[:, None], 1))[1:][size[1:] > 0]
    return apart(pixels.T, means.T, *span(image))


def window_fills(image: NDArray[Any], windows: Windows, part: slice) -> NDArray[Any]:
    """Fills of "contrast" for windows, of which one at a time is absent: each gets a color of its own.

    A window's mean moves by a quarter of the row's range or more, in every channel.

    Args:
        image: the row `(*places, c)`.
        windows: all windows.
        part: which of them.

    Returns:
        One row of one color for each `(m, *places, c)`.
    """
    seen = windows.colors(image, part)
    colors = [
        apart(one, one.mean(axis=1, keepdims=True), low, high)
        for one, low, high in zip(seen.swapaxes(0, 1), *span(image), strict=True)
    ]
    return _even(np.stack(colors, axis=1), image)


def left_as_it_was(
    row: NDArray[Any], fills: NDArray[Any], players: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Which players a fill leaves unchanged `(p,)`, so that it hides nothing from a model.

    For tables, the fills equal the row in all of the player's columns, up to the rounding of a mean; a
    missing value equals another missing one. For rows with channels they move no place of the player by
    more than 1 % of the image's (or the channel's) range.

    >>> row, fills = np.array([3.0, 5.0]), np.array([[3.0, 5.0], [3.0, 6.0]])
    >>> left_as_it_was(row, fills, np.array([0, 1]))
    array([ True, False])

    Args:
        row: the explained row `(*f)`.
        fills: what stands in for it `(b, *f)`.
        players: each feature's player, `(f,)` or `(*places)`.
    """
    if row.ndim > players.ndim:
        low, high = span(row)
        near: Any = NEARLY * (high - low)
    else:
        coarser = min(row.dtype, fills.dtype, key=lambda one: one.itemsize)
        row, fills = row.astype(coarser), fills.astype(coarser)
        near = _ROUNDING.get(coarser.itemsize, 0.0) * np.maximum(np.abs(row), np.abs(fills))
        # Dates are large whole numbers, and two that are close are not the same.
        near[(row == np.floor(row)) & (fills == np.floor(fills)) | np.isinf(near)] = 0.0
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        same = (np.abs(row - fills) <= near) | (row == fills) | (np.isnan(row) & np.isnan(fills))
    moved = (~same).any(axis=0)
    moved = moved.reshape(*players.shape, -1).any(axis=-1)
    member = players >= 0
    return np.asarray(np.bincount(players[member], weights=moved[member]) == 0)
