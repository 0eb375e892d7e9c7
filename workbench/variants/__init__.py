"""Models -> Model: ensembles built from trained models, or taken apart into their members."""

from workbench.variants.batch_norm import fold_batch_norm
from workbench.variants.cast import cast
from workbench.variants.composing import compose, reweighted
from workbench.variants.ensemble import vote
from workbench.variants.low_rank import low_rank
from workbench.variants.prune import prune
from workbench.variants.prune_2_of_4 import prune_2_of_4
from workbench.variants.prune_channels import prune_channels
from workbench.variants.pt2e import quantize_static
from workbench.variants.quantize import quantize
from workbench.variants.quantize_fx import quantize_fx
from workbench.variants.reorder_channels import reorder_channels
from workbench.variants.sizes import size_of
from workbench.variants.stacking import stack
from workbench.variants.static_graph import static_graph
from workbench.variants.stored import load_copy, save_copy
from workbench.variants.torchao_linear import quantize_dynamic, quantize_weights
from workbench.variants.unpack import unpack
from workbench.variants.weights import Weighing, weigh

__all__ = [
    "Weighing",
    "cast",
    "compose",
    "fold_batch_norm",
    "load_copy",
    "low_rank",
    "prune",
    "prune_2_of_4",
    "prune_channels",
    "quantize",
    "quantize_dynamic",
    "quantize_fx",
    "quantize_static",
    "quantize_weights",
    "reorder_channels",
    "reweighted",
    "save_copy",
    "size_of",
    "stack",
    "static_graph",
    "unpack",
    "vote",
    "weigh",
]
