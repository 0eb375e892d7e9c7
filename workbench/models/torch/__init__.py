"""torch modules: called for scores, gradients and activations, and left as they were found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.models.torch.answers import selected
    from workbench.models.torch.arguments import in_order
    from workbench.models.torch.copies import module_copy
    from workbench.models.torch.engine import TorchEngine
    from workbench.models.torch.gradient_check import check_gradient
    from workbench.models.torch.gradient_scan import compiled
    from workbench.models.torch.module import engine_of, remade, torch_engine_of, torch_model
    from workbench.models.torch.order import Order
    from workbench.models.torch.state import as_found, device_of, dtype_of, lock_of
    from workbench.models.torch.wrappers import looked_through, note_of
else:
    open_door(__name__)

__all__ = [
    "Order",
    "TorchEngine",
    "as_found",
    "check_gradient",
    "compiled",
    "device_of",
    "dtype_of",
    "engine_of",
    "in_order",
    "lock_of",
    "looked_through",
    "module_copy",
    "note_of",
    "remade",
    "selected",
    "torch_engine_of",
    "torch_model",
]
