"""Copies written differently: layers folded, reordered, factored; a pipeline's last step by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.variants.rewriting.batch_norm import fold_batch_norm
    from workbench.variants.rewriting.channels import Units, read_channels, relaid
    from workbench.variants.rewriting.low_rank import low_rank
    from workbench.variants.rewriting.reorder_channels import reorder_channels
    from workbench.variants.rewriting.static_graph import static_graph
    from workbench.variants.rewriting.transformed_view import transformed_view
else:
    open_door(__name__)

__all__ = [
    "Units",
    "fold_batch_norm",
    "low_rank",
    "read_channels",
    "relaid",
    "reorder_channels",
    "static_graph",
    "transformed_view",
]
