"""Curves as PNG files, legible to everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Okabe & Ito's colours, which colour-blind readers tell apart; markers and dashes say it again.
_COLORS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#000000")
_MARKERS = ("o", "s", "^", "v", "D", "P", "X")
_DASHES = ("-", "-", "--", "--", "-.", ":", "-")


@dataclass(frozen=True)
class Curve:
    """One line: x and y in the panel's units."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One pair of axes, both logarithmic."""

    title: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Chart:
    """A picture with its panels side by side.

    Args:
        name: the file's name without its ending.
        title: what the picture shows, as a sentence.
        x: the horizontal axis with its unit.
        y: the vertical axis with its unit.
        panels: left to right, on the same vertical axis.
        level: a horizontal line to reach, or None.
    """

    name: str
    title: str
    x: str
    y: str
    panels: tuple[Panel, ...]
    level: float | None = None


def save(chart: Chart, folder: Path) -> Path:
    """Draw a chart into `folder`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    looks = _looks(chart.panels)
    width = max(8.4, 2.0 + 3.8 * len(chart.panels))
    figure = Figure(figsize=(width, 4.6), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(chart.panels), sharey=True, squeeze=False)[0]
    handles = {}
    for ax, panel in zip(axes, chart.panels, strict=True):
        for curve in panel.curves:
            look = looks[curve.name] % len(_COLORS)
            (handles[curve.name],) = ax.plot(
                curve.x,
                curve.y,
                color=_COLORS[look],
                marker=_MARKERS[look],
                linestyle=_DASHES[look],
                linewidth=2.4 if curve.name.startswith("ours") else 1.6,
                markersize=6,
                label=curve.name,
            )
        if chart.level is not None:
            ax.axhline(chart.level, color="#555555", linewidth=1, linestyle=(0, (1, 2)))
        ax.set(xscale="log", yscale="log", xlabel=chart.x, title=panel.title)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
            axis.set_minor_formatter(NullFormatter())
        ax.grid(visible=True, which="major", color="#dddddd", linewidth=0.7)
        ax.set_axisbelow(True)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    axes[0].set_ylabel(chart.y)
    figure.suptitle(chart.title, fontsize=12)
    figure.legend(
        [handles[name] for name in looks], list(looks), loc="outside right center", frameon=False
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{chart.name}.png"
    figure.savefig(path)
    return path


def _looks(panels: Sequence[Panel]) -> dict[str, int]:
    """Every curve's place among the colours, the same in all panels: ours are blue."""
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    ours = [name for name in names if name.startswith("ours")]
    peers = [name for name in names if not name.startswith("ours")]
    return {name: i for i, name in enumerate(ours)} | {name: 2 + i for i, name in enumerate(peers)}
