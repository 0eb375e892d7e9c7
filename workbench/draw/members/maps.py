"""One image for an ensemble: every member's map on one scale, and where the members are unsure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.compare import CONSENSUS, Disagreement
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.images import gray, outlines, place_words, rgb
from workbench.draw.members.words import (
    answerers,
    chosen,
    left_out,
    mean_label,
    member_label,
    question,
    verdict,
)
from workbench.draw.paper import new_figure
from workbench.draw.style import FAINT, INK, ONE_SIGNED, SIGNED, UNITS, number
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workbench.draw.figure import Picture

Array = NDArray[np.float64]

PANELS = 10
"""Members that get a map of their own beside the image and the ensemble."""

FAINTLY = 0.1
"""Places where members say less than this share of the picture's largest value are not hatched: there the
sign is of nothing."""


def member_maps(found: Disagreement, row: int = 0, *, opacity: float = 0.6) -> Figure:
    """The image, the weighted mean's map and each member's, all on one scale in the values' unit.

    The mean is headed "the ensemble" where it is the ensemble's own explanation.

    Args:
        found: members of image rows.
        row: which of their rows.
        opacity: of the maps over the image, 0 to 1.

    Raises:
        InputError: the rows are no images, or the opacity is out of range.
    """
    members = chosen(found, PANELS)
    mean = found.members.shaped(found.mean[row], row)
    maps = [mean, *(found.members.shaped(found.members.credit[k, row], row) for k in members)]
    heads = [mean_label(found), *(member_label(found, k) for k in members)]
    image, note = _image(found, row, opacity)
    count = len(maps) + 1
    # One line of up to four, else two lines or three of equal length.
    down = -(-count // 4)
    across = -(-count // down)
    with RENDER_LOCK:
        figure, slots = _tiles(image, down, across, member_maps_text(found, row))
        colors = _scale(found, maps)
        slots[0].imshow(image, interpolation="nearest")
        _head(slots[0], "original" + note)
        for slot, values, head in zip(slots[1:count], maps, heads, strict=True):
            slot.imshow(
                _over(found, row, image, colors.to_rgba(values), opacity), interpolation="nearest"
            )
            _head(slot, head, strong=values is mean)
        _key(figure, colors, slots[:count], UNITS[found.members.scale])
        _top(
            figure,
            question(found, row),
            f"{answerers(found)}{left_out(found, members)}",
            verdict(found, row),
        )
        return figure


def spread_map(found: Disagreement, row: int = 0, *, opacity: float = 0.6) -> Figure:
    """The image, the weighted mean's map, and the weighted SD over members at each place.

    The mean is hatched where less than 75 % of the weight has its sign, as far as members say a tenth of
    the largest value there. Both scales end at the same number, so a spread as bright as can be is as
    large as the largest value.

    Args: as for `member_maps`.
    """
    mean = found.members.shaped(found.mean[row], row)
    spread = found.members.shaped(found.spread[row], row)
    doubtful = _doubtful(found, row)
    image, note = _image(found, row, opacity)
    with RENDER_LOCK:
        figure, slots = _tiles(image, 1, 3, spread_map_text(found, row))
        reach = max(float(np.abs(mean).max()), float(spread.max())) or 1.0
        signed = _scale(found, [mean], reach)
        size = _mapped(ONE_SIGNED, 0.0, reach)
        slots[0].imshow(image, interpolation="nearest")
        _head(slots[0], "original" + note)
        slots[1].imshow(
            _over(found, row, image, signed.to_rgba(mean), opacity), interpolation="nearest"
        )
        if doubtful.any():
            slots[1].contourf(
                doubtful.astype(float), levels=[0.5, 1.5], colors="none", hatches=["////"]
            )
        _head(slots[1], "weighted mean", strong=True)
        slots[2].imshow(
            _over(found, row, image, size.to_rgba(spread), opacity), interpolation="nearest"
        )
        _head(slots[2], "spread (weighted SD)", strong=True)
        _key(figure, signed, slots[1:2], UNITS[found.members.scale])
        _key(figure, size, slots[2:3], UNITS[found.members.scale])
        _top(
            figure,
            question(found, row),
            answerers(found),
            f"{verdict(found, row)} · hatched: less than {CONSENSUS:.0%} of the weight has the mean's sign",
        )
        return figure


def member_maps_text(found: Disagreement, row: int = 0) -> str:
    """The maps in words: where each is highest and lowest."""
    members = chosen(found, PANELS)
    named = [(mean_label(found), found.mean[row])]
    named += [(member_label(found, k), found.members.credit[k, row]) for k in members]
    width = max(len(name) for name, _ in named)
    lines = [
        question(found, row),
        f"{answerers(found)}{left_out(found, members)}, in {found.members.scale}",
    ]
    for name, credit in named:
        values = found.members.shaped(credit, row)
        lines.append(
            f"  {name:<{width}}  highest {_where(values, np.argmax)}, lowest {_where(values, np.argmin)}"
        )
    lines.append(verdict(found, row))
    return "\n".join(lines)


def spread_map_text(found: Disagreement, row: int = 0) -> str:
    """The two maps in words: where the mean and the spread are largest, and how much is doubtful."""
    mean = found.members.shaped(found.mean[row], row)
    spread = found.members.shaped(found.spread[row], row)
    return "\n".join(
        [
            question(found, row),
            f"{answerers(found)}, in {found.members.scale}",
            f"  mean    highest {_where(mean, np.argmax)}",
            f"  spread  largest {_where(spread, np.argmax)}",
            f"  members differ on the sign on {_doubtful(found, row).mean():.0%} of the image",
            verdict(found, row),
        ]
    )


def _doubtful(found: Disagreement, row: int) -> NDArray[np.bool_]:
    said = np.sqrt(found.mean[row] ** 2 + found.spread[row] ** 2)
    doubtful = ~found.agreed[row] & (said >= FAINTLY * said.max())
    return found.members.shaped(doubtful.astype(np.float64), row) > 0


def _where(values: Array, pick: Any) -> str:
    h, w = values.shape
    place = np.unravel_index(pick(values), values.shape)
    return f"{number(float(values[place]))} at {place_words(place, h, w)}"


def _image(found: Disagreement, row: int, opacity: float) -> tuple[Array, str]:
    if not 0 <= opacity <= 1:
        raise InputError(f"opacity must lie in 0 … 1, but is {opacity!r}.")
    return rgb(found.members.parts[0].inputs.values[row])


def _tiles(image: Array, down: int, across: int, words: str) -> tuple[Picture, list[Any]]:
    h, w = image.shape[:2]
    side = 2.3
    tall = float(np.clip(side * h / w, 1.0, 4.5))
    figure = new_figure(side * across + 1.2, (tall + 0.3) * down + 0.85, words)
    slots = list(figure.subplots(down, across, squeeze=False).ravel())
    for slot in slots:
        slot.set_xticks([])
        slot.set_yticks([])
        slot.set_frame_on(False)
    return figure, slots


def _scale(found: Disagreement, maps: list[Array], reach: float | None = None) -> Any:
    """One scale for all maps: zero in the middle, or from zero where no member is ever negative."""
    top = reach or max(float(np.abs(values).max()) for values in maps) or 1.0
    if bool((found.members.credit >= 0).all()):
        return _mapped(ONE_SIGNED, 0.0, top)
    return _mapped(SIGNED, -top, top)


def _mapped(name: str, low: float, high: float) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(low, high), name)


def _over(found: Disagreement, row: int, image: Array, colors: Array, opacity: float) -> Array:
    shown = (1 - opacity) * gray(image) + opacity * colors[..., :3]
    part = found.members.parts[0]
    if part.has_superpixels and part.players is not None:
        shown = np.where(outlines(part.players[row])[..., None], 0.55 * shown, shown)
    return np.clip(shown, 0, 1)


def _head(slot: Any, text: str, *, strong: bool = False) -> None:
    slot.set_title(
        text, fontsize=9, color=INK if strong else FAINT, parse_math=False,
        fontweight="bold" if strong else "normal",
    )  # fmt: skip


def _key(figure: Any, colors: Any, slots: list[Any], unit: str) -> None:
    bar = figure.colorbar(colors, ax=slots, fraction=0.05, pad=0.02, aspect=24)
    bar.ax.tick_params(labelsize=8, length=0, colors=INK)
    bar.set_label(unit, fontsize=8, color=FAINT)
    bar.outline.set_visible(False)


def _top(figure: Any, first: str, second: str, third: str) -> None:
    figure.suptitle(
        f"{first}\n{second}", x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False
    )
    figure.supxlabel(third, fontsize=9, color=FAINT, parse_math=False)
