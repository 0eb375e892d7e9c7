"""A module on loan: whatever happens while it is used, it goes back as it was."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import ModelError

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
    """The module in evaluation mode, for one thread; modes, buffers and random states come back.

    Modes are set one by one rather than with `eval()`, which some modules override (to merge weights,
    to keep a layer training) and which could not be undone exactly.

    Raises:
        ModelError: the weights changed meanwhile, so what was computed belongs to no model.
    """
    import torch

    with lock_of(module):
        device = device_of(module)
        parts = list(module.modules())  # walked once: small models are asked thousands of times
        modes = [(part, part.training) for part in parts]
        buffers = _kept_buffers(parts)
        weights = [
            (part._parameters, name, parameter, _version(parameter))
            for part in parts
            for name, parameter in part._parameters.items()
            if parameter is not None
        ]
        numpy_state = np.random.get_state()
        cuda = [device] if device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=cuda), torch.autocast(device.type, enabled=False):
                for part, _ in modes:
                    part.training = False
                yield
        finally:
            for part, training in modes:
                part.training = training
            _put_back(buffers)
            np.random.set_state(numpy_state)
        # TorchScript's tables of parameters have no `get`.
        replaced = [one for one in weights if one[1] not in one[0] or one[0][one[1]] is not one[2]]
        for holder, place, parameter, _ in replaced:
            holder[place] = parameter
        if replaced or any(_version(one) != version for _, _, one, version in weights):
            raise ModelError(
                f"The weights of model {name!r} changed while it was asked: either the module changes "
                "them itself or something else is training it. Wrap a copy (copy.deepcopy(module))."
            )


@contextmanager
def frozen(module: torch.nn.Module) -> Iterator[None]:
    """Gradients for inputs alone: no parameter asks for one, so none is computed or stored."""
    with _asking(module, False):
        yield


@contextmanager
def melted(module: torch.nn.Module) -> Iterator[None]:
    """Every parameter asks for a gradient: a graph that reaches them alone is told from no graph at all."""
    with _asking(module, True):
        yield


@contextmanager
def _asking(module: torch.nn.Module, ask: bool) -> Iterator[None]:
    import torch

    wanted = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        with torch.inference_mode(False), torch.enable_grad():
            for parameter, _ in wanted:
                parameter.requires_grad_(ask and parameter.is_floating_point())
            yield
    finally:
        for parameter, requires_grad in wanted:
            parameter.requires_grad_(requires_grad)


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
    """Parameters, then buffers, module by module: whoever needs the first walks no further."""
    for kind in ("_parameters", "_buffers"):
        for part in module.modules():
            held = getattr(part, kind).values()
            yield from (tensor for tensor in held if tensor is not None)


_Kept = list[tuple[dict[str, Any], str, Any, int | None, Any]]


def _kept_buffers(parts: list[torch.nn.Module]) -> _Kept:
    return [
        (part._buffers, name, buffer, None, None)
        if buffer is None
        else (part._buffers, name, buffer, _version(buffer), buffer.detach().clone())
        for part in parts
        for name, buffer in part._buffers.items()
    ]


def _put_back(buffers: _Kept) -> None:
    import torch

    for holder, name, buffer, version, copy in buffers:
        holder[name] = buffer
        if buffer is not None and (version is None or _version(buffer) != version):
            with torch.inference_mode(buffer.is_inference()), torch.no_grad():
                buffer.copy_(copy)


def _version(tensor: torch.Tensor) -> int | None:
    """How often the tensor was written to; None where torch does not count."""
    return None if tensor.is_inference() else tensor._version
