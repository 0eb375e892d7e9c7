"""What the tests of the Compression panel share; other panels' tests have rows and benches of their own."""

import numpy as np
import pytest

from tests.panels.compression_bench import FEATURES, network
from workbench.core import Inputs
from workbench.panels import Bench
from workbench.panels.compression import shown as compression_shown


@pytest.fixture(autouse=True)
def _undrawn(request, monkeypatch):
    """Pictures take most of a run's time; only tests that ask for them have them."""
    if "pictures" not in request.fixturenames:
        for name in ("overview_html", "row_html"):
            monkeypatch.setattr(compression_shown, name, lambda *_: "")


@pytest.fixture
def pictures():
    """Says that a test looks at pictures."""


@pytest.fixture
def rows():
    """Sixty rows of five columns of known class, over seven background rows."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(60, 5))
    return Inputs(
        values,
        kind="tabular",
        features=FEATURES,
        background=rng.normal(size=(7, 5)),
        y=(values[:, 0] > 0).astype(int),
        name="rows",
    )


@pytest.fixture
def bench(rows):
    return Bench([network()], [rows])
