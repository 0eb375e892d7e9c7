"""Class activation maps: a layer's activations and gradients as one map per row and target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Estimate, Inputs, Model, Progress, Target, resolve_targets
from workbench.errors import IncompatibleError, InputError

Array = NDArray[np.float64]
Combine = Callable[[Array, Array], Array]
"""Activations `(n, c, h, w)` and gradients `(t, n, c, h, w)` to maps `(t, n, h, w)`."""


def layer_maps(
    model: Model, inputs: Inputs, targets: Sequence[Target], layer: str | None, combine: Combine
) -> Iterator[Progress]:
    """Progress of maps `(t, n, h, w)`, enlarged to the rows' size, one batch of rows at a time.

    Args:
        model: a model with the `activations` capability.
        inputs: image rows.
        targets: what is explained.
        layer: the layer's name; None takes the last spatial layer.
        combine: the method's formula.
    """
    if model.activations is None or model.layers is None:
        raise IncompatibleError(f"Model {model.name!r} cannot show a layer's activations.")
    name = chosen_layer(model, inputs, layer)
    scores, weights = resolve_targets(model, inputs, targets)
    output = np.einsum("tnk,nk->tn", weights, scores)
    size = inputs.values.shape[1:3]
    values = np.full((len(targets), len(inputs), *size), np.nan)
    nothing = np.full(output.shape, np.nan)
    notes: tuple[str, ...] = ()

    def estimate(notes: tuple[str, ...]) -> Estimate:
        return Estimate(values=values.copy(), output=output, base=nothing, notes=notes)

    for start in range(0, len(inputs), model.batch):
        part = slice(start, min(start + model.batch, len(inputs)))
        _, maps, gradients = model.activations(inputs.values[part], name, weights[:, part])
        values[:, part] = enlarged(combine(maps, gradients), size)
        notes = _notes(name, maps, values[:, : part.stop], inputs)
        yield Progress(part.stop, len(inputs), partial(estimate, notes))


def chosen_layer(model: Model, inputs: Inputs, layer: str | None) -> str:
    """The named layer, or the last one with more than one place, found by a dry run on one row."""
    if model.layers is None:
        raise IncompatibleError(f"Model {model.name!r} does not list its layers.")
    spatial = {
        name: shape
        for name, shape in model.layers(inputs.values[:1]).items()
        if np.prod(shape[1:]) > 1
    }
    if not spatial:
        raise IncompatibleError(
            f"A class activation map needs a layer with height and width, but model {model.name!r} has "
            "none. Use a perturbation method such as LIME or Occlusion."
        )
    if layer is None:
        return list(spatial)[-1]
    if layer not in spatial:
        raise InputError(
            f"Model {model.name!r} has no spatial layer {layer!r}. Its spatial layers are {list(spatial)}."
        )
    return layer


def enlarged(maps: NDArray[Any], size: tuple[int, ...]) -> Array:
    """Maps `(..., h, w)` at another size, by bilinear interpolation with half-pixel centers.

    >>> enlarged(np.array([[0.0, 1.0]]), (1, 4))
    array([[0.  , 0.25, 0.75, 1.  ]])
    """
    rows, columns = _weights(maps.shape[-2], size[0]), _weights(maps.shape[-1], size[1])
    return np.asarray(rows @ np.asarray(maps, dtype=np.float64) @ columns.T)


def _weights(old: int, new: int) -> Array:
    """The interpolation matrix `(new, old)`: every row sums to one."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(at.astype(np.intp), max(old - 2, 0))
    share = at - left
    matrix = np.zeros((new, old))
    matrix[np.arange(new), left] += 1 - share
    matrix[np.arange(new), np.minimum(left + 1, old - 1)] += share
    return matrix


def _notes(name: str, maps: NDArray[Any], values: Array, inputs: Inputs) -> tuple[str, ...]:
    h, w = maps.shape[-2:]
    notes: tuple[str, ...] = (f"Layer {name!r}, {h} x {w} places, enlarged to the image.",)
    empty = ~values.any(axis=(2, 3))
    if empty.any():
        ids = [inputs.ids[i] for i in np.flatnonzero(empty.any(axis=0))[:5]]
        notes += (
            f"The map is zero everywhere for row {', '.join(ids)}: at this layer nothing speaks for the "
            "target. Try another layer, or HiResCAM, which shows what speaks against it too.",
        )
    return notes
