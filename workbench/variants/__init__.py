"""Model -> a copy of it: compressed, distilled or rewritten.

A new compressor needs no line here: its file holds a `Recipe`, and that makes the recipe's function a name
of this room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.variants.batch_norm import fold_batch_norm
    from workbench.variants.cast import cast
    from workbench.variants.distill import distill, distill_steps
    from workbench.variants.distill_readable import distill_to_linear, distill_to_tree
    from workbench.variants.fine_tune import fine_tune, fine_tune_steps
    from workbench.variants.low_rank import low_rank
    from workbench.variants.onnx_int8 import quantize_onnx
    from workbench.variants.prune import prune
    from workbench.variants.prune_2_of_4 import prune_2_of_4
    from workbench.variants.prune_channels import prune_channels
    from workbench.variants.pt2e import quantize_static
    from workbench.variants.quantize import fake_quantize
    from workbench.variants.recipes import Recipe, recipe, recipes
    from workbench.variants.reorder_channels import reorder_channels
    from workbench.variants.repair import prune_and_repair, prune_and_repair_steps
    from workbench.variants.sizes import size_of
    from workbench.variants.static_graph import static_graph
    from workbench.variants.stored import load_copy, save_copy
    from workbench.variants.sweep import sweep, sweep_steps
    from workbench.variants.torchao_linear import quantize_dynamic, quantize_weights
    from workbench.variants.training import Epoch, Schedule
    from workbench.variants.transformed_view import transformed_view
    from workbench.variants.trees_fewer import fewer_trees
    from workbench.variants.trees_leaves import quantize_leaves
    from workbench.variants.trees_pruned import prune_trees
else:

    def _of_a_recipe(name: str) -> Any:
        from workbench.variants.recipes import function_called

        return function_called(name)

    open_door(__name__, otherwise=_of_a_recipe)

__all__ = [
    "Epoch",
    "Recipe",
    "Schedule",
    "cast",
    "distill",
    "distill_steps",
    "distill_to_linear",
    "distill_to_tree",
    "fake_quantize",
    "fewer_trees",
    "fine_tune",
    "fine_tune_steps",
    "fold_batch_norm",
    "load_copy",
    "low_rank",
    "prune",
    "prune_2_of_4",
    "prune_and_repair",
    "prune_and_repair_steps",
    "prune_channels",
    "prune_trees",
    "quantize_dynamic",
    "quantize_leaves",
    "quantize_onnx",
    "quantize_static",
    "quantize_weights",
    "recipe",
    "recipes",
    "reorder_channels",
    "save_copy",
    "size_of",
    "static_graph",
    "sweep",
    "sweep_steps",
    "transformed_view",
]
