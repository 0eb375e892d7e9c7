"""Members beside members: a heat map with numbers."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.compare import Disagreement
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.paper import new_figure
from workbench.draw.style import FAINT, INK, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AGREEMENT, OVERLAP = "PuOr_r", "cividis"
"""Color maps: orange is agreement, purple opposition, white nothing in common; for overlaps, 0 to 1."""

NUMBERS = 20
"""With at most so many members, each cell shows its number; with more it would be unreadable."""

_NAMES = {
    "cosine": "Cosine",
    "spearman": "Spearman's rank correlation",
    "kendall": "Kendall's rank correlation (tau-b)",
    "top5": "Overlap of the five largest values",
    "top tenth": "Overlap of the strongest tenth",
}


@dataclass(frozen=True)
class Matrix:
    """Similarities of all pairs of members `(m, m)`; their names; the measure, and over which rows."""

    values: NDArray[np.float64]
    names: list[str]
    over: str


def similarity_matrix(
    found: Disagreement, metric: str = "cosine", row: int | None = None
) -> Figure:
    """How alike the members' explanations are, pair by pair: one row's, or the mean over rows.

    The scale is the metric's whole range, not the data's: nearly white is nearly nothing in common.

    Args:
        found: the members.
        metric: one of `found.members.metrics`.
        row: which row; None gives the mean over rows.

    Raises:
        InputError: there is no such metric.
    """
    matrix = _matrix(found, metric, row)
    values, names = matrix.values, matrix.names
    m = len(values)
    low = 0.0 if metric.startswith("top") else -1.0
    with RENDER_LOCK:
        side = 0.9 + (0.52 * m if m <= NUMBERS else 0.17 * m)
        longest = 0.075 * max(len(name) for name in names)
        figure = new_figure(
            max(side + longest + 0.9, 6.4),  # the longest title fits
            side + 0.7 * longest + 0.8,
            _in_words(found, matrix),
        )
        axes: Any = figure.subplots()
        shown = axes.imshow(
            values,
            cmap=AGREEMENT if low < 0 else OVERLAP,
            vmin=low,
            vmax=1.0,
            interpolation="nearest",
        )
        size = 9 if m <= NUMBERS else 6
        axes.set_xticks(
            range(m),
            names,
            rotation=40,
            ha="right",
            rotation_mode="anchor",
            fontsize=size,
            parse_math=False,
        )
        axes.set_yticks(range(m), names, fontsize=size, parse_math=False)
        axes.tick_params(length=0, colors=INK)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if m <= NUMBERS:
            axes.set_xticks(np.arange(m - 1) + 0.5, minor=True)
            axes.set_yticks(np.arange(m - 1) + 0.5, minor=True)
            axes.grid(which="minor", color="white", linewidth=1.5)
            axes.tick_params(which="minor", length=0)
            for i, j in np.ndindex(values.shape):
                value = float(values[i, j])
                axes.text(
                    j, i, _two(value), ha="center", va="center", fontsize=8.5,
                    color=_readable(shown, value), parse_math=False,
                )  # fmt: skip
        bar = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.03)
        bar.ax.tick_params(labelsize=8, length=0, colors=INK)
        bar.outline.set_visible(False)
        bar.set_label(_scale_words(metric), fontsize=8, color=FAINT)
        figure.suptitle(
            f"Do the members give the same reasons?\n{fill(matrix.over, 56)}",
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        return figure


def similarity_text(found: Disagreement, metric: str = "cosine", row: int | None = None) -> str:
    """The same matrix as aligned text, and whether a member stands out."""
    return _in_words(found, _matrix(found, metric, row))


def _matrix(found: Disagreement, metric: str, row: int | None) -> Matrix:
    names = [label(name, 22) for name in found.members.names]
    return Matrix(found.matrix(metric, row).to_numpy(), names, _over(found, metric, row))


def _in_words(found: Disagreement, matrix: Matrix) -> str:
    names = matrix.names
    width = max(len(name) for name in names)
    lines = ["Do the members give the same reasons?", matrix.over]
    # Columns are numbered: names above numbers would make them as wide as the names.
    numbers = [f"{k + 1:>3}" for k in range(len(names))]
    lines.append(f"  {'':<{width + 5}}" + " ".join(f"{number:>5}" for number in numbers))
    for name, number, cells in zip(names, numbers, matrix.values, strict=True):
        lines.append(
            f"  {number} {name:<{width}} " + " ".join(f"{_two(cell):>5}" for cell in cells)
        )
    lines.append(str(found.outlier))
    return "\n".join(lines)


def _over(found: Disagreement, metric: str, row: int | None) -> str:
    n = len(found.members.rows)
    where = f"mean over {n} rows" if row is None else f"row {label(found.members.rows[row], 24)}"
    return f"{_NAMES.get(metric, metric)} of their explanations, {where}"


def _scale_words(metric: str) -> str:
    if metric.startswith("top"):
        return "share of the largest that two members share"
    return "1: the same, 0: nothing in common, −1: the opposite"


def _two(value: float) -> str:
    """Two digits, with a real minus sign and no minus before zero."""
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")


def _readable(shown: Any, value: float) -> str:
    red, green, blue, _ = shown.cmap(shown.norm(value))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
