"""Results -> matplotlib figures, SVG and HTML. Returns a value, displays nothing, never touches pyplot."""

from workbench.draw.bars import bars, bars_text, waterfall, waterfall_text
from workbench.draw.canvas import RENDER_LOCK, figure_html, to_png, to_svg
from workbench.draw.drift_bars import copy_bars, copy_bars_text
from workbench.draw.drift_curve import drift_curve, drift_curve_text
from workbench.draw.drift_lines import drift_lines, drift_lines_text
from workbench.draw.drift_maps import copy_maps, copy_maps_text
from workbench.draw.drift_tables import (
    behavior_html,
    behavior_text,
    quality_html,
    verdict_html,
    verdict_text,
)
from workbench.draw.ensemble_bars import (
    ensemble_bars,
    ensemble_bars_text,
    member_bars,
    member_bars_text,
)
from workbench.draw.ensemble_maps import (
    member_maps,
    member_maps_text,
    spread_map,
    spread_map_text,
)
from workbench.draw.images import heatmap, heatmap_text, superpixels, superpixels_text
from workbench.draw.picture import (
    Picture,
    add_pictures,
    alt_text,
    picture,
    pictures_of,
    remove_pictures,
)
from workbench.draw.similarity_matrix import similarity_matrix, similarity_text
from workbench.draw.swarm import beeswarm, beeswarm_text

__all__ = [
    "RENDER_LOCK",
    "Picture",
    "add_pictures",
    "alt_text",
    "bars",
    "bars_text",
    "beeswarm",
    "beeswarm_text",
    "behavior_html",
    "behavior_text",
    "copy_bars",
    "copy_bars_text",
    "copy_maps",
    "copy_maps_text",
    "drift_curve",
    "drift_curve_text",
    "drift_lines",
    "drift_lines_text",
    "ensemble_bars",
    "ensemble_bars_text",
    "figure_html",
    "heatmap",
    "heatmap_text",
    "member_bars",
    "member_bars_text",
    "member_maps",
    "member_maps_text",
    "picture",
    "pictures_of",
    "quality_html",
    "remove_pictures",
    "similarity_matrix",
    "similarity_text",
    "spread_map",
    "spread_map_text",
    "superpixels",
    "superpixels_text",
    "to_png",
    "to_svg",
    "verdict_html",
    "verdict_text",
    "waterfall",
    "waterfall_text",
]
