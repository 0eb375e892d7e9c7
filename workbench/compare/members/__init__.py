"""Whether the members of an ensemble agree, and which of them decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.compare.members.disagreement import CONSENSUS, Disagreement, disagreement
    from workbench.compare.members.influence import Influence
    from workbench.compare.members.members import Members
    from workbench.compare.members.outlier import Outlier
else:
    open_door(__name__)

__all__ = [
    "CONSENSUS",
    "Disagreement",
    "Influence",
    "Members",
    "Outlier",
    "disagreement",
]
