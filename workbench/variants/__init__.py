"""Models -> Model: ensembles, and copies that are compressed, distilled or rewritten.

A name is imported when it is first asked for. A new compressor needs no line here: its file holds a
`Recipe`, and that makes the recipe's function a name of this room.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.variants.batch_norm import fold_batch_norm as fold_batch_norm
    from workbench.variants.cast import cast as cast
    from workbench.variants.composing import compose as compose
    from workbench.variants.composing import reweighted as reweighted
    from workbench.variants.distill import distill as distill
    from workbench.variants.distill import distill_steps as distill_steps
    from workbench.variants.distill_readable import distill_to_linear as distill_to_linear
    from workbench.variants.distill_readable import distill_to_tree as distill_to_tree
    from workbench.variants.ensemble import vote as vote
    from workbench.variants.fine_tune import fine_tune as fine_tune
    from workbench.variants.fine_tune import fine_tune_steps as fine_tune_steps
    from workbench.variants.low_rank import low_rank as low_rank
    from workbench.variants.onnx_int8 import quantize_onnx as quantize_onnx
    from workbench.variants.prune import prune as prune
    from workbench.variants.prune_2_of_4 import prune_2_of_4 as prune_2_of_4
    from workbench.variants.prune_channels import prune_channels as prune_channels
    from workbench.variants.pt2e import quantize_static as quantize_static
    from workbench.variants.quantize import fake_quantize as fake_quantize
    from workbench.variants.recipes import Recipe as Recipe
    from workbench.variants.recipes import recipe as recipe
    from workbench.variants.recipes import recipes as recipes
    from workbench.variants.reorder_channels import reorder_channels as reorder_channels
    from workbench.variants.repair import prune_and_repair as prune_and_repair
    from workbench.variants.repair import prune_and_repair_steps as prune_and_repair_steps
    from workbench.variants.sizes import size_of as size_of
    from workbench.variants.stacking import stack as stack
    from workbench.variants.static_graph import static_graph as static_graph
    from workbench.variants.stored import load_copy as load_copy
    from workbench.variants.stored import save_copy as save_copy
    from workbench.variants.sweep import sweep as sweep
    from workbench.variants.sweep import sweep_steps as sweep_steps
    from workbench.variants.torchao_linear import quantize_dynamic as quantize_dynamic
    from workbench.variants.torchao_linear import quantize_weights as quantize_weights
    from workbench.variants.training import Epoch as Epoch
    from workbench.variants.training import Schedule as Schedule
    from workbench.variants.transformed_view import transformed_view as transformed_view
    from workbench.variants.trees_fewer import fewer_trees as fewer_trees
    from workbench.variants.trees_leaves import quantize_leaves as quantize_leaves
    from workbench.variants.trees_pruned import prune_trees as prune_trees
    from workbench.variants.unpack import unpack as unpack
    from workbench.variants.weights import Weighing as Weighing
    from workbench.variants.weights import weigh as weigh

_FILES = {
    "fold_batch_norm": "workbench.variants.batch_norm",
    "cast": "workbench.variants.cast",
    "compose": "workbench.variants.composing",
    "reweighted": "workbench.variants.composing",
    "distill": "workbench.variants.distill",
    "distill_steps": "workbench.variants.distill",
    "distill_to_linear": "workbench.variants.distill_readable",
    "distill_to_tree": "workbench.variants.distill_readable",
    "vote": "workbench.variants.ensemble",
    "fine_tune": "workbench.variants.fine_tune",
    "fine_tune_steps": "workbench.variants.fine_tune",
    "low_rank": "workbench.variants.low_rank",
    "quantize_onnx": "workbench.variants.onnx_int8",
    "prune": "workbench.variants.prune",
    "prune_2_of_4": "workbench.variants.prune_2_of_4",
    "prune_channels": "workbench.variants.prune_channels",
    "quantize_static": "workbench.variants.pt2e",
    "fake_quantize": "workbench.variants.quantize",
    "Recipe": "workbench.variants.recipes",
    "recipe": "workbench.variants.recipes",
    "recipes": "workbench.variants.recipes",
    "reorder_channels": "workbench.variants.reorder_channels",
    "prune_and_repair": "workbench.variants.repair",
    "prune_and_repair_steps": "workbench.variants.repair",
    "size_of": "workbench.variants.sizes",
    "stack": "workbench.variants.stacking",
    "static_graph": "workbench.variants.static_graph",
    "load_copy": "workbench.variants.stored",
    "save_copy": "workbench.variants.stored",
    "sweep": "workbench.variants.sweep",
    "sweep_steps": "workbench.variants.sweep",
    "quantize_dynamic": "workbench.variants.torchao_linear",
    "quantize_weights": "workbench.variants.torchao_linear",
    "Epoch": "workbench.variants.training",
    "Schedule": "workbench.variants.training",
    "transformed_view": "workbench.variants.transformed_view",
    "fewer_trees": "workbench.variants.trees_fewer",
    "quantize_leaves": "workbench.variants.trees_leaves",
    "prune_trees": "workbench.variants.trees_pruned",
    "unpack": "workbench.variants.unpack",
    "Weighing": "workbench.variants.weights",
    "weigh": "workbench.variants.weights",
}

__all__ = list(_FILES)


def __getattr__(name: str) -> Any:
    """The thing of this name, whose file is imported now."""
    if name in _FILES:
        found = getattr(importlib.import_module(_FILES[name]), name)
    elif name.startswith("_"):
        found = None
    else:
        from workbench.variants.recipes import function_called

        found = function_called(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_FILES})


class _Room(ModuleType):
    """This module, where `prune` stays the function when the file `prune.py` is imported.

    The import system binds every file to its name in the room, which would hide a function of that name.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType):
            if name in _FILES:
                return
            value = vars(value).get(name, value)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room
