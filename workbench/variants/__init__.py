"""Model -> a copy of it: compressed, distilled or rewritten.

A new compressor needs no line here: its file holds a `Recipe`, which makes the recipe's function a name of
this room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.variants.pruning import prune, prune_2_of_4, prune_channels
    from workbench.variants.quantization import (
        cast,
        fake_quantize,
        quantize_dynamic,
        quantize_onnx,
        quantize_static,
        quantize_weights,
    )
    from workbench.variants.recipes import Recipe, recipe, recipes
    from workbench.variants.record import size_of
    from workbench.variants.rewriting import (
        fold_batch_norm,
        low_rank,
        reorder_channels,
        static_graph,
        transformed_view,
    )
    from workbench.variants.stored import load_copy, save_copy
    from workbench.variants.sweep import sweep, sweep_steps
    from workbench.variants.training import (
        Epoch,
        Schedule,
        distill,
        distill_steps,
        distill_to_linear,
        distill_to_tree,
        fine_tune,
        fine_tune_steps,
        prune_and_repair,
        prune_and_repair_steps,
    )
    from workbench.variants.trees import fewer_trees, prune_trees, quantize_leaves
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
