"""A module on loan: whatever happens while it is used, it is put back as it was."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.errors import ModelError
from workbench.models.asking import random_states_kept
from workbench.models.torch.census import Census

if TYPE_CHECKING:
    import torch

_LOCKS: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()
_GUARD = threading.Lock()


def lock_of(module: torch.nn.Module) -> threading.RLock:
    """The one lock of a module, shared by every model that wraps it."""
    with _GUARD:
        return _LOCKS.setdefault(module, threading.RLock())


@contextmanager
def as_found(module: torch.nn.Module, name: str) -> Iterator[None]:
    """The module in evaluation mode, for one thread; afterwards it and the random states are as before.

    See `Census` for what is put back: even after an error, even where the module itself made the change.

    Raises:
        ModelError: the weights changed meanwhile, so the results belong to no model.
    """
    import torch

    with lock_of(module):
        device = device_of(module)
        census = Census(module)
        kept = True
        try:
            with (
                random_states_kept(),
                torch.autocast(device.type, enabled=False),
            ):
                census.evaluating()
                yield
        finally:
            kept = census.put_back()
        if not kept:
            raise ModelError(
                f"The weights of model {name!r} changed while it was asked: either the module changes or "
                "makes them itself, or something else is training it. Run it once on a batch before it is "
                "wrapped, or wrap a copy (copy.deepcopy(module))."
            )


@contextmanager
def requires_grad(module: torch.nn.Module, required: bool) -> Iterator[None]:
    """In this context every parameter requires a gradient, or none does; afterwards each is as before.

    Where none does, gradients are for inputs alone and none is stored. Where all do, a graph that reaches
    only the parameters can be told from no graph at all.
    """
    import torch

    wanted = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        with torch.inference_mode(False), torch.enable_grad():
            for parameter, _ in wanted:
                parameter.requires_grad_(required and parameter.is_floating_point())
            yield
    finally:
        for parameter, before in wanted:
            parameter.requires_grad_(before)


def device_of(module: torch.nn.Module) -> torch.device:
    """Where the module computes: the device of its first parameter or buffer."""
    import torch

    first = next(_tensors(module), None)
    return torch.device("cpu") if first is None else first.device


def dtype_of(module: torch.nn.Module) -> torch.dtype:
    """The precision the module computes in: that of its first floating parameter or buffer."""
    import torch

    return next(
        (tensor.dtype for tensor in _tensors(module) if tensor.is_floating_point()),
        torch.get_default_dtype(),
    )


def _tensors(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Parameters, then buffers, module by module: a caller that needs only the first walks no further."""
    for kind in ("_parameters", "_buffers"):
        for part in module.modules():
            held = getattr(part, kind).values()
            yield from (tensor for tensor in held if tensor is not None)
