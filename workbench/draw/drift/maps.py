"""One image for a model and its copies: their maps on one scale, and what differs on one of its own."""

from __future__ import annotations

from collections.abc import Sequence
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
from workbench.draw.images import gray, outlines, place_words, rgb
from workbench.draw.paper import new_figure
from workbench.draw.style import FAINT, INK, ONE_SIGNED, SIGNED, UNITS, number
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

DIFFERENCE = "PuOr_r"
"""Color map of differences: diverging, color-blind safe, and not the one of the values."""

NAME = 26


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
    same_rows(reference, copies, maps=True)
    if not 0 <= opacity <= 1:
        raise InputError(f"opacity must lie in 0 … 1, but is {opacity!r}. Choose 0.6.")
    shown = tuple(copies)[:MOST]
    maps = [one.maps()[row] for one in (reference, *shown)]
    apart = [values - maps[0] for values in maps[1:]]
    image, note = rgb(reference.inputs.values[row])
    signed = any((one.values < 0).any() for one in (reference, *shown))
    top = _reach(maps)
    words = copy_maps_text(reference, copies, row)
    said = conventions(shown, reference)
    called = shown_as(reference, shown, NAME)
    across = len(shown) + 1
    with RENDER_LOCK:
        h, w = image.shape[:2]
        tall = float(np.clip(1.9 * h / w, 0.9, 4.0))
        figure = new_figure(1.9 * across + 1.4, 2 * tall + 1.6 + 0.16 * len(said), words)
        slots: Any = figure.subplots(2, across, squeeze=False)
        for slot in slots.ravel():
            slot.set_xticks([])
            slot.set_yticks([])
            slot.set_frame_on(False)
        values_key = _mapped(SIGNED if signed else ONE_SIGNED, -top if signed else 0.0, top)
        apart_key = _mapped(DIFFERENCE, -_reach(apart), _reach(apart))
        slots[1, 0].imshow(image, interpolation="nearest")
        _head(slots[1, 0], "original" + note)
        for slot, values, one in zip(slots[0], maps, (reference, *shown), strict=True):
            slot.imshow(_over(reference, row, image, values_key, values, opacity))
            _head(
                slot,
                f"{called[one.model]}\n{output_words(one, row)}",
                strong=one is reference,
            )
        for slot, values in zip(slots[1, 1:], apart, strict=True):
            slot.imshow(_over(reference, row, image, apart_key, values, opacity))
            _head(slot, f"differs by {relative(maps[0], maps[0] + values)}")
        for slot in slots.ravel():
            _truth(slot, reference, row)
        _key(figure, values_key, list(slots[0]), UNITS[reference.scale])
        _key(figure, apart_key, list(slots[1]), "copy − model")
        figure.suptitle(
            f"{pair_question(reference, row)}\n{pair_byline(reference, copies)}",
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        below = ["outlined: the pixels that decide"] if _known(reference, row) is not None else []
        figure.supxlabel("\n".join([*below, *said]), fontsize=8.5, color=FAINT, parse_math=False)
        return figure


def copy_maps_text(reference: Attribution, copies: Sequence[Attribution], row: int = 0) -> str:
    """The maps in words: where each is highest, how much lies on the deciding pixels, what differs."""
    same_rows(reference, copies, maps=True)
    shown = tuple(copies)[:MOST]
    called = shown_as(reference, shown, NAME)
    width = max(map(len, called.values()))
    first = reference.maps()[row]
    lines = [
        pair_question(reference, row),
        f"{pair_byline(reference, copies)}, in {reference.scale}",
    ]
    for one in (reference, *shown):
        values = one.maps()[row]
        told = (
            f"{output_words(one, row)}, highest {_where(values, values.max())}{_on_truth(one, row)}"
        )
        if one is not reference:
            apart = values - first
            told += f"; differs by {relative(first, values)}"
            if apart.any():
                largest = apart.flat[int(np.abs(apart).argmax())]
                told += f", most {_where(apart, largest)}"
        lines.append(f"  {called[one.model]:<{width}}  {told}")
    lines += conventions(shown, reference)
    return "\n".join(lines)


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


def _mapped(name: str, low: float, high: float) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(low, high), name)


def _over(
    attribution: Attribution, row: int, image: Array, colors: Any, values: Array, opacity: float
) -> Array:
    shown = (1 - opacity) * gray(image) + opacity * colors.to_rgba(values)[..., :3]
    if attribution.has_superpixels and attribution.players is not None:
        shown = np.where(outlines(attribution.players[row])[..., None], 0.55 * shown, shown)
    return np.asarray(np.clip(shown, 0, 1), dtype=np.float64)


def _head(slot: Any, text: str, *, strong: bool = False) -> None:
    slot.set_title(
        text, fontsize=8.5, color=INK if strong else FAINT, parse_math=False,
        fontweight="bold" if strong else "normal",
    )  # fmt: skip


def _key(figure: Any, colors: Any, slots: list[Any], unit: str) -> None:
    bar = figure.colorbar(colors, ax=slots, fraction=0.05, pad=0.02, aspect=18)
    bar.ax.tick_params(labelsize=8, length=0, colors=INK)
    bar.set_label(unit, fontsize=8, color=FAINT)
    bar.outline.set_visible(False)
