"""Class activation maps: a layer's activations and gradients as one map per row and target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Doc, Estimate, Inputs, Model, Progress, Target
from workbench.core.layers import Layers
from workbench.errors import IncompatibleError

Array = NDArray[np.float64]
Combine = Callable[[Array, Array], Array]
"""From activations `(n, c, *places)` and gradients `(t, n, c, *places)` to maps `(t, n, *places)`."""

Layer = Annotated[str, Doc("a spatial layer's name; the last one when left out")] | None
"""The single parameter of most of these methods."""

Attribute = Callable[[Any, Model, Inputs, Sequence[Target]], Iterator[Progress]]
"""The type of `attribute` in a method with a `layer`."""


def layer_maps(
    model: Model, inputs: Inputs, targets: Sequence[Target], layer: str | None, combine: Combine
) -> Iterator[Progress]:
    """Progress of maps `(t, n, *places)`, enlarged to the rows' size, one batch of rows at a time.

    Args:
        model: a model with the `activations` capability.
        inputs: rows with places, such as images.
        targets: what is explained.
        layer: the layer's name; None takes the last spatial layer.
        combine: the method's formula.
    """
    if model.activations is None or model.layers is None:
        raise IncompatibleError(f"Model {model.name!r} cannot show a layer's activations.")
    for target in targets:
        target.check_rows(len(inputs))
    name = layer or chosen_layer(model, inputs)
    about = layer_notes(model, inputs, layer)
    size = inputs.places
    values = np.full((len(targets), len(inputs), *size), np.nan)
    scores = np.full((len(inputs), len(model.outputs)), np.nan)
    output = np.full(values.shape[:2], np.nan)
    nothing = np.full(output.shape, np.nan)

    def estimate(done: int, places: tuple[int, ...]) -> Estimate:
        notes = _notes(name, places, values[:, :done], inputs, about)
        return Estimate(
            values.copy(),
            output.copy(),
            base=nothing,
            notes=notes,
            scores=scores.copy(),
            finished=np.arange(len(inputs)) < done,
        )

    for start in range(0, len(inputs), model.batch):
        part = slice(start, min(start + model.batch, len(inputs)))
        own = [target.of_rows(part) for target in targets]

        def weigh(rows: slice, raw: Array, own: list[Target] = own) -> Array:
            checked = model.checked(raw, len(raw))
            return np.stack([one.of_rows(rows).weights(model, checked) for one in own])

        raw, maps, gradients = model.activations(inputs.values[part], name, weigh)
        scores[part] = model.checked(raw, part.stop - start)
        weights = weigh(slice(None), scores[part])
        output[:, part] = np.einsum("tnk,nk->tn", weights, scores[part])
        values[:, part] = enlarged(combine(maps, gradients), size)
        yield Progress(part.stop, len(inputs), partial(estimate, part.stop, maps.shape[2:]))


class FeatureReader:
    """Reads a layer's maps without a gradient, and holds the results of a method.

    Args:
        model: a model with the `feature_maps` capability.
        inputs: rows with places, such as images.
        targets: what is explained.
        layer: the layer's name; None takes the last spatial layer.

    Attributes:
        values: maps `(t, n, *places)` of the rows' size, NaN until the method fills them in.
        weights: the targets' weights `(t, n, k)` over the scores, once a row's scores are known.
        notes: the method's sentences for the user, each once.
    """

    def __init__(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], layer: str | None
    ) -> None:
        if model.feature_maps is None or model.layers is None:
            raise IncompatibleError(f"Model {model.name!r} cannot show a layer's maps.")
        for target in targets:
            target.check_rows(len(inputs))
        self._ask = model.feature_maps
        self._model, self._inputs, self._targets = model, inputs, targets
        self.layer = layer or chosen_layer(model, inputs)
        self._about = layer_notes(model, inputs, layer)
        self.values = np.full((len(targets), len(inputs), *inputs.places), np.nan)
        self.weights = np.zeros((len(targets), len(inputs), len(model.outputs)))
        self.notes: dict[str, None] = {}
        self._scores = np.full(self.weights.shape[1:], np.nan)
        self._places = (0,) * len(inputs.places)

    def batches(self) -> Iterator[tuple[slice, Array]]:
        """The rows of each batch, and their maps `(m, c, *places)`."""
        for start in range(0, len(self._inputs), self._model.batch):
            part = slice(start, min(start + self._model.batch, len(self._inputs)))
            raw, maps = self._ask(self._inputs.values[part], self.layer)
            scores = self._model.checked(raw, part.stop - start)
            self._scores[part], self._places = scores, maps.shape[2:]
            own = [target.of_rows(part) for target in self._targets]
            self.weights[:, part] = np.stack([one.weights(self._model, scores) for one in own])
            yield part, np.asarray(maps, dtype=np.float64)

    def scores_of(self, row: int) -> Array:
        """A row's scores `(k,)`, once its batch was read."""
        return np.asarray(self._scores[row])

    def estimate(self, done: int) -> Estimate:
        """The maps so far, those of the first `done` rows."""
        output = np.einsum("tnk,nk->tn", self.weights, self._scores)
        notes = _notes(self.layer, self._places, self.values[:, :done], self._inputs, self._about)
        return Estimate(
            self.values.copy(),
            output,
            base=np.full(output.shape, np.nan),
            notes=(*notes, *self.notes),
            scores=self._scores.copy(),
            finished=np.arange(len(self._inputs)) < done,
        )


