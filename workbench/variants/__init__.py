"""Models -> Model: ensembles built from trained models, or taken apart into their members."""

from workbench.variants.composing import compose, reweighted
from workbench.variants.ensemble import vote
from workbench.variants.stacking import stack
from workbench.variants.unpack import unpack
from workbench.variants.weights import Weighing, weigh

__all__ = ["Weighing", "compose", "reweighted", "stack", "unpack", "vote", "weigh"]
