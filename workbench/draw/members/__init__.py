"""Pictures and words of the members of an ensemble."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.draw.members.bars import (
        ensemble_bars,
        ensemble_bars_text,
        member_bars,
        member_bars_text,
    )
    from workbench.draw.members.maps import (
        member_maps,
        member_maps_text,
        spread_map,
        spread_map_text,
    )
    from workbench.draw.members.similarity_matrix import similarity_matrix, similarity_text
else:
    open_door(__name__)

__all__ = [
    "ensemble_bars",
    "ensemble_bars_text",
    "member_bars",
    "member_bars_text",
    "member_maps",
    "member_maps_text",
    "similarity_matrix",
    "similarity_text",
    "spread_map",
    "spread_map_text",
]
