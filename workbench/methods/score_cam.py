"""ScoreCAM: a layer's channels, each weighted by the score of the image masked with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import (
    Fill,
    fill_count,
    fill_rows,
    left_as_it_was,
    missing_for,
)
from workbench.core import (
    Doc,
    Evaluations,
    Inputs,
    Model,
    Progress,
    Range,
    Target,
    check_parameters,
)
from workbench.core.kinds import PLACED
from workbench.gradients.cam import FeatureReader, enlarged

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreCAM:
    """Where in a spatial layer the evidence for the target lies, found by masking; no gradient is needed.

    Every channel's map, enlarged to the image and scaled to reach from 0 to 1, is a mask H_c. The target's
    score s_c of the masked image shows how much evidence the channel lets through: the channels' weights
    are `alpha = softmax(s)`, and the map is `max(0, sum_c alpha_c A_c)`. The paper's score of a baseline
    image is the same for all channels, so it does not change the softmax.

    Source: Wang et al. (2020), eqs. 4 to 6 and algorithm 1.
    **Differs:** where the mask is 0, the fill is shown (by default a color that the image does not have)
    instead of black, which would hide nothing black. In a layer with more than `channels` channels, those
    with the largest activations are used; channels without any contrast are left out.
    """

    layer: Annotated[str, Doc("a spatial layer's name; the last one when left out")] | None = None
    channels: Annotated[int, Range(1, 4096), Doc("at most so many of the layer's channels")] = 512
    fill: Annotated[Fill, Doc("what stands where a mask hides")] = "auto"

    needs: ClassVar[tuple[str, ...]] = ("feature_maps",)
    kinds: ClassVar = PLACED
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Wang et al. 2020"
    order: ClassVar[int] = 9
    unrefereed: ClassVar[str] = (
        "captum has no such method; GradCAM and HiResCAM read the same layer, and can be checked"
    )

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for(self.fill, inputs)

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row once, then once per channel and fill; only the model knows the number of channels."""
        masked = self.channels * fill_count(self.fill, inputs)
        return Evaluations(len(inputs), len(inputs) * (1 + masked), rows=False)

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of masked images."""
        reader = FeatureReader(model, inputs, targets, self.layer)
        total = 1000 * len(inputs)
        unhidden: list[int] = []
        for part, maps in reader.batches():
            for row, activations in zip(range(part.start, part.stop), maps, strict=True):
                chosen = self._chosen(activations)
                if len(chosen) < len(activations):
                    reader.notes[self._left_out(len(activations))] = None
                masks = unit_masks(activations[chosen], inputs.places)
                if self._hides_nothing(inputs, row):
                    reader.notes.pop(_unhidden(inputs, unhidden), None)
                    unhidden.append(row)
                    reader.notes[_unhidden(inputs, unhidden)] = None
                said: list[Array] = []
                for scores in self._masked_scores(model, inputs, row, masks):
                    said.append(scores)
                    share = 999 * len(said) * model.batch // max(len(masks), 1)
                    done = 1000 * row + min(999, share)
                    yield Progress(done, total, partial(reader.estimate, row))
                found = np.concatenate([np.empty((0, len(model.outputs))), *said])
                weighed = np.einsum("tk,ck->tc", reader.weights[:, row], found)
                reader.values[:, row] = enlarged(
                    score_cam(activations[chosen], weighed), inputs.places
                )
                yield Progress(1000 * (row + 1), total, partial(reader.estimate, row + 1))

    def _chosen(self, activations: Array) -> NDArray[np.intp]:
        """Channels with contrast, at most `channels` of them, in their order."""
        flat = activations.reshape(len(activations), -1)
        able = np.flatnonzero(flat.max(axis=1) > flat.min(axis=1))
        largest = np.argsort(-np.abs(flat[able]).sum(axis=1), kind="stable")[: self.channels]
        return np.sort(able[largest])

    def _left_out(self, count: int) -> str:
        return (
            f"Of {count} channels those with contrast were asked, at most the {self.channels} with the "
            "largest activations."
        )

    def _hides_nothing(self, inputs: Inputs, row: int) -> bool:
        everything = np.zeros(inputs.places, dtype=np.intp)
        fills = fill_rows(self.fill, inputs, row)
        return bool(left_as_it_was(inputs.values[row], fills, everything).all())

    def _masked_scores(
        self, model: Model, inputs: Inputs, row: int, masks: Array
    ) -> Iterator[Array]:
        """Scores `(m, k)` of the masked images, some at a time, averaged over the fills."""
        image, fills = inputs.values[row], fill_rows(self.fill, inputs, row)
        at_once = max(1, model.batch // len(fills))
        for start in range(0, len(masks), at_once):
            shown = masks[start : start + at_once, None, ..., None]
            copies = shown * image + (1.0 - shown) * fills[None]
            scores = model.scores(copies.reshape(-1, *image.shape))
            yield scores.reshape(len(shown), len(fills), -1).mean(axis=1)


def _unhidden(inputs: Inputs, rows: Sequence[int]) -> str:
    return (
        f"The fill is what some rows show anyway ({inputs.some_ids(rows)}): there the masks hide nothing, "
        "and all channels weigh the same. Choose another fill."
    )


def score_cam(maps: Array, scores: Array) -> Array:
    """Maps `(t, *places)` from activations `(c, *places)` and targets' scores of masked images `(t, c)`.

    >>> score_cam(np.array([[[2.0, 0.0]], [[0.0, 2.0]]]), np.array([[1.0, 1.0]]))
    array([[[1., 1.]]])
    """
    if not scores.shape[1]:
        return np.zeros((len(scores), *maps.shape[1:]))
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    alpha = raised / raised.sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(np.einsum("tc,c...->t...", alpha, maps), 0.0))


def unit_masks(maps: Array, size: tuple[int, ...]) -> Array:
    """Masks `(c, *size)` from 0 to 1: every map enlarged, less its least place, over its range."""
    large = enlarged(maps, size)
    places = tuple(range(1, large.ndim))
    low = large.min(axis=places, keepdims=True)
    span = large.max(axis=places, keepdims=True) - low
    return np.asarray((large - low) / np.where(span > 0, span, 1.0))
