"""Many rows at once: one strip of points per column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.paper import new_figure
from workbench.draw.style import (
    FAINT,
    INK,
    NEUTRAL,
    byline,
    dress,
    label,
    number,
    title,
    unit_in_words,
)
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VALUE_MAP = "cividis"
"""The colors of a feature's own value, from low to high; they differ from the colors of signs."""


def beeswarm(attribution: Attribution, *, top: int = 12, ax: Axes | None = None) -> Figure:
    """Every row as a point per column, columns ordered by mean size, colored by the column's own value.

    Categories, groups, constant columns and missing values are gray: they have no low and high.

    Args:
        attribution: of table rows.
        top: how many columns are shown.
        ax: draw here instead of on a new figure.

    Raises:
        InputError: the rows are not a table.
    """
    credit, names, order = _ranked(attribution, top)
    with RENDER_LOCK:
        axes: Any = ax
        if ax is None:
            words = beeswarm_text(attribution, top=top)
            axes = new_figure(7.4, 1.5 + 0.34 * max(len(order), 2), words).subplots()
        dress(axes)
        for place, j in enumerate(order):
            values = credit[:, j]
            heights = place + _spread(values)
            colors = _feature_colors(attribution, names[j])
            axes.scatter(values, heights, c=colors, s=11, linewidths=0, alpha=0.85, zorder=3)
        axes.axvline(0, color=INK, linewidth=0.9, zorder=2)
        axes.set_yticks(range(len(order)))
        axes.set_yticklabels([label(names[j]) for j in order], parse_math=False)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_xlabel(
            f"contribution in {unit_in_words(attribution)}",
            fontsize=9,
            color=FAINT,
            parse_math=False,
        )
        target = label(
            attribution.target.label(())
            if len(set(attribution.explained)) > 1
            else attribution.explained[0],
            32,
        )
        title(axes, f"What moves “{target}” over {len(attribution)} rows", byline(attribution))
        _color_key(axes)
        figure: Figure = axes.get_figure(root=True)
        return figure


def beeswarm_text(attribution: Attribution, *, top: int = 12) -> str:
    """The same columns as aligned text: mean size, and the lowest and highest contribution."""
    credit, names, order = _ranked(attribution, top)
    width = max(len(label(names[j])) for j in order)
    lines = [f"{byline(attribution)}, {len(attribution)} rows, in {attribution.scale}"]
    lines.append(f"  {'':<{width}}  {'mean size':>9}  {'lowest':>9}  {'highest':>9}")
    for j in order:
        values = credit[:, j]
        lines.append(
            f"  {label(names[j]):<{width}}  {np.abs(values).mean():>9.3g}  "
            f"{number(float(values.min())):>9}  {number(float(values.max())):>9}"
        )
    return "\n".join(lines)


def _ranked(
    attribution: Attribution, top: int
) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.intp]]:
    if not attribution.inputs.of_kind.columns:
        raise InputError(
            f"A beeswarm needs table rows, but these are {attribution.inputs.kind}. "
            "Use heatmap or superpixels."
        )
    credit = np.stack([attribution.by_player(i) for i in range(len(attribution))])
    order = np.argsort(-np.abs(credit).mean(axis=0), kind="stable")[:top]
    return credit, attribution.names, order


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets within ±0.38 that pile points up where they are dense; the same every time."""
    width = float(np.ptp(values)) or 1.0
    slot = np.round((values - values.min()) / width * 90).astype(int)
    offsets = np.zeros(len(values))
    for one in np.unique(slot):
        members = np.flatnonzero(slot == one)
        rank = np.arange(len(members))
        offsets[members] = np.where(rank % 2 == 0, 1, -1) * ((rank + 1) // 2)
    highest = np.abs(offsets).max()
    return offsets * min(0.05, 0.38 / highest) if highest else offsets


def _feature_colors(attribution: Attribution, name: str) -> Any:
    import matplotlib as mpl

    inputs = attribution.inputs
    if name not in inputs.features or name in inputs.categories:
        return NEUTRAL
    column = inputs.values[:, inputs.features.index(name)].astype(float)
    known = np.isfinite(column)
    low, high = np.percentile(column[known], [5, 95]) if known.any() else (0.0, 0.0)
    if low == high:
        return NEUTRAL
    place = np.clip((np.where(np.isnan(column), low, column) - low) / (high - low), 0, 1)
    colors = mpl.colormaps[VALUE_MAP](place)
    colors[np.isnan(column)] = mpl.colors.to_rgba(NEUTRAL)
    return colors


def _color_key(axes: Any) -> None:
    import matplotlib as mpl
    from matplotlib.cm import ScalarMappable

    bar = axes.get_figure(root=True).colorbar(
        ScalarMappable(cmap=mpl.colormaps[VALUE_MAP]), ax=axes, aspect=34, pad=0.015, ticks=[0, 1]
    )
    bar.ax.set_yticklabels(["low", "high"], fontsize=8, color=FAINT)
    bar.ax.set_ylabel("the column's own value", fontsize=8, color=FAINT, labelpad=-14)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
