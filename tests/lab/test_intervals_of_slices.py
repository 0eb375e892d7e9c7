"""The interval of a slice's drift beside the rest: Welch's, at a level shared by the slices tried."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from tests.lab.rows_by_hand import drift_of, explained, measured
from workbench.core import Inputs
from workbench.lab import findings

N = 45
DRIFT = np.random.default_rng(3).exponential(0.2, size=N) + 0.5 * (np.arange(N) < 15)


@pytest.mark.parametrize("classes", [[0] * 15 + [1] * 30, [0] * 15 + [1] * 15 + [2] * 15])
def test_it_is_scipys_at_a_twentieth_over_the_number_of_slices(classes):
    inputs = Inputs(np.zeros((N, 1)), kind="tabular", features=("a",), y=np.array(classes))
    kept = tuple(explained(name, np.ones((N, 1)), inputs) for name in ("net", "int8"))
    found = findings(drift_of(measured("int8", DRIFT), attributions=kept)).slices
    (hardest, *_) = (one for one in found if one.slice == "class = 0")
    wanted = ttest_ind(DRIFT[:15], DRIFT[15:], equal_var=False).confidence_interval(
        1 - 0.05 / len(set(classes))
    )
    assert (hardest.low, hardest.high) == pytest.approx((wanted.low, wanted.high), rel=1e-9)
    assert hardest.rows == 15
