"""Class activation maps averaged over layers and turned copies, or reduced to their first component.

Every map is made of a layer's channels, each times its weights: their sum is the method's own map, their
first principal component the "eigen" one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import (
    Doc,
    Estimate,
    Evaluations,
    Inputs,
    Model,
    Progress,
    Target,
    check_parameters,
    resolve_targets,
)
from workbench.errors import InputError
from workbench.gradients.cam import Attribute, Combine, free_maps, layer_maps
from workbench.gradients.fixed import Fixed

Array = NDArray[np.float64]

Layers = (
    Annotated[str, Doc("a spatial layer's name, or several with commas, whose maps are averaged")]
    | None
)
"""The last spatial layer when left out."""
AugSmooth = Annotated[
    bool, Doc("mean over the image and its mirror image, each 0.9, 1 and 1.1 times as bright")
]
EigenSmooth = Annotated[bool, Doc("first principal component of the weighted channels")]

FACTORS = (0.9, 1.0, 1.1)
_TURNS = tuple((mirrored, factor) for mirrored in (False, True) for factor in FACTORS)
_PLAIN = ((False, 1.0),)

_SEVERAL = (
    "The map is the mean of those of {} layers. Nothing is scaled before: a layer with larger values "
    "counts for more."
)
_TURNED = (
    "The map is the mean over the image and its mirror image, each at 0.9, 1 and 1.1 times its values; "
    "mirror images are turned back."
)

Ask = Callable[[Model, Inputs, Sequence[Any], str | None], Iterator[Progress]]
"""Progress of maps of some rows at one layer."""


def layers_of(recipe: Any) -> tuple[str | None, ...]:
    """The layers that a recipe names; (None,) where it leaves the choice.

    >>> from workbench.methods import GradCAM
    >>> layers_of(GradCAM("conv1, conv2")), layers_of(GradCAM())
    (('conv1', 'conv2'), (None,))
    """
    if recipe.layer is None:
        return (None,)
    return tuple(one.strip() for one in recipe.layer.split(","))


def check_cam(recipe: Any) -> None:
    """Refuses parameters that do not fit; a sequence of layers becomes their names with commas.

    Raises:
        InputError: a field does not fit, or a layer has no name or is named twice.
    """
    layer = recipe.layer
    if isinstance(layer, tuple | list) and layer and all(isinstance(one, str) for one in layer):
        object.__setattr__(recipe, "layer", ", ".join(layer))
    check_parameters(recipe)
    named = layers_of(recipe)
    if "" in named or len(set(named)) < len(named):
        raise InputError(
            f"{type(recipe).__name__}.layer must be of different layers' names, with commas between them, "
            f"not {recipe.layer!r}."
        )


def plain(recipe: Any) -> bool:
    """Whether a recipe's map is its paper's at one layer: neither averaged nor smoothed."""
    smoothed = recipe.aug_smooth or getattr(recipe, "eigen_smooth", False)
    return not smoothed and len(layers_of(recipe)) == 1


def unfit_for_members(recipe: Any, model: Model, _inputs: Inputs, /) -> str | None:
    """Why a recipe whose maps do not add up cannot explain an ensemble: the `unfit` of these methods."""
    adds_up = hasattr(recipe, "signed") or getattr(recipe, "linear", False)
    if model.combination is None or adds_up:
        return None
    return (
        f"with these parameters reads a layer of each member of {model.name!r}, and such maps do not add "
        "up. Explain the members one by one, or use GradCAM() or HiResCAM()."
    )


def rows_of_maps(recipe: Any, inputs: Inputs, /) -> Evaluations:
    """Each row once for every layer and turn: the `evaluations` of these methods."""
    turns = len(_TURNS) if recipe.aug_smooth else 1
    return Evaluations.exactly(
        len(inputs) * len(layers_of(recipe)) * turns, rows=bool(recipe.aug_smooth)
    )


def cam_by(combine: Combine, weigh: Combine, *, rectified: bool = True) -> Attribute:
    """`attribute` of a method whose formula is `combine`, averaged and smoothed as its recipe says.

    Args:
        combine: from activations `(n, c, *places)` and gradients `(t, n, c, *places)` to maps
            `(t, n, *places)`.
        weigh: likewise to the weights of activations, `(t, n, c, *places)` or of length 1 where they are
            the same at all places; `combine` is their sum over the channels.
        rectified: whether the method shows only what speaks for the target.
    """

    def attribute(
        method: Any, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        formula = partial(eigen_map, weigh, rectified) if method.eigen_smooth else combine

        def ask(model: Model, rows: Inputs, about: Sequence[Any], layer: str | None) -> Any:
            return layer_maps(model, rows, about, layer, formula)

        return averaged_maps(method, model, inputs, targets, ask)

    return attribute


def free_cam_by(combine: Callable[[Array], Array], note: str) -> Attribute:
    """The same for a formula that needs no gradient, and gives each target the same map."""

    def attribute(
        method: Any, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        def ask(model: Model, rows: Inputs, about: Sequence[Any], layer: str | None) -> Any:
            return free_maps(model, rows, about, layer, combine, note)

        return averaged_maps(method, model, inputs, targets, ask)

    return attribute


class Signed:
    """`signed` of a method: there only where maps of models add up before the maximum with zero.

    A mean over layers or turns of maxima with zero is none of sums any more, and neither is a principal
    component: such recipes have no `signed`.

    Args:
        combine: the formula before the maximum.
    """

    def __init__(self, combine: Combine) -> None:
        self._combine = combine

    def __get__(self, recipe: Any, _owner: type) -> Any:
        """The bound method."""
        if recipe is None:
            return self
        if not plain(recipe):
            raise AttributeError("signed")

        def signed(
            model: Model, inputs: Inputs, targets: Sequence[Target], /
        ) -> Iterator[Progress]:
            return layer_maps(model, inputs, targets, recipe.layer, self._combine)

        return signed


def averaged_maps(
    recipe: Any, model: Model, inputs: Inputs, targets: Sequence[Target], ask: Ask
) -> Iterator[Progress]:
    """Progress of maps averaged over a recipe's layers and turns; of the one map where it has one.

    Raises:
        InputError: a target of each row for another number of rows.
    """
    layers, turns = layers_of(recipe), _TURNS if recipe.aug_smooth else _PLAIN
    if len(layers) == 1 and turns is _PLAIN:
        return ask(model, inputs, targets, recipe.layer)
    return _averaged(model, inputs, targets, ask, layers, turns)


def _averaged(
    model: Model,
    inputs: Inputs,
    targets: Sequence[Target],
    ask: Ask,
    layers: tuple[str | None, ...],
    turns: tuple[tuple[bool, float], ...],
) -> Iterator[Progress]:
    for target in targets:
        target.check_rows(len(inputs))
    turned = turns is not _PLAIN
    weights: Any = resolve_targets(model, inputs, targets)[1] if turned else None
    shape = len(targets), len(inputs)
    values = np.full((*shape, *inputs.places), np.nan)
    output = np.full(shape, np.nan)
    scores = np.full((len(inputs), len(model.outputs)), np.nan)
    notes: dict[str, None] = {}
    if len(layers) > 1:
        notes[_SEVERAL.format(len(layers))] = None
    if turned:
        notes[_TURNED] = None

    def estimate() -> Estimate:
        return Estimate(
            values.copy(),
            output.copy(),
            base=np.full(shape, np.nan),
            notes=tuple(notes),
            scores=scores.copy(),
        )

    passes = [(layer, turn) for turn in turns for layer in layers]
    total = len(passes) * len(inputs)
    for start in range(0, len(inputs), model.batch):
        part = slice(start, min(start + model.batch, len(inputs)))
        rows, size = inputs[part], part.stop - start
        about: list[Any] = [
            Fixed(weights[t, part]) if turned else target.of_rows(part)
            for t, target in enumerate(targets)
        ]
        mean = np.zeros((len(targets), size, *inputs.places))
        for number, (layer, turn) in enumerate(passes):
            *_, last = ask(model, _turned(rows, *turn), about, layer)
            found = last.estimate()
            maps = np.asarray(found.values, dtype=np.float64)
            mean += (maps[..., ::-1] if turn[0] else maps) / len(passes)
            notes.update(dict.fromkeys(one for one in found.notes if _of_layer(one)))
            if turn == _PLAIN[0]:
                output[:, part], scores[part] = found.output, found.scores
            if number == len(passes) - 1:
                values[:, part] = mean
            yield Progress(len(passes) * start + size * (number + 1), total, estimate)


def _of_layer(note: str) -> bool:
    """Whether a note says something of the layer or the method, not of single rows' maps."""
    return "zero everywhere" not in note


