"""One row of a table, or of superpixels: signed bars and the waterfall."""

from __future__ import annotations

from dataclasses import dataclass
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
    LOWERS,
    NEUTRAL,
    RAISES,
    account,
    byline,
    dress,
    headline,
    label,
    number,
    plain,
    title,
    unit_in_words,
    unit_label,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Entry:
    """One bar: label, value, and half of its 95 % interval: 0 where exact, NaN where unknown."""

    name: str
    value: float
    half: float


@dataclass(frozen=True)
class Steps:
    """The way from base to output: what each step adds, and the score after each step `(k,)`."""

    shown: list[Entry]
    base: float
    output: float
    stops: NDArray[np.float64]

    @property
    def gap(self) -> float:
        """The output minus the score after the last step."""
        return self.output - float(self.stops[-1])

    @property
    def has_gap(self) -> bool:
        """Whether the gap is more than rounding."""
        return abs(self.gap) > 1e-4 * max(abs(self.output - self.base), abs(self.output), 1e-12)


def entries(attribution: Attribution, row: int, top: int) -> list[Entry]:
    """The `top` largest values by size, largest first; the others are summed into one last entry."""
    values = attribution.by_player(row)
    halves = attribution.half_width_by_player(row)
    halves = np.zeros(len(values)) if halves is None else halves
    order = np.argsort(-np.abs(values), kind="stable")
    names = player_labels(attribution, row)
    top = top if len(values) > top + 1 else len(values)
    shown = [Entry(names[j], float(values[j]), float(halves[j])) for j in order[:top]]
    rest = order[top:]
    if len(rest):
        # How the errors correlate is unknown; the error of a sum is at most the sum of the errors.
        total = Entry(f"{len(rest)} others", float(values[rest].sum()), float(halves[rest].sum()))
        shown.append(total)
    return shown


def bars(
    attribution: Attribution, row: int = 0, *, top: int = 12, ax: Axes | None = None
) -> Figure:
    """Signed bars of one row, largest first, with 95 % error bars where values were sampled.

    Args:
        attribution: of table rows, or of images by superpixels.
        row: which of its rows.
        top: how many players get a bar of their own; the rest share one.
        ax: draw here instead of on a new figure.
    """
    shown = entries(attribution, row, top)
    with RENDER_LOCK:
        axes = _axes(ax, len(shown), bars_text(attribution, row, top=top))
        place = np.arange(len(shown))
        values = np.array([entry.value for entry in shown])
        errors = np.array([entry.half for entry in shown])
        errors = np.nan_to_num(errors)
        axes.barh(place, values, color=_colors(values), height=0.66, zorder=2)
        if attribution.error is not None:
            axes.errorbar(
                values,
                place,
                xerr=errors,
                fmt="none",
                ecolor=INK,
                elinewidth=1.1,
                capsize=2.5,
                zorder=3,
            )
        _finish(axes, [entry.name for entry in shown], attribution)
        # A bar's length is its size, so each begins at zero, however alike they are.
        reach = _reach(axes, np.minimum(values - errors, 0), np.maximum(values + errors, 0))
        for at, value, error in zip(place, values, errors, strict=True):
            _tell(axes, int(at), value, value + np.sign(value or 1) * error, reach)
        axes.axvline(0, color=INK, linewidth=0.9, zorder=4)
        title(axes, headline(attribution, row), byline(attribution))
        words = f"{unit_label(attribution)}\n{account(attribution, row)}"
        axes.set_xlabel(words, fontsize=9, color=FAINT, parse_math=False)
        return _figure(axes)


def waterfall(
    attribution: Attribution, row: int = 0, *, top: int = 10, ax: Axes | None = None
) -> Figure:
    """From base to output in steps, largest first; a gap gets a hatched step of its own.

    Args: as for `bars`. A method without a base (Occlusion) starts at 0.
    """
    way = _steps(attribution, row, top)
    base, output, hatched = way.base, way.output, way.has_gap
    names = [entry.name for entry in way.shown] + ["gap: not explained"] * hatched
    steps = np.array([entry.value for entry in way.shown] + [way.gap] * hatched)
    stops = np.array([*way.stops, *[output] * hatched])
    with RENDER_LOCK:
        axes = _axes(ax, len(steps), _way_in_words(attribution, row, way))
        place = np.arange(len(steps))
        starts = stops - steps
        drawn = axes.barh(place, steps, left=starts, color=_colors(steps), height=0.66, zorder=2)
        if hatched:
            drawn.patches[-1].set(hatch="////", facecolor="white", edgecolor=NEUTRAL)
        for at in place[:-1]:
            axes.plot(
                [stops[at]] * 2, [at - 0.33, at + 1.33], color=NEUTRAL, linewidth=0.8, zorder=1
            )
        _finish(axes, names, attribution)
        reach = _reach(axes, np.minimum(starts, stops), np.maximum(starts, stops))
        for at, value, stop in zip(place, steps, stops, strict=True):
            _tell(axes, int(at), value, stop, reach)
        axes.set_ylim(len(steps) + 0.1, -0.6)
        for value, other, text in ((base, output, "base"), (output, base, "output")):
            axes.axvline(value, color=FAINT, linewidth=0.9, linestyle=(0, (3, 3)), zorder=0)
            inward = "left" if value <= other else "right"
            near = (value + (0.008 if inward == "left" else -0.008) * reach, len(steps) - 0.3)
            words = f"{text} {plain(value)}"
            axes.text(
                *near, words, ha=inward, va="center", fontsize=8, color=FAINT, parse_math=False
            )
        axes.set_xlabel(
            f"score in {unit_in_words(attribution)}", fontsize=9, color=FAINT, parse_math=False
        )
        title(axes, headline(attribution, row), byline(attribution))
        return _figure(axes)


