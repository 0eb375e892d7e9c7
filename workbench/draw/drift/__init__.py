"""Pictures and words of how far reasons moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.draw.drift.bars import copy_bars, copy_bars_text
    from workbench.draw.drift.curve import bytes_of, drift_curve, drift_curve_text
    from workbench.draw.drift.lines import drift_lines, drift_lines_text
    from workbench.draw.drift.maps import copy_maps, copy_maps_text
    from workbench.draw.drift.tables import (
        behavior_html,
        behavior_text,
        quality_html,
        verdict_html,
        verdict_text,
    )
    from workbench.draw.drift.words import (
        claims,
        decided_by,
        figure_of,
        interval,
        leading,
        metric_title,
        said_of,
        short,
    )
else:
    open_door(__name__)

__all__ = [
    "behavior_html",
    "behavior_text",
    "bytes_of",
    "claims",
    "copy_bars",
    "copy_bars_text",
    "copy_maps",
    "copy_maps_text",
    "decided_by",
    "drift_curve",
    "drift_curve_text",
    "drift_lines",
    "drift_lines_text",
    "figure_of",
    "interval",
    "leading",
    "metric_title",
    "quality_html",
    "said_of",
    "short",
    "verdict_html",
    "verdict_text",
]
