"""A `torch.nn.Module` or an exported program."""

from __future__ import annotations

import sys
from dataclasses import replace
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

        from workbench.models.torch import looked_through, note_of, torch_model

        if isinstance(native, torch.export.ExportedProgram):
            native, wrapping = native.module(), wrapping.named("exported program")
        module, wrappers = looked_through(native)
        wrapping = wrapping.named(type(module).__name__)
        check_numbers(wrapping.like, wrapping.name)
        model = torch_model(module, wrapping)
        return replace(model, notes=(*model.notes, note_of(wrappers))) if wrappers else model
