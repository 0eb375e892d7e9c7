"""Copies of sums of trees: with fewer trees, with branches cut, or with rounded leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.variants.trees.fewer import fewer_trees
    from workbench.variants.trees.leaves import quantize_leaves
    from workbench.variants.trees.pruned import prune_trees
else:
    open_door(__name__)

__all__ = [
    "fewer_trees",
    "prune_trees",
    "quantize_leaves",
]
