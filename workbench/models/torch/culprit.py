"""Which layer is the first to give numbers that are not finite; looked for only when a model failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.core import clean
from workbench.models.torch.layer_outputs import each_layer, tensors_in

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
        prepare: returns what the module reads: a tensor, or several.
        run: runs the module once, and returns its scores.
    """
    found: list[str] = []

    def see(name: str, part: torch.nn.Module, _given: Any, out: Any) -> None:
        if not found and not all(map(_finite, tensors_in(out))):
            bad = [one for one, weight in part.named_parameters() if not _finite(weight)]
            why = f", with NaN or infinity in its {' and '.join(bad)}" if bad else ""
            found.append(f"{clean(name)!r} ({type(part).__name__}){why}")

    if not all(map(_finite, tensors_in(prepare()))):
        return "Its preprocessing turns that row into NaN or infinity."
    with each_layer(module, see):
        scores = run()
    if found:
        return f"The first layer whose output is not finite is {found[0]}."
    if _finite(scores):
        return "Asked for that row alone, it gives finite scores."
    return "No layer gives them: they arise between the layers, or after the last."


def _finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())
