"""Which layer is the first to give numbers that are not finite; asked only where a model failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.core import clean

if TYPE_CHECKING:
    import torch


def first_not_finite(
    module: torch.nn.Module,
    prepare: Callable[[], Any],
    run: Callable[[], torch.Tensor],
) -> str:
    """The first innermost layer, in the order of execution, whose output holds NaN or infinity.

    Args:
        module: hooks are set on its parts, and removed.
        prepare: gives what the module reads: a tensor, or several.
        run: runs the module once, and gives its scores.
    """
    import torch

    found: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def hook(part: Any, _given: Any, out: Any) -> None:
            if not found and not all(map(_finite, _tensors(out))):
                bad = [one for one, weight in part.named_parameters() if not _finite(weight)]
                why = f", with NaN or infinity in its {' and '.join(bad)}" if bad else ""
                found.append(f"{clean(name)!r} ({type(part).__name__}){why}")

        return hook

    if not all(map(_finite, _tensors(prepare()))):
        return "Its preprocessing turns that row into NaN or infinity."
    handles: list[Any] = []
    try:
        for name, part in module.named_modules():
            scripted = isinstance(part, torch.jit.ScriptModule)  # takes no hooks
            if name and not scripted and next(part.children(), None) is None:
                handles.append(part.register_forward_hook(watch(name)))
        scores = run()
    finally:
        for handle in handles:
            handle.remove()
    if found:
        return f"The first layer whose output is not finite is {found[0]}."
    if _finite(scores):
        return "Asked for that row alone, it gives finite scores."
    return "No layer gives them: they arise between the layers, or after the last."


def _finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def _tensors(out: Any) -> list[Any]:
    """The tensors that a layer gave, alone or in a sequence or mapping."""
    import torch

    if isinstance(out, torch.Tensor):
        return [out]
    if isinstance(out, dict):
        out = list(out.values())
    return (
        [one for one in out if isinstance(one, torch.Tensor)]
        if isinstance(out, list | tuple)
        else []
    )
