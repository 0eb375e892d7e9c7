"""Credit in a volume: the three slices through the place of the largest credit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution
from workbench.core.student import give_or_take
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.images import (
    bare,
    check_opacity,
    color_key,
    colored,
    head,
    laid_over,
    outlines,
    rgb,
)
from workbench.draw.paper import new_figure
from workbench.draw.style import (
    INK,
    ONE_SIGNED,
    SIGNED,
    UNITS,
    account,
    byline,
    headline,
    number,
    wrapped,
)
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AXES = "zyx"


def slices(
    attribution: Attribution, row: int = 0, *, opacity: float = 0.6, original: bool = True
) -> Figure:
    """One volume's slices across z, y and x, through the place of the largest credit, each under its map.

    Colors are those of `heatmap`; their range is that of the whole volume. Segments are outlined.

    Args:
        attribution: of volume rows.
        row: which of its rows.
        opacity: of the map over the slice, 0 to 1.
        original: show the bare slices above.

    Raises:
        InputError: the rows are no volumes, or the opacity is out of range.
    """
    check_opacity(opacity)
    values, place = _values(attribution, row)
    volume = attribution.inputs.values[row]
    d, h, w, c = volume.shape
    flat, note = rgb(volume.reshape(d * h, w, c))  # one scale of gray for the whole volume
    shown = flat.reshape(d, h, w, 3)
    owners = attribution.owners(row)
    reach = float(np.abs(values).max()) or 1.0
    one_signed = bool((values >= 0).all() and values.any() and (attribution.values >= 0).all())
    colors = colored(ONE_SIGNED if one_signed else SIGNED, 0.0 if one_signed else -reach, reach)
    with RENDER_LOCK:
        words = slices_text(attribution, row)
        down = 2 if original else 1
        figure = new_figure(8.2, 2.5 * down + 1.0, words)
        slots: Any = figure.subplots(down, 3, squeeze=False)
        for axis, at in enumerate(place):
            image, map_ = np.take(shown, at, axis=axis), np.take(values, at, axis=axis)
            borders = None if owners is None else outlines(np.take(owners, at, axis=axis))
            name = f"{_AXES[axis]} = {at}"
            if original:
                slots[0, axis].imshow(image, interpolation="nearest")
                head(slots[0, axis], f"{name}{note}")
            laid = laid_over(image, colors.to_rgba(map_), opacity, borders)
            slots[-1, axis].imshow(laid, interpolation="nearest")
            if not original:
                head(slots[-1, axis], name)
            across = [one for k, one in enumerate(_AXES) if k != axis]
            slots[-1, axis].set_xlabel(f"{across[1]} to the right, {across[0]} down", fontsize=7.5)
        for slot in slots.ravel():
            bare(slot)
        color_key(figure, colors, list(slots.ravel()), UNITS[attribution.scale])
        figure.suptitle(
            f"{headline(attribution, row)}\n{wrapped(byline(attribution), 80)}\n"
            f"{account(attribution, row)}",
            x=0.02, ha="left", fontsize=10, color=INK, parse_math=False,
        )  # fmt: skip
        return figure


def slices_text(attribution: Attribution, row: int = 0, *, top: int = 8) -> str:
    """The volume in words: its segments, largest credit first; or where its map is highest and lowest."""
    values, place = _values(attribution, row)
    size = " x ".join(map(str, values.shape))
    lines = [
        headline(attribution, row),
        f"{byline(attribution)}, {size} voxels, in {attribution.scale}",
        f"  shown: the slices {_at(place)}",
    ]
    if attribution.players is not None:
        credit, half = attribution.by_player(row), attribution.half_width_by_player(row)
        inputs = attribution.inputs
        where = inputs.of_kind.where(inputs, row, attribution.names, attribution.owners(row))
        for j in np.argsort(-np.abs(credit), kind="stable")[:top]:
            if where[j]:
                spread = "" if half is None else f"  {give_or_take(half[j])}"
                lines.append(f"  {where[j]:<28}  {number(float(credit[j])):>9}{spread}")
    else:
        for what, at in (("highest", values.argmax()), ("lowest ", values.argmin())):
            found = tuple(int(one) for one in np.unravel_index(int(at), values.shape))
            lines.append(f"  {what} {number(float(values[found]))} at {_at(found)}")
        sizes = np.sort(np.abs(values).ravel())[::-1]
        total = sizes.sum()
        share = f"{sizes[: max(1, sizes.size // 10)].sum() / total:.0%}" if total else "none"
        lines.append(f"  the strongest tenth of the voxels holds {share} of the map")
    return "\n".join([*lines, account(attribution, row)])


def _values(attribution: Attribution, row: int) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """The map `(d, h, w)`, and the place of its largest size; the middle of those where there are many."""
    if attribution.inputs.of_kind.spatial != 3:
        raise InputError(
            f"This picture is of volumes, but these rows are {attribution.inputs.kind}. Use picture."
        )
    values = attribution.maps()[row]
    sizes = np.abs(values)
    largest = np.argwhere(sizes == sizes.max())
    nearest = ((largest - largest.mean(axis=0)) ** 2).sum(axis=1).argmin()
    return values, tuple(int(one) for one in largest[nearest])


def _at(place: tuple[int, ...]) -> str:
    return ", ".join(f"{axis} {at}" for axis, at in zip(_AXES, place, strict=True))
