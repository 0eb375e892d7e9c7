"""A copy's record is about the rows that were given, and about noise only where there were none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import variants
from workbench.core import Inputs


def network():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    return wb.wrap(module, name="net", outputs=list("abc"), scale="logit", shape=(6,))


def rows(size: float, n: int = 9) -> Inputs:
    """Rows so large that what rounding changes there, it changes nowhere in noise of size one."""
    return Inputs(size * np.random.default_rng(1).normal(size=(n, 6)), kind="tabular")


LARGE, SMALL = rows(40.0), rows(0.1)
CALIBRATED = {
    "fake_quantize": variants.fake_quantize,
    "quantize_static": variants.quantize_static,
}
PLAIN = {
    "prune": lambda model, rows: variants.prune(model, 0.5, rows=rows),
    "cast": lambda model, rows: variants.cast(model, "bfloat16", rows=rows),
    "low_rank": lambda model, rows: variants.low_rank(model, rank=2, rows=rows),
    "weights alone": lambda model, rows: variants.fake_quantize(
        model, activation_bits=None, rows=rows
    ),
}


def change(copy, model, given: Inputs) -> float:
    return float(np.abs(copy.scores(given.values) - model.scores(given.values)).max())


@pytest.mark.parametrize("name", CALIBRATED)
def test_a_calibrated_copy_is_tried_on_its_calibration_rows_unless_others_are_given(name):
    model, make = network(), CALIBRATED[name]
    for copy, tried in ((make(model, LARGE), LARGE), (make(model, LARGE, rows=SMALL), SMALL)):
        # Float32 sums in batches of another size.
        assert copy.variant.change == pytest.approx(change(copy, model, tried), rel=1e-3)
        assert copy.variant.change > 0


@pytest.mark.parametrize("name", PLAIN)
def test_other_copies_are_tried_on_the_rows_given(name):
    model = network()
    copy = PLAIN[name](model, LARGE)
    assert copy.variant.change == pytest.approx(change(copy, model, LARGE), rel=1e-3)
    assert copy.variant.change > 0
