"""What a score loses when one channel of a layer at a time is set to zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, Progress
from workbench.errors import IncompatibleError
from workbench.gradients.cam import FeatureReader, enlarged

Array = NDArray[np.float64]

_LEFT_OUT = "Of {} channels at most the {} with the largest activations were set to zero."


def ablation_maps(
    model: Model,
    inputs: Inputs,
    targets: Sequence[Any],
    layer: str | None,
    channels: int,
    combine: Callable[[Array, Array], Array],
) -> Iterator[Progress]:
    """Progress of maps made of a layer's activations and what the score loses without each channel.

    Args:
        model: a model with the capabilities `feature_maps` and `ablated`.
        inputs: image rows.
        targets: what is explained.
        layer: the layer's name; None takes the last spatial layer.
        channels: at most so many are set to zero, those with the largest activations; a channel that is
        zero
            everywhere needs no model row.
        combine: from activations `(1, c, *places)` and losses `(t, 1, c, *ones)` to maps `(t, 1, *places)`.
    """
    if model.ablated is None:
        raise IncompatibleError(f"Model {model.name!r} cannot compute without a layer's channel.")
    reader = FeatureReader(model, inputs, targets, layer)
    total = 1000 * len(inputs)
    for part, maps in reader.batches():
        for row, own in zip(range(part.start, part.stop), maps, strict=True):
            size = np.abs(own.reshape(len(own), -1)).sum(axis=1)
            active = np.flatnonzero(size)
            chosen = np.sort(active[np.argsort(-size[active], kind="stable")[:channels]])
            if len(chosen) < len(active):
                reader.notes[_LEFT_OUT.format(len(own), channels)] = None
            weights = reader.weights[:, row]
            loss = np.zeros((len(weights), len(own)))
            output = weights @ reader.scores_of(row)
            for start in range(0, len(chosen), model.batch):
                some = chosen[start : start + model.batch]
                rows = np.repeat(inputs.values[row][None], len(some), axis=0)
                without = model.checked(model.ablated(rows, reader.layer, some), len(some))
                loss[:, some] = output[:, None] - weights @ without.T
                done = 1000 * row + min(999, 999 * (start + len(some)) // len(chosen))
                yield Progress(done, total, partial(reader.estimate, row))
            shaped = loss.reshape(len(weights), 1, len(own), *(1,) * (own.ndim - 1))
            found = combine(own[None], shaped)
            reader.values[:, row] = enlarged(found[:, 0], inputs.values.shape[1:3])
            yield Progress(1000 * (row + 1), total, partial(reader.estimate, row + 1))
