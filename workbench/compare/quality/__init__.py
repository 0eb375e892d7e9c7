"""How good one explanation is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.compare.quality.faithfulness import (
        Faithfulness,
        evaluations_of_faithfulness,
        faithfulness,
    )
    from workbench.compare.quality.pointing import mass_in_mask, pointing_game
    from workbench.compare.quality.quality import quality, ratings
else:
    open_door(__name__)

__all__ = [
    "Faithfulness",
    "evaluations_of_faithfulness",
    "faithfulness",
    "mass_in_mask",
    "pointing_game",
    "quality",
    "ratings",
]
