"""The compression lab: a model and its copies, explained alike, judged together.

`workbench.drift` runs a study and gives its verdicts; `steps` does so batch by batch. `findings` shows
where reasons changed, `responsible_layers` which layers changed them, `curve` at which level they change.
`Budget`, `assert_explanations_preserved` and the command `workbench check` turn a study into a gate.
"""

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.compare.drift import Curve, CurvePoint, curve
    from workbench.lab.budget import Budget, Check, Checked, check_budget
    from workbench.lab.default_methods import default_methods
    from workbench.lab.feature_findings import FeatureFinding
    from workbench.lab.findings import Findings, RowFinding, findings
    from workbench.lab.gate import assert_explanations_preserved, gate
    from workbench.lab.junit import junit, table
    from workbench.lab.layers import LayerFinding, responsible_layers
    from workbench.lab.running import DriftSoFar, drift, steps, studies
    from workbench.lab.slices import SliceFinding
    from workbench.lab.study import DriftStudy
    from workbench.lab.study_file import read_study
else:
    open_door(__name__)

__all__ = [
    "Budget",
    "Check",
    "Checked",
    "Curve",
    "CurvePoint",
    "DriftSoFar",
    "DriftStudy",
    "FeatureFinding",
    "Findings",
    "LayerFinding",
    "RowFinding",
    "SliceFinding",
    "assert_explanations_preserved",
    "check_budget",
    "curve",
    "default_methods",
    "drift",
    "findings",
    "gate",
    "junit",
    "read_study",
    "responsible_layers",
    "steps",
    "studies",
    "table",
]
