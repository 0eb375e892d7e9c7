"""A copy of a module that shares nothing with it, even where torch itself refuses to copy."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def module_copy(module: torch.nn.Module) -> torch.nn.Module:
    """A deep copy.

    Torch copies no tensor that was computed with a graph. Masks of `torch.nn.utils.prune` and weights under
    `torch.nn.utils.weight_norm` leave such tensors beside the parameters; their numbers are copied.
    """
    computed = {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if getattr(value, "grad_fn", None) is not None
    }
    made: torch.nn.Module = copy.deepcopy(module, computed)
    return made
