"""How far reasons moved, compared with what moves anyway, and which verdict follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.compare.drift.behavior import behavior
    from workbench.compare.drift.claims import Claim, claim_of
    from workbench.compare.drift.curve import Curve, CurvePoint, curve
    from workbench.compare.drift.judging import judge, verdict_of
    from workbench.compare.drift.measured import (
        ALLOWANCE,
        GRAVEST_FIRST,
        Measured,
        Scope,
        Stratum,
        Verdict,
        check_allowance,
    )
    from workbench.compare.drift.measuring import Lines, measure
    from workbench.compare.drift.metrics import (
        DECIDING,
        DRIFT_METRICS,
        Metric,
        checked_margins,
        credit_of,
        drift_per_row,
    )
    from workbench.compare.drift.precision import TRIED, rounding_of
    from workbench.compare.drift.result import FLIPS, Behavior, Drift, Quality
    from workbench.compare.drift.share_bounds import rows_to_bound
    from workbench.compare.drift.statistics import FEWEST_ROWS, intervals
else:
    open_door(__name__)

__all__ = [
    "ALLOWANCE",
    "DECIDING",
    "DRIFT_METRICS",
    "FEWEST_ROWS",
    "FLIPS",
    "GRAVEST_FIRST",
    "TRIED",
    "Behavior",
    "Claim",
    "Curve",
    "CurvePoint",
    "Drift",
    "Lines",
    "Measured",
    "Metric",
    "Quality",
    "Scope",
    "Stratum",
    "Verdict",
    "behavior",
    "check_allowance",
    "checked_margins",
    "claim_of",
    "credit_of",
    "curve",
    "drift_per_row",
    "intervals",
    "judge",
    "measure",
    "rounding_of",
    "rows_to_bound",
    "verdict_of",
]
