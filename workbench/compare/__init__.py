"""Attribution x Attribution -> numbers, and attribution x truth -> numbers."""

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.compare.agreement import compare
    from workbench.compare.behavior import behavior
    from workbench.compare.claims import Claim
    from workbench.compare.disagreement import CONSENSUS, Disagreement, disagreement
    from workbench.compare.drift import Behavior, Drift, Quality
    from workbench.compare.drift_judging import judge, verdict_of
    from workbench.compare.drift_metrics import DECIDING, DRIFT_METRICS, Metric, drift_per_row
    from workbench.compare.faithfulness import (
        Faithfulness,
        evaluations_of_faithfulness,
        faithfulness,
    )
    from workbench.compare.influence import Influence
    from workbench.compare.latency import Latency, latency
    from workbench.compare.measured import Measured, Scope, Stratum, Verdict
    from workbench.compare.measuring import Lines, measure
    from workbench.compare.members import Members
    from workbench.compare.outlier import Outlier
    from workbench.compare.pointing import mass_in_mask, pointing_game
    from workbench.compare.quality import quality, ratings
else:
    open_door(__name__)

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
