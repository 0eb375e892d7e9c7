"""Attribution x Attribution -> numbers, and attribution x truth -> numbers.

The package can be called like a function: `wb.compare(attributions, reference="net")` compares every
attribution with the reference's (`workbench.compare.agreement.compare`). Its other functions are
attributes, such as `wb.compare.pointing_game`.
"""

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.compare.agreement import compare
    from workbench.compare.drift import (
        DECIDING,
        DRIFT_METRICS,
        Behavior,
        Claim,
        Drift,
        Lines,
        Measured,
        Metric,
        Quality,
        Scope,
        Stratum,
        Verdict,
        behavior,
        drift_per_row,
        judge,
        measure,
        verdict_of,
    )
    from workbench.compare.members import (
        CONSENSUS,
        Disagreement,
        Influence,
        Members,
        Outlier,
        disagreement,
    )
    from workbench.compare.quality import (
        Faithfulness,
        evaluations_of_faithfulness,
        faithfulness,
        mass_in_mask,
        pointing_game,
        quality,
        ratings,
    )
    from workbench.compare.speed import Latency, latency
else:
    open_door(__name__, called="compare")

__all__ = [
    "CONSENSUS",
    "DECIDING",
    "DRIFT_METRICS",
    "Behavior",
    "Claim",
    "Disagreement",
    "Drift",
    "Faithfulness",
    "Influence",
    "Latency",
    "Lines",
    "Measured",
    "Members",
    "Metric",
    "Outlier",
    "Quality",
    "Scope",
    "Stratum",
    "Verdict",
    "behavior",
    "compare",
    "disagreement",
    "drift_per_row",
    "evaluations_of_faithfulness",
    "faithfulness",
    "judge",
    "latency",
    "mass_in_mask",
    "measure",
    "pointing_game",
    "quality",
    "ratings",
    "verdict_of",
]
