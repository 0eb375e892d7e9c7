"""Maps over images: heat maps and superpixels, beside the original."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution
from workbench.core.student import give_or_take
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.paper import new_figure
from workbench.draw.style import (
    FAINT,
    INK,
    ONE_SIGNED,
    SIGNED,
    account,
    byline,
    headline,
    number,
    plain,
    unit_in_words,
    wrapped,
)
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


def heatmap(
    attribution: Attribution, row: int = 0, *, opacity: float = 0.6, original: bool = True
) -> Figure:
    """One image under its map, beside the original.

    Signed maps have diverging colors with zero in the middle (red raises, blue lowers, white is zero).
    Other maps have sequential colors from zero (dark) to the largest value (bright). Nothing is
    normalized: the color bar is in the values' unit, and its range is the largest size in this image.

    Args:
        attribution: of image rows.
        row: which of its rows.
        opacity: of the map over the image, 0 to 1.
        original: show the bare image beside it.
    """
    values = attribution.maps()[row]
    return _overlay(attribution, row, values, opacity, original=original, borders=None)


def superpixels(
    attribution: Attribution, row: int = 0, *, opacity: float = 0.6, original: bool = True
) -> Figure:
    """One image with each superpixel colored by its credit, with the borders drawn.

    Args: as for `heatmap`.

    Raises:
        InputError: the method credited pixels, not superpixels.
    """
    players = _players(attribution)[row]
    values = attribution.maps()[row]
    return _overlay(attribution, row, values, opacity, original=original, borders=outlines(players))


def heatmap_text(attribution: Attribution, row: int = 0) -> str:
    """The map in words: where its highest and lowest places are, and how concentrated it is."""
    values = attribution.maps()[row]
    h, w = values.shape
    top, bottom = (np.unravel_index(f(values), values.shape) for f in (np.argmax, np.argmin))
    total = np.abs(values).sum()
    tenth = np.sort(np.abs(values).ravel())[::-1][: max(1, values.size // 10)].sum()
    share = f"{tenth / total:.0%}" if total else "none"
    return "\n".join(
        [
            headline(attribution, row),
            f"{byline(attribution)}, {h} x {w} pixels, in {attribution.scale}",
            f"  highest {number(float(values.max()))} at {place_words(top, h, w)}",
            f"  lowest  {number(float(values.min()))} at {place_words(bottom, h, w)}",
            f"  the strongest tenth of the pixels holds {share} of the map",
            account(attribution, row),
        ]
    )


def superpixels_text(attribution: Attribution, row: int = 0, *, top: int = 8) -> str:
    """The superpixels as aligned text: number, place, credit and error, largest first."""
    players = _players(attribution)[row]
    credit, half = attribution.by_player(row), attribution.half_width_by_player(row)
    h, w = players.shape
    lines = [headline(attribution, row), f"{byline(attribution)}, in {attribution.scale}"]
    for j in np.argsort(-np.abs(credit), kind="stable")[:top]:
        inside = np.argwhere(players == j)
        if len(inside) == 0:
            continue
        spread = f"  {give_or_take(half[j])}" if half is not None else ""
        center = tuple(int(c) for c in inside.mean(axis=0))
        lines.append(
            f"  {j:>4}  {place_words(center, h, w):<34}  {number(float(credit[j])):>9}{spread}"
        )
    lines.append(account(attribution, row))
    return "\n".join(lines)


def _players(attribution: Attribution) -> NDArray[np.intp]:
    if not attribution.inputs.of_kind.planar or attribution.players is None:
        raise InputError(
            f"superpixels needs credit per superpixel, but {type(attribution.method).__name__} gives none "
            "on these rows. Use heatmap or bars."
        )
    return attribution.players


def _overlay(
    attribution: Attribution,
    row: int,
    values: Array,
    opacity: float,
    *,
    original: bool,
    borders: NDArray[np.bool_] | None,
) -> Figure:
    check_opacity(opacity)
    image, note = rgb(attribution.inputs.values[row])
    reach = float(np.abs(values).max()) or 1.0
    one_signed = bool((values >= 0).all() and values.any() and _never_negative(attribution))
    colors = colored(ONE_SIGNED if one_signed else SIGNED, 0.0 if one_signed else -reach, reach)
    with RENDER_LOCK:
        h, w = values.shape
        panel = 3.1
        tall = float(np.clip(panel * h / w, 1.2, 6.0))
        say = heatmap_text if borders is None else superpixels_text
        words = say(attribution, row)
        figure = new_figure(panel * (2 if original else 1) + 1.3, tall + 1.05, words)
        slots = figure.subplots(1, 2 if original else 1, squeeze=False)[0]
        if original:
            slots[0].imshow(image, interpolation="nearest")
            slots[0].set_title("original" + note, fontsize=9, color=FAINT, parse_math=False)
        shown = laid_over(image, colors.to_rgba(values), opacity, borders)
        slots[-1].imshow(shown, interpolation="nearest")
        slots[-1].set_title(
            account(attribution, row), fontsize=8, color=FAINT, parse_math=False, wrap=True
        )
        for slot in slots:
            slot.set_xticks([])
            slot.set_yticks([])
            for spine in slot.spines.values():
                spine.set_visible(False)
        color_key(figure, colors, slots[-1:], unit_in_words(attribution), pad=0.03, aspect=20)
        figure.suptitle(
            f"{headline(attribution, row)}\n{wrapped(byline(attribution), 80 if original else 48)}",
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        return figure


def _never_negative(attribution: Attribution) -> bool:
    return bool((attribution.values >= 0).all())


def check_opacity(opacity: float) -> None:
    """Refuse an opacity out of range.

    Raises:
        InputError: it lies outside 0 … 1.
    """
    if not 0 <= opacity <= 1:
        raise InputError(f"opacity must lie in 0 … 1, but is {opacity!r}. Choose 0.6.")


def colored(name: str, low: float, high: float) -> Any:
    """The colors of this map, from `low` to `high`."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(low, high), name)