def bars_text(attribution: Attribution, row: int = 0, *, top: int = 12) -> str:
    """The same bars as aligned text: sign, size, error, unit, base, output and gap."""
    shown = entries(attribution, row, top)
    width = max(len(entry.name) for entry in shown)
    lines = [headline(attribution, row), f"{byline(attribution)}, in {attribution.scale}"]
    for entry in shown:
        error = f"  {give_or_take(entry.half)}" if attribution.error is not None else ""
        lines.append(f"  {entry.name:<{width}}  {number(entry.value):>9}{error}")
    lines.append(account(attribution, row))
    return "\n".join(lines)


def waterfall_text(attribution: Attribution, row: int = 0, *, top: int = 10) -> str:
    """The same steps as aligned text: what each adds, and the score after it."""
    return _way_in_words(attribution, row, _steps(attribution, row, top))


def player_labels(attribution: Attribution, row: int) -> list[str]:
    """The labels of a row's players in a picture: their names, and the row's values."""
    inputs = attribution.inputs
    return [
        label(name) if held is None else f"{label(name, 34)} = {label(held, 16)}"
        for name, held in zip(
            attribution.names, inputs.of_kind.labels(inputs, row, attribution.names), strict=True
        )
    ]


def _steps(attribution: Attribution, row: int, top: int) -> Steps:
    shown = entries(attribution, row, top)
    base = float(attribution.base[row])
    base = base if np.isfinite(base) else 0.0
    stops = np.cumsum([base, *(entry.value for entry in shown)])[1:]
    return Steps(shown, base, float(attribution.output[row]), stops)


def _way_in_words(attribution: Attribution, row: int, way: Steps) -> str:
    width = max(len(entry.name) for entry in way.shown)
    output = f"{plain(way.output):>9}"
    lines = [headline(attribution, row), f"{byline(attribution)}, in {attribution.scale}"]
    lines.append(f"  {'base':<{width}}  {'':>9}  {plain(way.base):>9}")
    lines += [
        f"  {entry.name:<{width}}  {number(entry.value):>9}  {plain(float(now)):>9}"
        for entry, now in zip(way.shown, way.stops, strict=True)
    ]
    lines += [f"  {'gap':<{width}}  {number(way.gap):>9}  {output}"] * way.has_gap
    lines.append(f"  {'output':<{width}}  {'':>9}  {output}")
    return "\n".join(lines)


def _colors(values: NDArray[np.float64]) -> list[str]:
    return [RAISES if value > 0 else LOWERS if value < 0 else NEUTRAL for value in values]


def _axes(ax: Axes | None, count: int, words: str) -> Any:
    return ax if ax is not None else new_figure(7.2, 1.35 + 0.31 * max(count, 2), words).subplots()


def _figure(axes: Any) -> Figure:
    figure: Figure = axes.get_figure(root=True)
    return figure


def _finish(axes: Any, names: list[str], attribution: Attribution) -> None:
    dress(axes)
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels(names, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(unit_label(attribution), fontsize=9, color=FAINT, parse_math=False)


def _reach(axes: Any, low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Room for the numbers beside the bars; returns the width of the axis."""
    left, right = min(0.0, float(low.min())), max(0.0, float(high.max()))
    if low.min() > 0 and low.min() > 0.5 * high.max():
        left = float(low.min())  # a waterfall far from zero
    if high.max() < 0 and high.max() < 0.5 * low.min():
        right = float(high.max())
    width = (right - left) or 1.0
    axes.set_xlim(left - 0.2 * width, right + 0.14 * width)  # names stand on the left
    return width


def _tell(axes: Any, at: float, value: float, end: float, reach: float) -> None:
    rising = value >= 0
    axes.text(
        end + (0.012 if rising else -0.012) * reach,
        at,
        number(value),
        va="center",
        ha="left" if rising else "right",
        fontsize=8.5,
        color=INK,
        parse_math=False,
    )
