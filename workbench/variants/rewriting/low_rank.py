"""Low rank: a layer with a large weight as two layers with small ones, by singular values."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import IncompatibleError, InputError
from workbench.models.torch import remade
from workbench.variants.recipes import Recipe
from workbench.variants.record import (
    beyond_reach,
    copied,
    places,
    recorded,
    replaceable,
    running,
    weight_of,
    weighted_layers,
)

if TYPE_CHECKING:
    import torch


@repeatable
def low_rank(
    model: Model,
    *,
    rank: int | None = None,
    energy: float | None = None,
    rows: Inputs | None = None,
    name: str | None = None,
) -> Model:
    """A copy whose linear and convolution layers are factored: W of rank r as two layers in a row.

    A linear layer becomes a narrow one and a wide one; a convolution becomes one to r channels and a
    1 x 1 one. Layers that would not become smaller are left and counted. The pair takes the layer's
    place under its name, so maps of that layer can still be drawn.

    Args:
        rank: singular values kept in every layer.
        energy: in place of `rank`, the share of the squared singular values to keep, above 0 and up to 1.
        rows: to try both models on.
        name: of the copy.

    Raises:
        InputError: neither or both of rank and energy, or out of range.
        IncompatibleError: no linear or convolution layer; a model of another library.

    Source: Denton et al. 2014 and Zhang et al. 2016 (section 3.1.1, without the response's statistics).
    """
    _check(rank, energy)
    module = copied(model)
    layers = weighted_layers(module, model.name)
    touched = 0
    beyond = beyond_reach(module, [weight_of(layer) for layer in layers.values()])
    for layer in layers.values():
        pair = _factored(layer, rank, energy) if replaceable(module, layer) else None
        if pair is None:
            continue
        touched += 1
        pair.train(layer.training)
        for owner, key in places(module, layer):
            owner._modules[key] = pair
    kept = f"rank={rank}" if energy is None else f"energy={energy}"
    what = f"rank {rank}" if energy is None else f"{energy:.0%} of the energy"
    left = len(layers) - touched
    notes: tuple[str, ...] = (
        (
            f"{left} of {len(layers)} layers are left whole: as two they would be no smaller, or other "
            "parts read their weights.",
        )
        if left
        else ()
    )
    notes += (beyond,) if beyond else ()
    return recorded(
        remade(model, module, name=name or f"{model.name}, {what}"),
        model,
        recipe=f"low_rank(model, {kept})",
        description=f"{touched} layers factored to {what}",
        runs_as=running(module),
        touched=touched,
        layers=len(layers),
        rows=rows,
        notes=notes,
    )


def _check(rank: int | None, energy: float | None) -> None:
    if (rank is None) == (energy is None):
        raise InputError(
            f"Either rank or energy is needed, but rank={rank!r} and energy={energy!r} were given. Give "
            "rank=8, or energy=0.9 to keep nine tenths of the squared singular values."
        )
    if rank is not None and (not isinstance(rank, int) or isinstance(rank, bool) or rank < 1):
        raise InputError(f"rank must be a whole number from 1 up, not {rank!r}.")
    if energy is not None and not 0 < energy <= 1:
        raise InputError(f"energy must be a share above 0 and up to 1, not {energy!r}.")


def _factored(
    layer: torch.nn.Module, rank: int | None, energy: float | None
) -> torch.nn.Sequential | None:
    """The layer as two, or None where that would not be smaller, or the layer is of another kind."""
    import torch
    from torch import nn

    kind = type(layer)
    if kind not in (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d) or getattr(layer, "groups", 1) > 1:
        return None
    weight = weight_of(layer)
    matrix = weight.detach().double().flatten(1)  # (out, in * kernel)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = rank if energy is None else _rank_of(values, energy)
    if kept is None or kept * sum(matrix.shape) >= matrix.numel():
        return None
    root = values[:kept].sqrt()
    factors = root[:, None] * right[:kept], left[:, :kept] * root
    bias = layer._parameters.get("bias")
    with torch.device("meta"):  # no random numbers are drawn for weights that are given
        first, second = _pair(layer, kept)
    _fill(first, factors[0].reshape(kept, *weight.shape[1:]), None, weight)
    _fill(second, factors[1].reshape(-1, kept, *[1] * (weight.ndim - 2)), bias, weight)
    return nn.Sequential(OrderedDict(narrow=first, wide=second))


def _rank_of(values: torch.Tensor, energy: float) -> int:
    """The smallest number of singular values whose squares are the wanted share of all, at least one."""
    share = values.square().cumsum(0) / values.square().sum()
    # Rounding may leave the last sum a little below 1.
    return min(int((share < energy * (1 - 1e-12)).sum()) + 1, len(values))


def _pair(layer: torch.nn.Module, rank: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    from torch import nn

    if isinstance(layer, nn.Linear):
        return (
            nn.Linear(layer.in_features, rank, bias=False),
            nn.Linear(rank, layer.out_features, bias=layer.bias is not None),
        )
    if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        raise IncompatibleError(f"A convolution is needed, not a {type(layer).__name__}.")
    kind: type[nn.Conv1d] = type(layer)  # type: ignore[assignment]  # the three are built alike
    return (
        kind(
            layer.in_channels,
            rank,
            layer.kernel_size,  # type: ignore[arg-type]
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            bias=False,
            padding_mode=layer.padding_mode,
        ),
        kind(rank, layer.out_channels, 1, bias=layer.bias is not None),
    )


def _fill(
    layer: torch.nn.Module,
    weight: torch.Tensor,
    bias: torch.nn.Parameter | None,
    like: torch.nn.Parameter,
) -> None:
    from torch import nn

    layer._parameters["weight"] = nn.Parameter(
        weight.to(like.dtype).contiguous(), requires_grad=like.requires_grad
    )
    layer._parameters["bias"] = bias


RECIPE = Recipe(
    "low_rank",
    "Low rank",
    "low_rank",
    "kept share of the squared singular values",
    (0.99, 0.9, 0.7),
    parameter="energy",
    order=25,
)
