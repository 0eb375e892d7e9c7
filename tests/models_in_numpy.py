"""Models whose every number can be worked out by hand."""

from __future__ import annotations

import numpy as np

from workbench.core import Model


def tanh_network(features: int = 6, hidden: int = 9, outputs: int = 3, seed: int = 0) -> Model:
    """A network in NumPy with its gradient worked out by hand: (n, f) -> (n, k)."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(features, hidden)), rng.normal(size=(hidden, outputs))

    def predict(rows):
        return np.tanh(rows @ first) @ second

    def gradient(rows, weights):
        inner = np.tanh(rows @ first)
        slope = np.einsum("tnk,hk->tnh", weights, second) * (1 - inner**2)
        return inner @ second, slope @ first.T

    return Model(
        "network",
        predict,
        tuple("abcdefgh"[:outputs]),
        "logit",
        kind="tabular",
        gradient=gradient,
        batch=64,
    )
