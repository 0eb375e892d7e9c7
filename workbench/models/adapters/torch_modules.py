"""A `torch.nn.Module` or an exported program."""

from __future__ import annotations

import sys
from typing import Any

from workbench.core import Model
from workbench.models.arguments import Wrapping
from workbench.models.columns import check_numbers


class TorchModules:
    """Modules of torch; of an exported program, the module it holds."""

    what = "a live torch.nn.Module"
    reads = ("preprocess", "output")
    order = 1

    def recognizes(self, native: object) -> bool:
        """Whether it is a module or an exported program."""
        torch = sys.modules.get("torch")
        return torch is not None and isinstance(
            native, torch.nn.Module | torch.export.ExportedProgram
        )

    def wrap(self, native: Any, wrapping: Wrapping) -> Model:
        """See `torch_model`."""
        import torch

        from workbench.models.torch import torch_model

        if isinstance(native, torch.export.ExportedProgram):
            native, wrapping = native.module(), wrapping.named("exported program")
        wrapping = wrapping.named(type(native).__name__)
        check_numbers(wrapping.like, wrapping.name)
        return torch_model(native, wrapping)
