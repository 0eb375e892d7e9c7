"""What a model can be asked for beside its scores, and the unit of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Scale = Literal["logit", "probability", "raw"]
"""The unit of a score: log-odds (or any softmax input), a probability, or the model's own unit."""

CAPABILITIES = ("gradient", "activations", "feature_maps", "attention", "trees", "masked")
"""The optional callables a model may carry, in the order menus list them."""

IN_WORDS = {
    "gradient": "gradients",
    "activations": "layers with their gradients",
    "feature_maps": "layers",
    "attention": "attention",
    "trees": "trees",
    "masked": "way to fill in absent features",
}
"""What a person calls each capability: "needs the model's ..."."""


Weigh = Callable[[slice, NDArray[np.float64]], NDArray[np.float64]]
"""Takes the positions of rows and their scores `(m, k)`; returns the targets' weights `(t, m, k)`."""


class Predict(Protocol):
    """Rows `(n, *f)` to scores `(n, k)`. The adapter makes the batches; every row is independent."""

    def __call__(self, rows: NDArray[Any], /) -> NDArray[Any]: ...


class Gradient(Protocol):
    """Scores and input gradients of weighted sums of scores, all from one forward pass.

    `weights` is `(t, n, k)`. Returns `(scores (n, k), gradients (t, n, *f))`, where gradient `t` of
    row `n` is the derivative of `weights[t, n] @ scores[n]` with respect to that row.
    """

    def __call__(
        self, rows: NDArray[Any], weights: NDArray[Any], /
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...


class Activations(Protocol):
    """What a spatial layer computes, and how the scores depend on it.

    `weights` is `(t, n, k)`, or a function that computes some rows' weights from their scores in this
    pass, so that "each row's own prediction" needs no pass before. Returns `(scores (n, k), maps
    (n, c, h, w), gradients (t, n, c, h, w))`.
    """

    def __call__(
        self, rows: NDArray[Any], layer: str, weights: NDArray[Any] | Weigh, /
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...


class FeatureMaps(Protocol):
    """What a spatial layer computes, with no gradient: `(scores (n, k), maps (n, c, h, w))`."""

    def __call__(self, rows: NDArray[Any], layer: str, /) -> tuple[NDArray[Any], NDArray[Any]]: ...


class Masked(Protocol):
    """Scores of perturbed copies of one row, built where the model computes.

    Copy `s` takes player `p`'s features from `row` where `masks[s, p]`, else from
    `fills[which[s]]`. `players` `(*f)` holds each feature's player, or -1 for "always present".
    Shapes: row `(*f)`, fills `(b, *f)`, masks `(s, p)`, which `(s,)`; returns `(s, k)`.
    """

    def __call__(
        self,
        row: NDArray[Any],
        fills: NDArray[Any],
        players: NDArray[Any],
        masks: NDArray[Any],
        which: NDArray[Any],
        /,
    ) -> NDArray[Any]: ...
