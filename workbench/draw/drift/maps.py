"""One image for a model and its copies: their maps on one scale, their differences on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.drift.pairs import (
    MOST,
    conventions,
    output_words,
    pair_byline,
    pair_question,
    relative,
    same_rows,
    shown_as,
)
from workbench.draw.images import (
    bare,
    borders_of,
    check_opacity,
    color_key,
    colored,
    head,
    laid_over,
    place_words,
    rgb,
)
from workbench.draw.paper import new_figure
from workbench.draw.style import FAINT, INK, ONE_SIGNED, SIGNED, UNITS, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

DIFFERENCE = "PuOr_r"
"""The color map of differences: diverging, color-blind safe, and not the color map of the values."""

NAME = 26

HEAD = 8.5
"""Points of the letters above a map."""


@dataclass(frozen=True)
class CopyMaps:
    """The maps `(h, w)` of the model and its copies, in order; copy minus model; and each one's label."""

    every: tuple[Attribution, ...]
    maps: list[Array]
    apart: list[Array]
    called: dict[str, str]
    notes: list[str]


def copy_maps(
    reference: Attribution,
    copies: Sequence[Attribution],
    row: int = 0,
    *,
    opacity: float = 0.6,
) -> Figure:
    """The model's map and each copy's on one scale; below them the image, and copy minus model.

    Differences have a scale of their own, zero in the middle. Where the deciding pixels are known, they
    are outlined. Nothing is normalized: a paler map is a weaker one.

    Args:
        reference: of image rows.
        copies: of the same rows by the same method; the first four are drawn.
        row: which of the rows.
        opacity: of the maps over the image, 0 to 1.

    Raises:
        InputError: the rows are no images, the studies differ, or the opacity is out of range.
    """
    found = _copy_maps(reference, copies, row)
    check_opacity(opacity)
    maps, apart, notes = found.maps, found.apart, found.notes
    image, note = rgb(reference.inputs.values[row])
    borders = borders_of(reference, row)
    signed = any((one.values < 0).any() for one in found.every)
    top = _reach(maps)
    words = _in_words(reference, copies, row, found)
    across = len(found.every)
    with RENDER_LOCK:
        h, w = image.shape[:2]
        tall = float(np.clip(1.9 * h / w, 0.9, 4.0))
        figure = new_figure(1.9 * across + 1.4, 2 * tall + 1.6 + 0.16 * len(notes), words)
        slots: Any = figure.subplots(2, across, squeeze=False)
        for slot in slots.ravel():
            bare(slot)
        values_key = colored(SIGNED if signed else ONE_SIGNED, -top if signed else 0.0, top)
        apart_key = colored(DIFFERENCE, -_reach(apart), _reach(apart))
        slots[1, 0].imshow(image, interpolation="nearest")
        head(slots[1, 0], "original" + note, size=HEAD)
        for slot, values, one in zip(slots[0], maps, found.every, strict=True):
            slot.imshow(laid_over(image, values_key.to_rgba(values), opacity, borders))
            words_above = f"{found.called[one.model]}\n{output_words(one, row)}"
            head(slot, words_above, size=HEAD, strong=one is reference)
        for slot, values, moved in zip(slots[1, 1:], apart, maps[1:], strict=True):
            slot.imshow(laid_over(image, apart_key.to_rgba(values), opacity, borders))
            head(slot, f"differs by {relative(maps[0], moved)}", size=HEAD)
        for slot in slots.ravel():
            _truth(slot, reference, row)
        color_key(figure, values_key, list(slots[0]), UNITS[reference.scale], aspect=18)
        color_key(figure, apart_key, list(slots[1]), "copy − model", aspect=18)
        figure.suptitle(
            f"{pair_question(reference, row)}\n{pair_byline(reference, copies)}",
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        below = ["outlined: the pixels that decide"] if _known(reference, row) is not None else []
        figure.supxlabel("\n".join([*below, *notes]), fontsize=8.5, color=FAINT, parse_math=False)
        return figure


def copy_maps_text(reference: Attribution, copies: Sequence[Attribution], row: int = 0) -> str:
    """The maps in words: where each is highest, its share on the deciding pixels, how copies differ."""
    return _in_words(reference, copies, row, _copy_maps(reference, copies, row))


def _copy_maps(reference: Attribution, copies: Sequence[Attribution], row: int) -> CopyMaps:
    same_rows(reference, copies, maps=True)
    shown = tuple(copies)[:MOST]
    maps = [one.maps()[row] for one in (reference, *shown)]
    return CopyMaps(
        every=(reference, *shown),
        maps=maps,
        apart=[values - maps[0] for values in maps[1:]],
        called=shown_as(reference, shown, NAME),
        notes=conventions(shown, reference),
    )


def _in_words(
    reference: Attribution, copies: Sequence[Attribution], row: int, found: CopyMaps
) -> str:
    width = max(map(len, found.called.values()))
    lines = [
        pair_question(reference, row),
        f"{pair_byline(reference, copies)}, in {reference.scale}",
    ]
    for one, values, apart in zip(found.every, found.maps, (None, *found.apart), strict=True):
        words = (
            f"{output_words(one, row)}, highest {_where(values, values.max())}{_on_truth(one, row)}"
        )
        if apart is not None:
            words += f"; differs by {relative(found.maps[0], values)}"
            if apart.any():
                largest = apart.flat[int(np.abs(apart).argmax())]
                words += f", most {_where(apart, largest)}"
        lines.append(f"  {found.called[one.model]:<{width}}  {words}")
    return "\n".join([*lines, *found.notes])


def _reach(maps: list[Array]) -> float:
    return max(float(np.abs(values).max()) for values in maps) or 1.0


def _where(values: Array, value: float) -> str:
    place = np.unravel_index(int((values == value).argmax()), values.shape)
    return f"{number(float(value))} at {place_words(place, *values.shape)}"


def _known(attribution: Attribution, row: int) -> NDArray[np.bool_] | None:
    """The deciding pixels of a row, where they are known and there are any."""
    truth = attribution.inputs.truth
    if truth is None:
        return None
    mask = np.asarray(truth[row], dtype=bool)
    return mask if mask.any() and mask.shape == attribution.maps()[row].shape else None


def _on_truth(attribution: Attribution, row: int) -> str:
    mask = _known(attribution, row)
    raised = np.clip(attribution.maps()[row], 0, None)
    if mask is None or not raised.any():
        return ""
    return f", {raised[mask].sum() / raised.sum():.0%} of what raises it on the deciding pixels"


def _truth(slot: Any, attribution: Attribution, row: int) -> None:
    mask = _known(attribution, row)
    if mask is not None and not mask.all():
        for width, color in ((2.4, "black"), (1.1, "white")):
            slot.contour(mask.astype(float), levels=[0.5], colors=color, linewidths=width)
