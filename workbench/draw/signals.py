"""Credit over time: a signal's lines over a band of colors, one strip for each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution
from workbench.core.student import give_or_take
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.images import check_opacity, color_key, colored, head
from workbench.draw.paper import new_figure
from workbench.draw.style import (
    FAINT,
    GRID,
    INK,
    ONE_SIGNED,
    SIGNED,
    UNITS,
    account,
    byline,
    headline,
    number,
    plain,
    wrapped,
)
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

MOST_CHANNELS = 12
"""So many channels of a signal are drawn: those with the most credit."""


def band(
    attribution: Attribution, row: int = 0, *, opacity: float = 0.6, original: bool = True
) -> Figure:
    """One signal over its credit: behind each channel's line, the color of each sample's credit.

    Red raises, blue lowers, white is zero; credit of one sign has colors from dark (zero) to bright. Where
    credit is to whole samples or segments, all channels have the same band. Of many channels the
    `MOST_CHANNELS` with the most credit are drawn. Nothing is normalized: the color bar is in the values'
    unit, and its range is the largest size in this signal.

    Args:
        attribution: of signal rows.
        row: which of its rows.
        opacity: of the band behind the line, 0 to 1.
        original: draw the line; without it, the band alone.

    Raises:
        InputError: the rows are no signals, or the opacity is out of range.
    """
    check_opacity(opacity)
    credit, signal = _credit(attribution, row), attribution.inputs.values[row]
    shown = _channels(credit)
    reach = float(np.abs(credit).max()) or 1.0
    one_signed = bool((credit >= 0).all() and credit.any() and (attribution.values >= 0).all())
    colors = colored(ONE_SIGNED if one_signed else SIGNED, 0.0 if one_signed else -reach, reach)
    edges = _edges(attribution, row)
    with RENDER_LOCK:
        words = band_text(attribution, row)
        figure = new_figure(7.2, 1.15 + max(1.4, 0.75 * len(shown)), words)
        slots = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
        for slot, channel in zip(slots, shown, strict=True):
            line = signal[:, channel]
            low, high = float(line.min()), float(line.max())
            rim = 0.08 * (high - low) or 1.0
            extent = (-0.5, len(line) - 0.5, low - rim, high + rim)
            slot.imshow(
                colors.to_rgba(credit[None, :, channel])[..., :3],
                alpha=opacity, aspect="auto", extent=extent, interpolation="nearest", origin="lower",
            )  # fmt: skip
            for edge in edges:
                slot.axvline(edge, color=FAINT, linewidth=0.6, alpha=0.7)
            if original:
                marker = "o" if len(line) == 1 else ""
                slot.plot(np.arange(len(line)), line, color=INK, linewidth=1.1, marker=marker)
            slot.set_xlim(extent[:2])
            slot.set_ylim(extent[2:])
            if signal.shape[1] > 1:
                slot.set_ylabel(f"channel {channel}", fontsize=8, color=FAINT)
            slot.tick_params(labelsize=8, length=0, colors=INK)
            for spine in slot.spines.values():
                spine.set_color(GRID)
        head(slots[0], account(attribution, row) + _left_out(credit), size=8)
        slots[-1].set_xlabel("sample", fontsize=8, color=FAINT)
        color_key(figure, colors, list(slots), UNITS[attribution.scale], pad=0.02, aspect=20)
        figure.suptitle(
            f"{headline(attribution, row)}\n{wrapped(byline(attribution), 80)}",
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        return figure


def band_text(attribution: Attribution, row: int = 0, *, top: int = 8) -> str:
    """The band in words: its segments, largest credit first; or where it is highest and lowest."""
    credit = _credit(attribution, row)
    t, c = credit.shape
    lines = [
        headline(attribution, row),
        f"{byline(attribution)}, {t} samples, {c} channel{'s' * (c > 1)}, in {attribution.scale}",
    ]
    if attribution.players is not None:
        values, half = attribution.by_player(row), attribution.half_width_by_player(row)
        for j in np.argsort(-np.abs(values), kind="stable")[:top]:
            spread = "" if half is None else f"  {give_or_take(half[j])}"
            lines.append(f"  {attribution.names[j]:<24}  {number(float(values[j])):>9}{spread}")
    else:
        each = attribution.values[row].ndim > 1 and c > 1
        seen = credit if each else credit[:, :1]
        for what, at in (("highest", seen.argmax()), ("lowest ", seen.argmin())):
            sample, channel = np.unravel_index(int(at), seen.shape)
            place = f"sample {sample}" + (f", channel {channel}" if each else "")
            value = plain(float(attribution.inputs.values[row, sample, channel]))
            beside = f" (value {value})" if each or c == 1 else ""
            lines.append(f"  {what} {number(float(seen[sample, channel]))} at {place}{beside}")
        sizes = np.sort(np.abs(seen).sum(axis=1))[::-1]
        total = sizes.sum()
        share = f"{sizes[: max(1, t // 10)].sum() / total:.0%}" if total else "none"
        lines.append(f"  the strongest tenth of the samples holds {share} of the map")
    return "\n".join([*lines, account(attribution, row)])


def _credit(attribution: Attribution, row: int) -> Array:
    """Credit by sample and channel `(t, c)`; a segment's whole on each of its samples."""
    values = attribution.values[row]
    shape = attribution.inputs.values.shape[1:]
    if len(shape) != 2 or attribution.inputs.of_kind.spatial != 1:
        raise InputError(
            f"This picture is of signals, but these rows are {attribution.inputs.kind}. Use picture."
        )
    if values.shape != shape or attribution.players is not None:
        values = np.repeat(attribution.maps()[row][:, None], shape[1], axis=1)
    credit: Array = np.asarray(values, dtype=np.float64)
    return credit


def _channels(credit: Array) -> list[int]:
    order = np.argsort(-np.abs(credit).sum(axis=0), kind="stable")
    return sorted(int(one) for one in order[:MOST_CHANNELS])


def _left_out(credit: Array) -> str:
    more = credit.shape[1] - MOST_CHANNELS
    return f" · {more} channels with less credit are left out" if more > 0 else ""


def _edges(attribution: Attribution, row: int) -> Array:
    """Where one segment ends and the next begins."""
    owners = attribution.owners(row)
    if owners is None:
        return np.array([])
    return np.asarray(np.flatnonzero(np.diff(owners)) + 0.5, dtype=np.float64)
