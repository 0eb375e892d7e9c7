"""Small models and rows with closed forms; every shape in a fixture differs from the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.models_in_numpy import tanh_network
from workbench.core import Inputs, Model

collect_ignore = ["benchmarks"]  # `make bench` runs them


@pytest.fixture(autouse=True)
def _one_torch_thread():
    import sys

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def network() -> Model:
    return tanh_network()


@pytest.fixture
def linear() -> Model:
    """Two outputs: y0 = 2a - 3b + 0c + 1, y1 = a + b + c + d."""
    weights = np.array([[2.0, 1.0], [-3.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    return Model(
        "linear",
        lambda rows: rows @ weights + np.array([1.0, 0.0]),
        ("y0", "y1"),
        "raw",
        gradient=lambda rows, w: (
            rows @ weights + np.array([1.0, 0.0]),
            np.einsum("tnk,fk->tnf", w, weights),
        ),
    )


@pytest.fixture
def table() -> Inputs:
    """Five rows of six columns, over seven background rows."""
    rng = np.random.default_rng(1)
    return Inputs(
        rng.normal(size=(5, 6)),
        kind="tabular",
        features=tuple(f"column {name}" for name in "uvwxyz"),
        background=rng.normal(size=(7, 6)),
    )


@pytest.fixture
def four() -> Inputs:
    """Three rows of four columns, over five background rows."""
    rng = np.random.default_rng(2)
    return Inputs(
        rng.normal(size=(3, 4)),
        kind="tabular",
        features=tuple("abcd"),
        background=rng.normal(size=(5, 4)),
    )


@pytest.fixture
def counted():
    """Wraps a model so that the rows and calls it answers can be counted; it counts as tried."""

    class Counter:
        rows = 0
        calls = 0

        def on(self, model: Model) -> Model:
            def predict(rows):
                self.rows += len(rows)
                self.calls += 1
                return model.predict(rows)

            return replace(model, predict=predict, trial=model.trial or (lambda _: None))

    return Counter()
