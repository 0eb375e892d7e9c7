"""Copies with fewer weights: the smallest ones set to zero, or whole channels taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.variants.pruning.prune import By, Scope, prune
    from workbench.variants.pruning.prune_2_of_4 import prune_2_of_4
    from workbench.variants.pruning.prune_channels import prune_channels
else:
    open_door(__name__)

__all__ = [
    "By",
    "Scope",
    "prune",
    "prune_2_of_4",
    "prune_channels",
]
