"""Models -> Model: ensembles, and copies that are compressed, distilled or rewritten."""

from workbench.variants.composing import compose, reweighted
from workbench.variants.ensemble import vote
from workbench.variants.recipes import Recipe, recipe, recipes
from workbench.variants.stacking import stack
from workbench.variants.sweep import SweepStep, sweep, sweep_steps
from workbench.variants.unpack import unpack
from workbench.variants.weights import Weighing, weigh

__all__ = [
    "Recipe",
    "SweepStep",
    "Weighing",
    "compose",
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