def free_maps(
    model: Model,
    inputs: Inputs,
    targets: Sequence[Target],
    layer: str | None,
    combine: Callable[[Array], Array],
    note: str,
) -> Iterator[Progress]:
    """Progress of maps that are the same for all targets, one batch of rows at a time.

    Args:
        model: a model with the `feature_maps` capability.
        inputs: rows with places, such as images.
        targets: each gets the same maps.
        layer: the layer's name; None takes the last spatial layer.
        combine: the method's formula, from activations `(n, c, *places)` to maps `(n, *places)`.
        note: what the user should read beside them.
    """
    reader = FeatureReader(model, inputs, targets, layer)
    reader.notes[note] = None
    for part, maps in reader.batches():
        reader.values[:, part] = enlarged(combine(maps), inputs.places)
        yield Progress(part.stop, len(inputs), partial(reader.estimate, part.stop))


def chosen_layer(model: Model, inputs: Inputs) -> str:
    """The layer that the model recommends, or the last one with more than one place; tried on one row."""
    listed = _listed(model, inputs)
    name = listed.chosen
    if not name:
        why = f"{listed.why} " if listed.why else ""
        wanted = "height and width" if inputs.of_kind.planar else f"the places of the {inputs.kind}"
        raise IncompatibleError(
            f"A class activation map needs a layer with {wanted}, but model {model.name!r} has "
            f"none. {why}Use a perturbation method such as LIME or Occlusion."
        )
    return name


def layer_notes(model: Model, inputs: Inputs, layer: str | None) -> tuple[str, ...]:
    """What must be said of a layer's maps; where none was named, why this one was chosen."""
    listed = _listed(model, inputs)
    said = (listed.said.get(layer or listed.chosen, ""), "" if layer else listed.why)
    return tuple(filter(None, said))


def _listed(model: Model, inputs: Inputs) -> Layers:
    if model.layers is None:
        raise IncompatibleError(f"Model {model.name!r} does not list its layers.")
    listed = model.layers(inputs.values[:1])
    return listed if isinstance(listed, Layers) else Layers(listed)


def enlarged(maps: NDArray[Any], size: tuple[int, ...]) -> Array:
    """Maps `(..., *places)` at another size, linearly along each axis, with half-pixel centers.

    >>> enlarged(np.array([[0.0, 1.0]]), (1, 4))
    array([[0.  , 0.25, 0.75, 1.  ]])
    """
    large = np.asarray(maps, dtype=np.float64)
    for axis, new in enumerate(size, start=-len(size)):
        along = np.moveaxis(large, axis, -1)
        large = np.moveaxis(along @ _weights(along.shape[-1], new).T, -1, axis)
    return np.ascontiguousarray(large)


def _weights(old: int, new: int) -> Array:
    """The interpolation matrix `(new, old)`: every row sums to one."""
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(at.astype(np.intp), max(old - 2, 0))
    share = at - left
    matrix = np.zeros((new, old))
    matrix[np.arange(new), left] += 1 - share
    matrix[np.arange(new), np.minimum(left + 1, old - 1)] += share
    return matrix


def _notes(
    name: str, places: tuple[int, ...], values: Array, inputs: Inputs, about: tuple[str, ...]
) -> tuple[str, ...]:
    seen = " x ".join(map(str, places))
    notes: tuple[str, ...] = (
        f"Layer {name!r}, {seen} places, enlarged to the {inputs.kind}.",
        *about,
    )
    empty = ~values.any(axis=tuple(range(2, values.ndim)))
    if empty.any():
        ids = [inputs.ids[i] for i in np.flatnonzero(empty.any(axis=0))[:5]]
        notes += (
            f"The map is zero everywhere for row {', '.join(ids)}: at this layer nothing speaks for the "
            "target. Try another layer, or HiResCAM, which shows what speaks against it too.",
        )
    return notes
