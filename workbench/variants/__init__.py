"""Models -> Model: ensembles, and copies that are compressed, distilled or rewritten."""

from workbench.variants.composing import compose, reweighted
from workbench.variants.distill import distill, distill_steps
from workbench.variants.ensemble import vote
from workbench.variants.fine_tune import fine_tune, fine_tune_steps
from workbench.variants.recipes import Recipe, recipe, recipes
from workbench.variants.stacking import stack
from workbench.variants.sweep import SweepStep, sweep, sweep_steps
from workbench.variants.training import Epoch
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
    "fine_tune",
    "fine_tune_steps",
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
