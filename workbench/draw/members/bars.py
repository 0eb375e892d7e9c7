"""One row of a table for an ensemble: its bars with the members' band, and each member beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.compare import CONSENSUS, Disagreement
from workbench.draw.bars import player_labels
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.members.words import (
    HATCH,
    KEY,
    chosen,
    heading,
    mean_label,
    member_label,
    times,
    verdict,
)
from workbench.draw.paper import new_figure
from workbench.draw.style import FAINT, INK, LOWERS, NEUTRAL, RAISES, UNITS, dress, number, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

PANELS = 11
"""The most members with a panel beside the ensemble's; more would be too small to read."""


@dataclass(frozen=True)
class Bar:
    """One player of one row: its name, the mean, its spread, and each member's value `(m,)`."""

    name: str
    mean: float
    spread: float
    sampling: float
    consensus: float
    agreed: bool
    members: Array


def ensemble_bars(
    found: Disagreement, row: int = 0, *, top: int = 12, ax: Axes | None = None
) -> Figure:
    """Signed bars of the weighted mean, with a band of one weighted SD and every member as a dot.

    Players are sorted by the root of the weighted mean of the members' squared values, so that a player
    on which members cancel is not lost. A bar is hatched where less than 75 % of the
    weight has the mean's sign. Larger dots have larger weights, hollow ones none.

    Args:
        found: members that credit players.
        row: which of their rows.
        top: how many players get a bar of their own; the rest share one, with each member's own sum.
        ax: draw here instead of on a new figure.

    Raises:
        InputError: the members credit the places of images.
    """
    shown = _bars(found, row, top)
    with RENDER_LOCK:
        axes: Any = ax
        if ax is None:
            words = ensemble_bars_text(found, row, top=top)
            axes = new_figure(8.4, 1.75 + 0.34 * max(len(shown), 2), words).subplots()
        dress(axes)
        _draw(axes, shown)
        _dots(axes, shown, found.members.weights)
        _names(axes, [bar.name for bar in shown])
        _limits(axes, [shown])
        summed = found.members.summed
        head = "sum" if summed else "mean ± spread"
        _column(axes, 8, [head, *(number(bar.mean) if summed else _pair(bar) for bar in shown)])
        _column(axes, 104, ["same sign", *(f"{bar.consensus:.0%}" for bar in shown)])
        title(axes, *heading(found, row))
        axes.set_xlabel(
            f"contribution in {UNITS[found.members.scale]}\n"
            + ("bar: sum of" if summed else "bar: weighted mean, band: ± one weighted SD over")
            + f" members, dots: members\n{KEY}\n{verdict(found, row)}",
            fontsize=9, color=FAINT, parse_math=False,
        )  # fmt: skip
        figure: Figure = axes.get_figure(root=True)
        return figure


def ensemble_bars_text(found: Disagreement, row: int = 0, *, top: int = 12) -> str:
    """The same bars as aligned text: mean, spread, sampling and consensus."""
    shown = _bars(found, row, top)
    width = max(len(bar.name) for bar in shown)
    question, who = heading(found, row)
    lines = [question, f"{who}, in {found.members.scale}"]
    summed = found.members.summed
    head = f"{'sum':>9}" if summed else f"{'mean':>9}    spread"
    lines.append(f"  {'':<{width}}  {head}  same sign")
    for bar in shown:
        doubt = "" if found.sampling is None else f"  sampling alone ± {bar.sampling:.2g}"
        flag = "" if bar.agreed else "  members differ on the sign"
        spread = "" if summed else f"  ± {bar.spread:<7.2g}"
        lines.append(
            f"  {bar.name:<{width}}  {number(bar.mean):>9}{spread} {bar.consensus:>7.0%}"
            f"{doubt}{flag}"
        )
    lines.append(verdict(found, row))
    return "\n".join(lines)


