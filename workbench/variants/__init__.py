"""Models -> Model: ensembles built from trained models, or taken apart into their members."""

from workbench.variants.ensemble import vote
from workbench.variants.stacking import stack
from workbench.variants.unpack import unpack

__all__ = ["stack", "unpack", "vote"]
