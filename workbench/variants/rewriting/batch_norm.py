"""Batch normalization folded into the layers before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models.torch import dtype_of, engine_of, remade
from workbench.variants.recipes import Recipe
from workbench.variants.record import (
    copied,
    for_batch_norm,
    places,
    recorded,
    refuse_integers,
    replaceable,
    running,
)

if TYPE_CHECKING:
    import torch

_ROUNDING = 1e-3
"""A share of the largest score: far above the effect of another order of float32 sums, far below that of a
wrong fold. In half precision every layer rounds by more: 16 units in its last digit are allowed there."""


@repeatable
def fold_batch_norm(model: Model, *, rows: Inputs | None = None, name: str | None = None) -> Model:
    """A copy whose batch normalization is part of the weights before it: its scores differ by rounding.

    In evaluation a batch norm multiplies and shifts every channel by fixed numbers, which a linear layer
    or convolution just before it can do itself. Batch norms after other layers, or those that average over
    the batch, are left and counted. `Identity` takes the place of a folded one, so the names of layers
    stay; the layer before it then gives the output of the norm.

    Args:
        rows: to run the network on once, and to try both models on; else those it was wrapped for.
        name: of the copy.

    Raises:
        IncompatibleError: no batch norm, or none that can be folded; a model of another library.
        ModelError: the scores changed by more than rounding.

    Source: Jacob et al. 2018, equation 14.
    """
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm

    module = copied(model)
    refuse_integers(module, model.name)
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    if not norms:
        raise IncompatibleError(
            f"A network with batch normalization is needed, but {model.name!r} has none. Use "
            "reorder_channels or static_graph for a copy that changes nothing."
        )
    pairs = [
        (layer, norm)
        for layer, norm in _pairs(model, module, rows)
        if norm.running_mean is not None and replaceable(module, layer)
    ]
    if not pairs:
        raise IncompatibleError(
            f"A batch norm right after a linear or convolution layer is needed, but none of the "
            f"{len(norms)} of {model.name!r} follows one that nothing else reads, with running statistics. "
            "Use static_graph for a copy that changes nothing."
        )
    for layer, norm in pairs:
        _fold(layer, norm)
        for owner, key in places(module, norm):
            owner._modules[key] = nn.Identity()
    left = len(norms) - len(pairs)
    notes = (
        (
            f"{left} of {len(norms)} batch norms stay: they do not follow a layer that can take them in.",
        )
        if left
        else ()
    )
    folded = recorded(
        remade(model, module, name=name or f"{model.name}, batch norm folded"),
        model,
        recipe="fold_batch_norm(model)",
        description=f"{len(pairs)} batch norms folded into the layers before them",
        runs_as=running(module),
        touched=len(pairs),
        layers=len(norms),
        rows=rows,
        notes=notes,
    )
    _still_the_same(folded, model, rows)
    return folded


def _pairs(model: Model, module: torch.nn.Module, rows: Inputs | None) -> list[tuple[Any, Any]]:
    """Layers with the batch norm that alone reads their output: by the graph, or without one by the
    order in `Sequential`."""
    from torch import nn

    from workbench.variants.rewriting.graph import run_graph

    try:
        graph, shapes = run_graph(model, module, rows)
    except (IncompatibleError, InputError, ModelError):
        return [
            pair
            for part in module.modules()
            if type(part) is nn.Sequential
            for pair in zip(part, list(part)[1:], strict=False)
            if _fits(*pair)
        ]
    parts = dict(graph.named_modules())
    called = [str(node.target) for node in graph.graph.nodes if node.op == "call_module"]
    found = []
    for node in graph.graph.nodes:
        source: Any = node.args[0] if node.args else None
        if node.op != "call_module" or getattr(source, "op", None) != "call_module":
            continue
        layer, norm = parts[str(source.target)], parts[str(node.target)]
        once = called.count(str(node.target)) == called.count(str(source.target)) == 1
        # A linear layer's features are the norm's channels only where there is no third axis.
        plain = not isinstance(layer, nn.Linear) or len(shapes[source]) == 2
        if once and plain and len(source.users) == 1 and _fits(layer, norm):
            found.append((layer, norm))
    return found


def _fits(layer: torch.nn.Module, norm: torch.nn.Module) -> bool:
    from torch import nn

    kinds: dict[type, tuple[type, ...]] = {
        nn.BatchNorm1d: (nn.Linear, nn.Conv1d, nn.ConvTranspose1d),
        nn.BatchNorm2d: (nn.Conv2d, nn.ConvTranspose2d),
        nn.BatchNorm3d: (nn.Conv3d, nn.ConvTranspose3d),
    }
    grouped_back = getattr(layer, "transposed", False) and getattr(layer, "groups", 1) > 1
    plain = not norm._forward_hooks and not norm._forward_pre_hooks
    return type(layer) in kinds.get(type(norm), ()) and not grouped_back and plain


def _fold(layer: Any, norm: Any) -> None:
    """Writes the norm's factors and shifts into the layer: in double precision, rounded once."""
    import torch
    from torch import nn

    weight = layer.weight.detach().double()
    shift = torch.zeros(norm.num_features, dtype=torch.float64, device=weight.device)
    if layer.bias is not None:
        shift = layer.bias.detach().double()
    factor = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        factor = factor * norm.weight.detach().double()
    shift = (shift - norm.running_mean.double()) * factor
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    out = 1 if getattr(layer, "transposed", False) else 0
    shape = [1] * weight.ndim
    shape[out] = -1
    dtype, wanted = layer.weight.dtype, layer.weight.requires_grad
    layer.weight = nn.Parameter((weight * factor.reshape(shape)).to(dtype), requires_grad=wanted)
    layer.bias = nn.Parameter(shift.to(dtype), requires_grad=wanted)


def _still_the_same(folded: Model, model: Model, rows: Inputs | None) -> None:
    import numpy as np
    import torch

    from workbench.variants.record import rows_to_try

    change = folded.variant.change if folded.variant is not None else None
    tried = rows_to_try(model, rows)
    if change is None or tried is None:
        return
    largest = max(1.0, float(np.abs(model.scores(tried)).max()))
    digit = float(torch.finfo(dtype_of(engine_of(model).module)).eps)
    if change > max(_ROUNDING, 16 * digit) * largest:
        raise ModelError(
            f"Folding must change the scores of {model.name!r} by rounding alone, but they changed by "
            f"{change:.2g}. Its layers do not run in the order in which they are listed: leave it unfolded."
        )


RECIPE = Recipe(
    "fold_batch_norm",
    "Folded batch norm (changes nothing)",
    "fold_batch_norm",
    applies=for_batch_norm,
    order=50,
)
