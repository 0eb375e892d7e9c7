"""Attribution x Attribution -> numbers, and attribution x truth -> numbers."""

from workbench.compare.agreement import compare
from workbench.compare.disagreement import CONSENSUS, Disagreement, disagreement
from workbench.compare.influence import Influence
from workbench.compare.latency import Latency, latency
from workbench.compare.members import Members
from workbench.compare.outlier import Outlier
from workbench.compare.pointing import pointing_game

__all__ = [
    "CONSENSUS",
    "Disagreement",
    "Influence",
    "Latency",
    "Members",
    "Outlier",
    "compare",
    "disagreement",
    "latency",
    "pointing_game",
]
