"""The record of a copy: what was changed, its size, and whether it still computes the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.variants.record.applies import (
        FORESTS,
        HISTOGRAM_BOOSTING,
        Applies,
        for_batch_norm,
        for_fewer_trees,
        for_leaves,
        for_pruned_trees,
        for_tables,
        for_torch,
    )
    from workbench.variants.record.layers import (
        copied,
        places,
        refuse_integers,
        replaceable,
        running,
        weight_of,
        weighted_layers,
    )
    from workbench.variants.record.reach import beyond_reach, multiplying_weights
    from workbench.variants.record.record import recorded
    from workbench.variants.record.sizes import size_of
    from workbench.variants.record.trying import TRIED, rows_to_try
else:
    open_door(__name__)

__all__ = [
    "FORESTS",
    "HISTOGRAM_BOOSTING",
    "TRIED",
    "Applies",
    "beyond_reach",
    "copied",
    "for_batch_norm",
    "for_fewer_trees",
    "for_leaves",
    "for_pruned_trees",
    "for_tables",
    "for_torch",
    "multiplying_weights",
    "places",
    "recorded",
    "refuse_integers",
    "replaceable",
    "rows_to_try",
    "running",
    "size_of",
    "weight_of",
    "weighted_layers",
]
