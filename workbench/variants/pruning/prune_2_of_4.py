"""2:4 pruning: of every four neighboring weights, the two smallest are zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import IncompatibleError
from workbench.models.torch import remade
from workbench.variants.recipes import Recipe
from workbench.variants.record import (
    beyond_reach,
    copied,
    recorded,
    running,
    weight_of,
    weighted_layers,
)

if TYPE_CHECKING:
    import torch


@repeatable
def prune_2_of_4(model: Model, *, rows: Inputs | None = None, name: str | None = None) -> Model:
    """A copy in which two of every four weights along a layer's input are zero.

    Sparse tensor cores compute with this pattern; on a CPU it saves no time. For convolutions the four
    weights belong to neighboring input channels at one place of the kernel, as those cores read them.
    Layers whose number of inputs is no multiple of four are left alone and counted. Of equal weights the
    later ones go.

    Args:
        rows: to try both models on.
        name: of the copy.

    Raises:
        IncompatibleError: no layer's input is a multiple of four; a model of another library.

    Source: Mishra et al. 2021, section 3. **Differs:** no retraining follows (see `fine_tune`).
    """
    import torch

    module = copied(model)
    layers = weighted_layers(module, model.name)
    fitting = {path: layer for path, layer in layers.items() if _width(layer) % 4 == 0}
    if not fitting:
        widths = {path: _width(layer) for path, layer in list(layers.items())[:8]}
        raise IncompatibleError(
            f"A layer whose number of inputs is a multiple of 4 is needed, but model {model.name!r} has "
            f"{widths}. Use prune(model, 0.5) instead."
        )
    touched = 0
    with torch.no_grad():
        for layer in fitting.values():
            weight, axis = weight_of(layer), _inputs_axis(layer)
            lines = weight.movedim(axis, -1)
            fours = lines.reshape(-1, 4)
            # The stable sort decides ties the same way on every device.
            keep = fours.abs().argsort(dim=1, descending=True, stable=True)[:, :2]
            kept = torch.zeros_like(fours).scatter(1, keep, fours.gather(1, keep))
            pruned = kept.reshape(lines.shape).movedim(-1, axis)
            touched += not torch.equal(pruned, weight)
            weight.copy_(pruned)
    label = name or f"{model.name}, 2 of 4 pruned"
    left = len(layers) - len(fitting)
    notes: tuple[str, ...] = (
        (f"{left} of {len(layers)} layers are left whole: their inputs are no multiple of 4.",)
        if left
        else ()
    )
    reached = [weight_of(layer) for layer in fitting.values()]
    said = [layer for path, layer in layers.items() if path not in fitting]
    notes += tuple(filter(None, [beyond_reach(module, reached, said=said)]))
    return recorded(
        remade(model, module, name=label),
        model,
        recipe="prune_2_of_4(model)",
        description="the two smallest of every four neighboring weights set to zero",
        runs_as=running(module),
        touched=touched,
        layers=len(layers),
        rows=rows,
        notes=notes,
    )


def _width(layer: torch.nn.Module) -> int:
    """The number of inputs, of each group, that one output reads."""
    return weight_of(layer).shape[_inputs_axis(layer)]


def _inputs_axis(layer: torch.nn.Module) -> int:
    """Transposed convolutions hold (in, out, ...), the other layers (out, in, ...)."""
    return 0 if getattr(layer, "transposed", False) else 1


RECIPE = Recipe("prune_2_of_4", "2 of 4 pruning", "prune_2_of_4", order=24)
