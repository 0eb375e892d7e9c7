"""Each part of a torch module while it runs once: what it reads, what it gives, and how often."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.models.torch.layer_outputs import tensors_in

if TYPE_CHECKING:
    import torch

Key = tuple[int, int]
"""A tensor at one moment: an in-place layer after it gives the same object another version."""

_WEIGHTED = re.compile(r"Conv|Linear")


@dataclass(frozen=True)
class Seen:
    """One part of the module, and its only run.

    Args:
        name: in the module.
        kind: the name of its class.
        kinds: the names of its class and all above it.
        key: what tells its output from other tensors.
        given: what tells the tensors that it read.
        inner: whether it has no parts of its own.
        weighted: whether it multiplies by weights: a convolution or a linear layer.
        normal: whether it has other parameters, as a normalization has.
        runs: how often it ran.
        out: its output, as long as it is needed.
        read: the tensors that it read, as long as they are needed.
    """

    name: str
    kind: str
    kinds: tuple[str, ...]
    key: Key
    given: tuple[Key, ...]
    inner: bool
    weighted: bool
    normal: bool
    runs: int
    out: Any
    read: tuple[Any, ...]

    def without_tensors(self) -> Seen:
        """The same, for keeping."""
        return replace(self, out=None, read=())


def looked(
    module: torch.nn.Module,
    run: Callable[[], object],
    watch: Callable[[str, tuple[Any, ...], Any], None] | None = None,
) -> list[Seen]:
    """The parts of a module in the order in which they ended, one entry each.

    Args:
        module: hooks are set on its parts, and removed. Parts in TorchScript take none.
        run: runs the module once.
        watch: receives a part's name, the tensors it read and its output instead; then nothing is kept.
    """
    import torch

    seen: dict[str, Seen] = {}
    began: dict[str, list[tuple[Key, ...]]] = {}

    def before(name: str) -> Callable[..., None]:
        def hook(_part: Any, given: Any, named: Any) -> None:
            keys = tuple(map(_key, tensors_in((given, named))))
            began.setdefault(name, []).append(keys)

        return hook

    def after(name: str) -> Callable[..., None]:
        def hook(part: torch.nn.Module, given: Any, named: Any, out: Any) -> None:
            read = tuple(tensors_in((given, named)))
            if watch is not None:
                watch(name, read, out)
                return
            keys = began.get(name, [()]).pop()
            runs = seen.pop(name).runs + 1 if name in seen else 1
            seen[name] = _seen(name, part, keys, read, out, runs)

        return hook

    handles: list[Any] = []
    try:
        for name, part in module.named_modules():
            if name and not isinstance(part, torch.jit.ScriptModule):
                handles.append(part.register_forward_pre_hook(before(name), with_kwargs=True))
                handles.append(part.register_forward_hook(after(name), with_kwargs=True))
        with _uncompiled():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return list(seen.values())


def _uncompiled() -> AbstractContextManager[None]:
    """In this context compiled modules run as they were written: a compiler would trace the hooks too."""
    import torch

    if "torch._dynamo" not in sys.modules:  # nothing was compiled
        return nullcontext()
    stance: AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
    return stance


def _seen(
    name: str, part: torch.nn.Module, keys: tuple[Key, ...], read: Any, out: Any, runs: int
) -> Seen:
    kinds = tuple(one.__name__ for one in type(part).__mro__)
    inner = next(part.children(), None) is None
    weighted = inner and any(map(_WEIGHTED.search, kinds))
    has = any(True for _ in part.parameters(recurse=False))
    key = _key(out) if hasattr(out, "_version") else (id(out), -1)
    return Seen(
        name, kinds[0], kinds, key, keys, inner, weighted, has and not weighted, runs, out, read
    )


def _key(tensor: Any) -> Key:
    return id(tensor), tensor._version
