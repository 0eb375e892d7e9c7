"""A fresh module to fill with the weights of a file."""

from __future__ import annotations

import inspect
from typing import Any

from workbench.errors import IncompatibleError, InputError
from workbench.models.intake import File
from workbench.models.torch_copies import module_copy


def fresh(architecture: object, file: File) -> Any:
    """A module of its own for this file, so that two files never share one.

    Args:
        architecture: a module, which is copied, or a function without arguments that makes one.
        file: for messages.

    Raises:
        InputError: it was left out, or needs arguments.
        IncompatibleError: it is no module and makes none.
    """
    from torch import nn

    wanted = (
        f"{file.shown!r} holds weights alone, so architecture= must be the torch module they belong to, or "
        "a function without arguments that makes one"
    )
    if architecture is None:
        raise InputError(
            f"{wanted}, but it was left out. For the bundled networks: "
            "architecture=workbench.models.small_cnn."
        )
    if isinstance(architecture, nn.Module):
        return module_copy(architecture).eval()
    if not callable(architecture):
        raise IncompatibleError(f"{wanted}, not a {type(architecture).__name__}.")
    called = getattr(architecture, "__name__", type(architecture).__name__)
    try:
        needed = [
            parameter.name
            for parameter in inspect.signature(architecture).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
    except ValueError:  # some built-in callables have no signature to read
        needed = []
    if needed:
        raise InputError(
            f"{wanted}, but {called} needs the arguments {needed}. Give them: "
            f"architecture=lambda: {called}({needed[0]}=...)."
        )
    module = architecture()
    if not isinstance(module, nn.Module):
        raise IncompatibleError(f"{wanted}, but {called}() gave a {type(module).__name__}.")
    return module.eval()
