"""The compression lab: a model and its copies, explained alike, judged together."""

from workbench.compare.curve import Curve, CurvePoint, curve
from workbench.lab.findings import FeatureFinding, Findings, RowFinding, SliceFinding, findings
from workbench.lab.running import LabStep, steps, studies
from workbench.lab.study import DriftStudy

__all__ = [
    "Curve",
    "CurvePoint",
    "DriftStudy",
    "FeatureFinding",
    "Findings",
    "LabStep",
    "RowFinding",
    "SliceFinding",
    "curve",
    "findings",
    "steps",
    "studies",
]
