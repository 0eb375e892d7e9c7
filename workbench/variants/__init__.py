"""Models -> Model: ensembles, and copies that are compressed, distilled or rewritten."""

from workbench.variants.batch_norm import fold_batch_norm
from workbench.variants.composing import compose, reweighted
from workbench.variants.ensemble import vote
from workbench.variants.low_rank import low_rank
from workbench.variants.prune import prune
from workbench.variants.prune_2_of_4 import prune_2_of_4
from workbench.variants.prune_channels import prune_channels
from workbench.variants.recipes import Recipe, recipe, recipes
from workbench.variants.reorder_channels import reorder_channels
from workbench.variants.sizes import size_of
from workbench.variants.stacking import stack
from workbench.variants.static_graph import static_graph
from workbench.variants.sweep import SweepStep, sweep, sweep_steps
from workbench.variants.unpack import unpack
from workbench.variants.weights import Weighing, weigh

__all__ = [
    "Recipe",
    "SweepStep",
    "Weighing",
    "compose",
    "fold_batch_norm",
    "low_rank",
    "prune",
    "prune_2_of_4",
    "prune_channels",
    "recipe",
    "recipes",
    "reorder_channels",
    "reweighted",
    "size_of",
    "stack",
    "static_graph",
    "sweep",
    "sweep_steps",
    "unpack",
    "vote",
    "weigh",
]