def member_bars(found: Disagreement, row: int = 0, *, top: int = 8) -> Figure:
    """Bars of the weighted mean and each member's beside them: one order and one scale for all.

    The mean is headed "the ensemble" where it is the ensemble's own explanation. Of a stack, which adds its
    members up, their sum is shown in its place.

    Args:
        found: members that credit players.
        row: which of their rows.
        top: how many players get a bar of their own; the rest share one.

    Raises:
        InputError: the members credit the places of images.
    """
    shown = _bars(found, row, top)
    members = chosen(found, PANELS)
    count = len(members) + 1
    down = -(-count // 4)
    across = -(-count // down)
    with RENDER_LOCK:
        high = 0.75 + 0.24 * max(len(shown), 3)
        figure = new_figure(
            1.6 + 2.0 * across, 1.15 + high * down, member_bars_text(found, row, top=top)
        )
        grid: Any = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        slots = list(grid.ravel())
        panels = [shown, *([_alone(bar, k) for bar in shown] for k in members)]
        heads = [mean_label(found), *(member_label(found, k) for k in members)]
        for slot, bars, head in zip(slots, panels, heads, strict=False):
            dress(slot)
            _draw(slot, bars, numbers=True)
            slot.set_title(
                head, loc="left", fontsize=9, color=INK if bars is shown else FAINT, parse_math=False,
                fontweight="bold" if bars is shown else "normal",
            )  # fmt: skip
        for slot in slots[count:]:
            slot.set_visible(False)
        for slot in slots[count - across : count]:
            slot.tick_params(labelbottom=True)
        for slot in slots:
            slot.tick_params(labelsize=8)
        _names(slots[0], [bar.name for bar in shown])
        _limits(slots[0], panels, room=0.22)
        figure.suptitle(
            "\n".join(heading(found, row, members)),
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        figure.supxlabel(
            f"contribution in {UNITS[found.members.scale]} · {KEY}",
            fontsize=9,
            color=FAINT,
            parse_math=False,
        )
        return figure


def member_bars_text(found: Disagreement, row: int = 0, *, top: int = 8) -> str:
    """The same panels as one aligned table: a column for the weighted mean and one per member."""
    shown = _bars(found, row, top)
    members = chosen(found, PANELS)
    width = max(len(bar.name) for bar in shown)
    heads = [mean_label(found), *(member_label(found, k, 12) for k in members)]
    room = [max(len(head), 9) for head in heads]
    question, who = heading(found, row, members)
    lines = [question, f"{who}, in {found.members.scale}"]
    lines.append(
        f"  {'':<{width}}  " + "  ".join(f"{h:>{w}}" for h, w in zip(heads, room, strict=True))
    )
    for bar in shown:
        cells = [bar.mean, *(float(bar.members[k]) for k in members)]
        line = "  ".join(f"{number(cell):>{w}}" for cell, w in zip(cells, room, strict=True))
        lines.append(f"  {bar.name:<{width}}  {line}")
    lines.append(verdict(found, row))
    return "\n".join(lines)


def _bars(found: Disagreement, row: int, top: int) -> list[Bar]:
    """The `top` players with the largest values over members; the others are summed, member by member."""
    names = player_labels(found.members.parts[0], row)
    credit = found.members.credit[:, row]
    sizes = np.sqrt(found.mean[row] ** 2 + found.spread[row] ** 2)
    order = np.argsort(-sizes, kind="stable")
    own = len(order) if len(order) <= top + 1 else top
    sampling = np.zeros(len(order)) if found.sampling is None else found.sampling[row]
    m, apart = times(found), not found.members.summed  # around a sum, its terms are not spread
    shown = [
        Bar(
            names[j],
            m * float(found.mean[row, j]),
            apart * float(found.spread[row, j]),
            m * float(sampling[j]),
            float(found.consensus[row, j]),
            bool(found.agreed[row, j]),
            credit[:, j],
        )
        for j in order[:own]
    ]
    rest = order[own:]
    if len(rest):
        shown.append(
            _rest(found, credit[:, rest].sum(axis=1), float(sampling[rest].sum()), len(rest))
        )
    return shown


def _rest(found: Disagreement, sums: Array, sampling: float, count: int) -> Bar:
    """The bar of all players without their own; the error of a sum is at most the sum of the errors."""
    w = found.members.weights
    mean = float(w @ sums)
    spread = float(np.sqrt(w @ (sums - mean) ** 2))
    consensus = float(w @ (np.sign(sums) == np.sign(mean)))
    m, agreed = times(found), consensus >= CONSENSUS - 1e-12
    spread = 0.0 if found.members.summed else spread
    return Bar(f"{count} others", m * mean, spread, m * sampling, consensus, agreed, sums)


def _alone(bar: Bar, k: int) -> Bar:
    value = float(bar.members[k])
    return Bar(bar.name, value, 0.0, 0.0, 1.0, True, bar.members[k : k + 1])


def _draw(axes: Any, bars: list[Bar], *, numbers: bool = False) -> None:
    place = np.arange(len(bars))
    means = np.array([bar.mean for bar in bars])
    colors = [RAISES if mean > 0 else LOWERS if mean < 0 else NEUTRAL for mean in means]
    drawn = axes.barh(place, means, color=colors, height=0.66, zorder=2)
    for patch, bar, color in zip(drawn.patches, bars, colors, strict=True):
        if not bar.agreed:
            patch.set(hatch=HATCH, facecolor="white", edgecolor=color)
    spreads = np.array([bar.spread for bar in bars])
    if spreads.any():
        axes.barh(
            place,
            2 * spreads,
            left=means - spreads,
            height=0.34,
            color=NEUTRAL,
            alpha=0.55,
            zorder=3,
        )
    axes.axvline(0, color=INK, linewidth=0.9, zorder=4)
    if numbers:
        for at, bar in enumerate(bars):
            rising = bar.mean >= 0
            axes.annotate(
                number(bar.mean), (bar.mean + (bar.spread if rising else -bar.spread), at),
                xytext=(2.5 if rising else -2.5, 0), textcoords="offset points", va="center",
                ha="left" if rising else "right", fontsize=7, color=INK, parse_math=False,
            )  # fmt: skip


def _dots(axes: Any, bars: list[Bar], weights: Array) -> None:
    # Many dots are smaller, so that they do not cover the band.
    sizes = (10 + 26 * weights / weights.max()) * min(1.0, 12 / len(weights))
    voting = weights > 0
    # Members one below the other in the bar's height, so that equal ones do not hide each other.
    offsets = np.linspace(-0.2, 0.2, len(weights)) if len(weights) > 1 else np.zeros(1)
    for at, bar in enumerate(bars):
        axes.scatter(
            bar.members, at + offsets, s=sizes, zorder=5, linewidths=0.7,
            edgecolors=np.where(voting, INK, NEUTRAL), c=np.where(voting, "white", "none"),
        )  # fmt: skip


def _column(axes: Any, points: float, words: list[str]) -> None:
    """A column of text with its head, so many points to the right of the bars."""
    for at, word in enumerate(words):
        axes.annotate(
            word, (1.0, at - 1 if at else -0.85), xycoords=axes.get_yaxis_transform(), xytext=(points, 0),
            textcoords="offset points", va="center", fontsize=8.5, color=INK if at else FAINT,
            annotation_clip=False, parse_math=False,
        )  # fmt: skip


def _pair(bar: Bar) -> str:
    return f"{number(bar.mean)} ± {bar.spread:.2g}"


def _names(axes: Any, names: list[str]) -> None:
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels(names, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _limits(axes: Any, panels: list[list[Bar]], room: float = 0.04) -> None:
    every = [bar for bars in panels for bar in bars]
    low = min(0.0, *(min(bar.mean - bar.spread, float(bar.members.min())) for bar in every))
    high = max(0.0, *(max(bar.mean + bar.spread, float(bar.members.max())) for bar in every))
    width = (high - low) or 1.0
    axes.set_xlim(low - room * width, high + room * width)
