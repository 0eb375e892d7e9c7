"""The inputs and outputs of each layer of a torch module while it runs, and the tensors in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

See = Callable[[str, "torch.nn.Module", Any, Any], None]
"""A layer's name, the layer, all its arguments and its output."""


@contextmanager
def each_layer(module: torch.nn.Module, see: See) -> Iterator[None]:
    """In this context, `see` is called after every innermost layer; its hooks are removed at the end.

    Args:
        module: the module that runs. Parts in TorchScript take no hooks and are skipped.
        see: receives all of a layer's arguments, including those by keyword.
    """
    import torch

    def hook_of(name: str) -> Callable[..., None]:
        def hook(part: torch.nn.Module, given: Any, named: Any, out: Any) -> None:
            see(name, part, (given, named), out)

        return hook

    handles: list[Any] = []
    try:
        for name, part in module.named_modules():
            scripted = isinstance(part, torch.jit.ScriptModule)
            if name and not scripted and next(part.children(), None) is None:
                handles.append(part.register_forward_hook(hook_of(name), with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in a layer's output: alone, or at any depth in sequences, mappings and dataclasses."""
    import torch

    if isinstance(value, torch.Tensor):
        yield value
        return
    held: Any = ()
    if isinstance(value, Mapping):
        held = value.values()
    elif isinstance(value, tuple | list):
        held = value
    elif is_dataclass(value) and not isinstance(value, type):
        held = [getattr(value, one.name) for one in fields(value)]
    for one in held:
        yield from tensors_in(one)
