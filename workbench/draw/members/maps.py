"""One image for an ensemble: every member's map on one scale, and where the members are unsure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.compare import CONSENSUS, Disagreement
from workbench.draw.canvas import RENDER_LOCK
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
from workbench.draw.members.words import (
    chosen,
    heading,
    mean_label,
    member_label,
    times,
    verdict,
)
from workbench.draw.paper import new_figure
from workbench.draw.style import FAINT, INK, ONE_SIGNED, SIGNED, UNITS, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workbench.draw.figure import Picture

Array = NDArray[np.float64]

PANELS = 10
"""The most members with a map of their own beside the image and the ensemble."""

FAINTLY = 0.1
"""Places where members' values are below this share of the picture's largest are not hatched: the sign of
so small a value means nothing."""


@dataclass(frozen=True)
class MemberMaps:
    """The maps `(h, w)` of the weighted mean and each shown member, with their names; and the heading."""

    named: list[tuple[str, Array]]
    heading: tuple[str, str]


@dataclass(frozen=True)
class SpreadMap:
    """The weighted mean and SD at each place `(h, w)`, and where members differ on the sign."""

    mean: Array
    spread: Array
    doubtful: NDArray[np.bool_]


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
    shown = _member_maps(found, row)
    image, note = _image(found, row, opacity)
    borders = borders_of(found.members.parts[0], row)
    count = len(shown.named) + 1
    # One line of up to four, else two lines or three of equal length.
    down = -(-count // 4)
    across = -(-count // down)
    with RENDER_LOCK:
        figure, slots = _tiles(image, down, across, _members_in_words(found, row, shown))
        colors = _scale(found, [values for _, values in shown.named])
        slots[0].imshow(image, interpolation="nearest")
        head(slots[0], "original" + note)
        for at, (name, values) in enumerate(shown.named):
            seen = laid_over(image, colors.to_rgba(values), opacity, borders)
            slots[1 + at].imshow(seen, interpolation="nearest")
            head(slots[1 + at], name, strong=at == 0)
        color_key(figure, colors, slots[:count], UNITS[found.members.scale])
        _top(figure, shown.heading, verdict(found, row))
        return figure


def spread_map(found: Disagreement, row: int = 0, *, opacity: float = 0.6) -> Figure:
    """The image, the weighted mean's map, and the weighted SD over members at each place.

    The mean is hatched where less than 75 % of the weight has its sign, unless the members' values there
    are below a tenth of the largest. Both scales end at the same number, so the brightest spread is as
    large as the largest value.

    Args: as for `member_maps`.
    """
    shown = _spread_map(found, row)
    mean, spread = shown.mean, shown.spread
    image, note = _image(found, row, opacity)
    borders = borders_of(found.members.parts[0], row)
    with RENDER_LOCK:
        figure, slots = _tiles(image, 1, 3, _spread_in_words(found, row, shown))
        reach = max(float(np.abs(mean).max()), float(spread.max())) or 1.0
        signed = _scale(found, [mean], reach)
        size = colored(ONE_SIGNED, 0.0, reach)
        slots[0].imshow(image, interpolation="nearest")
        head(slots[0], "original" + note)
        slots[1].imshow(
            laid_over(image, signed.to_rgba(mean), opacity, borders), interpolation="nearest"
        )
        if shown.doubtful.any():
            slots[1].contourf(
                shown.doubtful.astype(float), levels=[0.5, 1.5], colors="none", hatches=["////"]
            )
        head(slots[1], "mean of members" if found.members.summed else "weighted mean", strong=True)
        slots[2].imshow(
            laid_over(image, size.to_rgba(spread), opacity, borders), interpolation="nearest"
        )
        head(slots[2], "spread (weighted SD)", strong=True)
        color_key(figure, signed, slots[1:2], UNITS[found.members.scale])
        color_key(figure, size, slots[2:3], UNITS[found.members.scale])
        _top(
            figure,
            heading(found, row),
            f"{verdict(found, row)} · hatched: less than {CONSENSUS:.0%} of the weight has the mean's sign",
        )
        return figure


def member_maps_text(found: Disagreement, row: int = 0) -> str:
    """The maps in words: where each is highest and lowest."""
    return _members_in_words(found, row, _member_maps(found, row))


def spread_map_text(found: Disagreement, row: int = 0) -> str:
    """The two maps in words: where mean and spread are largest, and how much of the image is hatched."""
    return _spread_in_words(found, row, _spread_map(found, row))


def _member_maps(found: Disagreement, row: int) -> MemberMaps:
    members = chosen(found, PANELS)
    named = [(mean_label(found), found.members.shaped(times(found) * found.mean[row], row))]
    named += [
        (member_label(found, k), found.members.shaped(found.members.credit[k, row], row))
        for k in members
    ]
    return MemberMaps(named, heading(found, row, members))


def _members_in_words(found: Disagreement, row: int, shown: MemberMaps) -> str:
    width = max(len(name) for name, _ in shown.named)
    question, who = shown.heading
    lines = [question, f"{who}, in {found.members.scale}"]
    for name, values in shown.named:
        lines.append(
            f"  {name:<{width}}  highest {_where(values, np.argmax)}, lowest {_where(values, np.argmin)}"
        )
    lines.append(verdict(found, row))
    return "\n".join(lines)


def _spread_map(found: Disagreement, row: int) -> SpreadMap:
    size = np.sqrt(found.mean[row] ** 2 + found.spread[row] ** 2)
    doubtful = ~found.agreed[row] & (size >= FAINTLY * size.max())
    return SpreadMap(
        mean=found.members.shaped(found.mean[row], row),
        spread=found.members.shaped(found.spread[row], row),
        doubtful=found.members.shaped(doubtful.astype(np.float64), row) > 0,
    )


def _spread_in_words(found: Disagreement, row: int, shown: SpreadMap) -> str:
    question, who = heading(found, row)
    return "\n".join(
        [
            question,
            f"{who}, in {found.members.scale}",
            f"  mean    highest {_where(shown.mean, np.argmax)}",
            f"  spread  largest {_where(shown.spread, np.argmax)}",
            f"  members differ on the sign on {shown.doubtful.mean():.0%} of the image",
            verdict(found, row),
        ]
    )


def _where(values: Array, pick: Any) -> str:
    h, w = values.shape
    place = np.unravel_index(pick(values), values.shape)
    return f"{number(float(values[place]))} at {place_words(place, h, w)}"


def _image(found: Disagreement, row: int, opacity: float) -> tuple[Array, str]:
    check_opacity(opacity)
    return rgb(found.members.parts[0].inputs.values[row])


def _tiles(image: Array, down: int, across: int, words: str) -> tuple[Picture, list[Any]]:
    h, w = image.shape[:2]
    side = 2.3
    tall = float(np.clip(side * h / w, 1.0, 4.5))
    figure = new_figure(side * across + 1.2, (tall + 0.3) * down + 0.85, words)
    slots = list(figure.subplots(down, across, squeeze=False).ravel())
    for slot in slots:
        bare(slot)
    return figure, slots


def _scale(found: Disagreement, maps: list[Array], reach: float | None = None) -> Any:
    """One scale for all maps: zero in the middle, or at the lower end where no value is negative."""
    top = reach or max(float(np.abs(values).max()) for values in maps) or 1.0
    if bool((found.members.credit >= 0).all()):
        return colored(ONE_SIGNED, 0.0, top)
    return colored(SIGNED, -top, top)


def _top(figure: Any, above: tuple[str, str], below: str) -> None:
    figure.suptitle("\n".join(above), x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False)
    figure.supxlabel(below, fontsize=9, color=FAINT, parse_math=False)
