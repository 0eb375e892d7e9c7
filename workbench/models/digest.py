"""Hashes of weights: two models with one digest compute the same scores."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


class _UnhashableError(Exception):
    """An object whose content cannot be read; never leaves this file."""


def module_digest(module: torch.nn.Module, *settings: object) -> str:
    """The sha256 of a module's layers, weights and settings, or "" when some cannot be hashed.

    Weights count by name, precision, shape and bytes, so a copy in bfloat16 has another digest.
    """
    import torch

    state = hashlib.sha256()
    for name, part in module.named_modules():
        if isinstance(part, torch.fx.GraphModule):  # numbers such as scales stand in its code
            state.update(part.code.encode())
        layer = f"{name}:{type(part).__qualname__}({part.extra_repr()})"
        state.update(re.sub(r"0x[0-9a-f]+", "", layer).encode())
    for name, tensor in module.state_dict().items():
        if not _feed_tensor(state, name, tensor):
            return ""
    state.update(repr([setting for setting in settings if setting is not None]).encode())
    return state.hexdigest()


def _feed_tensor(state: Any, name: str, tensor: Any) -> bool:
    """Feeds an entry of a module's state; False where its content cannot be read."""
    import torch

    if tensor is None or isinstance(tensor, bool | int | float | str | torch.dtype):
        state.update(f"{name}:{tensor!r}".encode())
        return True
    if isinstance(tensor, tuple):  # as torch's int8 layers keep their weight and bias
        return all(_feed_tensor(state, f"{name}.{i}", one) for i, one in enumerate(tensor))
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        return False
    if hasattr(tensor, "__tensor_flatten__"):  # made of plain tensors, as torchao's integers are
        names, settings = tensor.__tensor_flatten__()
        state.update(f"{name}:{type(tensor).__qualname__}:{settings!r}".encode())
        return all(_feed_tensor(state, f"{name}.{one}", getattr(tensor, one)) for one in names)
    if tensor.is_quantized:
        channels = "channel" in str(tensor.qscheme())
        scales = tensor.q_per_channel_scales().tolist() if channels else tensor.q_scale()
        zeros = tensor.q_per_channel_zero_points().tolist() if channels else tensor.q_zero_point()
        state.update(repr((tensor.qscheme(), scales, zeros)).encode())
        tensor = tensor.int_repr()
    state.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
    flat = tensor.detach().cpu().contiguous().flatten()
    state.update(flat.view(torch.uint8).numpy().tobytes())
    return True


def object_digest(value: object) -> str:
    """The sha256 of an object's fitted state, found by walking it, or "" when it cannot be hashed.

    Nothing is pickled. The content of lambdas, closures and open resources cannot be read, so an object
    that holds one has no digest.

    >>> object_digest({"a": 1, "b": [2.0]}) == object_digest({"b": [2.0], "a": 1})
    True
    >>> object_digest(lambda: 1)
    ''
    """
    state = hashlib.sha256()
    try:
        _feed(state, value, ())
    except (_UnhashableError, RecursionError):
        return ""
    return state.hexdigest()


def _feed(state: Any, value: Any, above: tuple[int, ...]) -> None:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        state.update(f"{type(value).__name__}:{value!r};".encode())
    elif isinstance(value, np.ndarray):
        _feed_array(state, value, above)
    elif isinstance(value, np.generic | np.dtype):
        state.update(f"{value!r};".encode())
    elif isinstance(value, np.random.RandomState):
        _feed(state, value.get_state(legacy=False), above)
    elif isinstance(value, np.random.Generator):
        _feed(state, value.bit_generator.state, above)
    elif id(value) in above:
        state.update(f"cycle:{len(above) - above.index(id(value))};".encode())
    elif callable(value):
        _feed_named(state, value, above)
    elif isinstance(value, Mapping):
        state.update(f"{type(value).__qualname__}{{".encode())
        for key in sorted(value, key=repr):
            _feed(state, key, (*above, id(value)))
            _feed(state, value[key], (*above, id(value)))
        state.update(b"}")
    elif isinstance(value, list | tuple | set | frozenset):
        members = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        state.update(f"{type(value).__qualname__}[".encode())
        for member in members:
            _feed(state, member, (*above, id(value)))
        state.update(b"]")
    else:
        _feed_object(state, value, above)


def _feed_array(state: Any, array: np.ndarray[Any, Any], above: tuple[int, ...]) -> None:
    state.update(f"array:{array.dtype!r}:{array.shape};".encode())
    if array.dtype.names is not None:
        for field in array.dtype.names:  # the bytes between fields are arbitrary
            _feed_array(state, np.asarray(array[field]), above)
    elif array.dtype.hasobject:
        _feed(state, array.tolist(), above)
    else:
        state.update(array.tobytes())


def _feed_named(state: Any, value: Any, above: tuple[int, ...]) -> None:
    """Classes and importable functions count by name; a callable object by its fields."""
    import sys

    name = getattr(value, "__qualname__", getattr(value, "__name__", None))
    if name is None:
        _feed_object(state, value, above)
        return
    module = getattr(value, "__module__", None) or "numpy"
    if getattr(sys.modules.get(module), name, None) is not value and not isinstance(value, type):
        raise _UnhashableError
    state.update(f"{module}.{name};".encode())


def _feed_object(state: Any, value: Any, above: tuple[int, ...]) -> None:
    state.update(f"{type(value).__module__}.{type(value).__qualname__}(".encode())
    if hasattr(value, "__dict__") and not hasattr(type(value), "__reduce_cython__"):
        parts: Any = vars(value)
    else:
        try:
            _, *parts = value.__reduce_ex__(2)
        except (TypeError, AttributeError, ValueError):
            raise _UnhashableError from None
    _feed(state, parts, (*above, id(value)))
    state.update(b")")