def _turned(rows: Inputs, mirrored: bool, factor: float) -> Inputs:
    if not mirrored and factor == 1.0:
        return rows
    values = rows.values * np.asarray(factor, dtype=rows.values.dtype)
    return replace(rows, values=values[..., ::-1, :] if mirrored else values)


def eigen_map(weigh: Combine, rectified: bool, maps: Array, gradients: Array) -> Array:
    """Maps `(t, n, *places)`: the first principal component of the weighted channels.

    With the weighted channels of a row as a matrix of places by channels, less each channel's mean over the
    places, the map is that matrix times its first right singular vector. A singular vector has no sign of
    its own: it is turned so that the map rises where the sum of the weighted channels does.
    """
    weighted = np.asarray(weigh(maps, gradients) * maps[None])
    t, n, c, *places = weighted.shape
    flat = weighted.reshape(t, n, c, -1).swapaxes(2, 3)
    total = flat.sum(axis=3)
    flat = flat - flat.mean(axis=2, keepdims=True)
    left, sizes, _ = np.linalg.svd(flat, full_matrices=False)
    first = left[..., 0] * sizes[..., :1]
    along = np.einsum("tns,tns->tn", first, total)
    first = np.where(along < 0, -1.0, 1.0)[..., None] * first
    found = first.reshape(t, n, *places)
    return np.asarray(np.maximum(found, 0.0) if rectified else found)


def weighted_sum(weights: Array, maps: Array) -> Array:
    """Maps `(t, n, *places)` from weights, see `cam_by`, and activations `(n, c, *places)`."""
    if all(length == 1 for length in weights.shape[3:]):
        single = weights.reshape(weights.shape[:3])
        return np.asarray(np.einsum("tnc,nc...->tn...", single, maps))
    return np.asarray(np.einsum("tnc...,nc...->tn...", weights, maps))
