"""Models -> one Model: ensembles built, taken apart, weighed, and explained with their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.ensembles.composing import compose, reweighted
    from workbench.ensembles.stacking import stack
    from workbench.ensembles.unpacking import unpack
    from workbench.ensembles.voting import vote
    from workbench.ensembles.weighing import Weighing, weigh
else:
    open_door(__name__)

__all__ = [
    "Weighing",
    "compose",
    "reweighted",
    "stack",
    "unpack",
    "vote",
    "weigh",
]
