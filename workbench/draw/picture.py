"""The right picture for a result, and its alternative text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.core import Attribution
from workbench.draw.bars import bars, bars_text
from workbench.draw.images import heatmap, heatmap_text, superpixels, superpixels_text
from workbench.draw.style import label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def picture(attribution: Attribution, row: int = 0, *, opacity: float = 0.6) -> Figure:
    """Bars for a table, superpixels or a heat map for an image.

    Args:
        attribution: any result.
        row: which of its rows.
        opacity: of a map over its image.
    """
    if attribution.inputs.kind != "image":
        return bars(attribution, row)
    if attribution.has_superpixels:
        return superpixels(attribution, row, opacity=opacity)
    return heatmap(attribution, row, opacity=opacity)


def alt_text(attribution: Attribution, row: int = 0) -> str:
    """The picture in words, for people who do not see it."""
    if attribution.inputs.kind != "image":
        text = bars_text(attribution, row, top=5)
    elif attribution.has_superpixels:
        text = superpixels_text(attribution, row, top=5)
    else:
        text = heatmap_text(attribution, row)
    return ". ".join(" ".join(label(line, 300).split()) for line in text.splitlines())
