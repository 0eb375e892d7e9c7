"""Models -> Model: ensembles, and copies that are compressed, distilled or rewritten."""

from workbench.variants.composing import compose, reweighted
from workbench.variants.distill import distill, distill_steps
from workbench.variants.distill_readable import distill_to_linear, distill_to_tree
from workbench.variants.ensemble import vote
from workbench.variants.fine_tune import fine_tune, fine_tune_steps
from workbench.variants.recipes import Recipe, recipe, recipes
from workbench.variants.stacking import stack
from workbench.variants.sweep import SweepStep, sweep, sweep_steps
from workbench.variants.training import Epoch
from workbench.variants.trees_fewer import fewer_trees
from workbench.variants.trees_leaves import quantize_leaves
from workbench.variants.trees_pruned import prune_trees
from workbench.variants.unpack import unpack
from workbench.variants.weights import Weighing, weigh

__all__ = [
    "Epoch",
    "Recipe",
    "SweepStep",
    "Weighing",
    "compose",
    "distill",
    "distill_steps",
    "distill_to_linear",
    "distill_to_tree",
    "fewer_trees",
    "fine_tune",
    "fine_tune_steps",
    "prune_trees",
    "quantize_leaves",
    "recipe",
    "recipes",
    "reweighted",
    "stack",
    "sweep",
    "sweep_steps",
    "unpack",
    "vote",
    "weigh",
]
