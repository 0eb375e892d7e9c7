"""What the tests of the Ensemble panel share."""

import numpy as np
import pytest

from tests.panels.ensemble.bench import FEATURES, scoring
from workbench.core import Inputs
from workbench.panels import Bench


@pytest.fixture
def rows():
    """Forty rows of five columns of known class, over seven background rows."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 5))
    return Inputs(
        values,
        kind="tabular",
        features=FEATURES,
        background=rng.normal(size=(7, 5)),
        y=(values[:, 0] + values[:, 1] > 0).astype(int),
        name="rows",
    )


@pytest.fixture
def trio():
    return [
        scoring("first", [2, 1, 0, 0, 0.5]),
        scoring("second", [1, 2, 0.5, 0, 0]),
        scoring("third", [1, 1, 0, 1, 0]),
    ]


@pytest.fixture
def bench(trio, rows):
    return Bench(trio, [rows])
