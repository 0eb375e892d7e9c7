"""The spatial layers of a torch module: a list of them, and the output of one of them on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.models.torch.answers import described

if TYPE_CHECKING:
    import torch

_POOLING = frozenset(
    f"{kind}Pool2d" for kind in ("Max", "Avg", "LP", "FractionalMax", "AdaptiveAvg", "AdaptiveMax")
)


def found_layers(module: torch.nn.Module, run: Callable[[], object]) -> dict[str, tuple[int, ...]]:
    """Layers whose output has height and width: {name: (c, h, w)}, in the order of execution.

    Where several modules give the same tensor (a block and its last layer), the innermost is listed. A
    module that runs more than once is not listed, since its name does not say which run is meant; the block
    around it is. Pooling at the very end is not listed either, so that the last entry is the finest map
    that the classifier reads.

    Args:
        module: hooks are set on its parts, and removed.
        run: runs the module once.
    """
    import torch

    seen: list[tuple[str, str, torch.Tensor, int]] = []
    runs: dict[str, int] = {}

    def note(name: str, kind: str) -> Callable[..., None]:
        def hook(_module: Any, _given: Any, out: Any) -> None:
            runs[name] = runs.get(name, 0) + 1
            if getattr(out, "ndim", None) == 4:
                seen.append((name, kind, out, out._version))

        return hook

    handles: list[Any] = []
    try:
        for name, part in module.named_modules():
            if name and not isinstance(part, torch.jit.ScriptModule):  # which takes no hooks
                handles.append(part.register_forward_hook(note(name, type(part).__name__)))
        run()
    finally:
        for handle in handles:
            handle.remove()
    # The version distinguishes a tensor before an in-place layer from the same tensor after it.
    found: dict[tuple[int, int], tuple[str, str, tuple[int, ...]]] = {}
    for name, kind, out, version in seen:
        if runs[name] == 1:
            found.setdefault((id(out), version), (name, kind, tuple(out.shape[1:])))
    layers = list(found.values())
    while layers and layers[-1][1] in _POOLING:
        layers.pop()
    return {name: shape for name, _, shape in layers}


def no_maps(seen: list[Any]) -> str:
    """Why a layer gave no maps, or more than one, from its outputs; the middle of a sentence."""
    if not seen:
        return "does not run for these rows"
    if len(seen) > 1:
        return f"runs {len(seen)} times per row, so its name does not say which run is meant"
    return f"{described(seen[0])} instead of maps (n, c, h, w)"


def mixes_rows(module: torch.nn.Module) -> bool:
    """Whether a layer is known to use numbers from the whole batch, even in evaluation mode."""
    from torch.nn.modules.batchnorm import _BatchNorm

    return any(
        (isinstance(part, _BatchNorm) and part.running_mean is None)
        or "quantized.dynamic" in type(part).__module__
        for part in module.modules()
    )


@contextmanager
def cut(part: torch.nn.Module, *, leaf: bool = True) -> Iterator[list[Any]]:
    """Collects a layer's output; as a `leaf`, so that only what follows is differentiated."""
    import torch

    seen: list[Any] = []

    def hook(_module: Any, _given: Any, out: Any) -> torch.Tensor | None:
        if not isinstance(out, torch.Tensor) or out.ndim != 4 or seen:
            seen.append(out)
            return None
        if out.is_quantized:  # such integers become plain numbers, since they cannot be a leaf
            seen.append(out.detach().dequantize())
            return None
        if not leaf:
            seen.append(out.detach().clone())  # a later in-place layer could change it
            return None
        start = out.detach().requires_grad_()
        seen.append(start)
        return start.clone()  # for the same reason, and because a leaf must not be written to

    handle = part.register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()