def laid_over(
    image: Array, colors: Array, opacity: float, borders: NDArray[np.bool_] | None
) -> Array:
    """The gray image under a map's colors `(h, w, 4)`, darker on the borders."""
    shown = (1 - opacity) * gray(image) + opacity * colors[..., :3]
    if borders is not None:
        shown = np.where(borders[..., None], 0.55 * shown, shown)
    return np.asarray(np.clip(shown, 0, 1), dtype=np.float64)


def borders_of(attribution: Attribution, row: int) -> NDArray[np.bool_] | None:
    """Where one superpixel ends and the next begins; None for credit of single pixels."""
    if attribution.has_superpixels and attribution.players is not None:
        return outlines(attribution.players[row])
    return None


def color_key(
    figure: Any, colors: Any, slots: Any, unit: str, *, pad: float = 0.02, aspect: float = 24
) -> None:
    """The color bar beside its pictures."""
    bar = figure.colorbar(colors, ax=slots, fraction=0.05, pad=pad, aspect=aspect)
    bar.ax.tick_params(labelsize=8, length=0, colors=INK)
    bar.set_label(unit, fontsize=8, color=FAINT)
    bar.outline.set_visible(False)


def head(slot: Any, text: str, *, size: float = 9, strong: bool = False) -> None:
    """The heading of one of several pictures."""
    slot.set_title(
        text, fontsize=size, color=INK if strong else FAINT, parse_math=False,
        fontweight="bold" if strong else "normal",
    )  # fmt: skip


def bare(slot: Any) -> None:
    """No ticks and no frame around a picture."""
    slot.set_xticks([])
    slot.set_yticks([])
    slot.set_frame_on(False)


def rgb(image: NDArray[Any]) -> tuple[Array, str]:
    """Any image as RGB in [0, 1], and a note on how it was changed for that."""
    note = ""
    array = np.asarray(image, dtype=np.float64)
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        array = (array - low) / ((high - low) or 1.0)
        note = f" (rescaled from {plain(low)} … {plain(high)})"
    if array.shape[2] == 4:
        alpha = array[..., 3:]
        array = array[..., :3] * alpha + (1 - alpha)
    if array.shape[2] not in (1, 3):
        array = array.mean(axis=2, keepdims=True)
        note += " (mean of channels)"
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array, note


def gray(image: Array) -> Array:
    """The image in gray and lightened, so that all colors are the map's."""
    luminance = image @ np.array([0.299, 0.587, 0.114])
    return np.repeat((0.15 + 0.85 * luminance)[..., None], 3, axis=2)


def outlines(players: NDArray[np.intp]) -> NDArray[np.bool_]:
    """True where a pixel's left or upper neighbor belongs to another player `(h, w)`."""
    edge = np.zeros(players.shape, dtype=bool)
    edge[:, 1:] |= players[:, 1:] != players[:, :-1]
    edge[1:] |= players[1:] != players[:-1]
    return edge


def place_words(place: tuple[Any, ...], h: int, w: int) -> str:
    """A place of an image in words, with its third of the height and of the width."""
    row, column = round(float(place[0])), round(float(place[1]))  # as tables round it
    down = ("upper", "middle", "lower")[min(2, 3 * row // h)]
    across = ("left", "center", "right")[min(2, 3 * column // w)]
    return f"row {row}, column {column} ({down} {across})"
