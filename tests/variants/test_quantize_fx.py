"""torch's older int8: it runs, it is quiet, and it offers what it has."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.variants.networks_to_quantize import (
    Bare,
    Mixed,
    Shared,
    assert_same_state,
    images,
    state_of,
    table,
    wrapped,
)
from workbench.errors import IncompatibleError, InputError, MissingDependency
from workbench.variants import quantize_fx


def test_scores_and_masks_run_in_int8_and_the_rest_is_absent_with_a_reason():
    rows = images()
    model = wrapped(Mixed, rows)
    before = state_of(model.native)
    copy = quantize_fx(model, rows)
    assert_same_state(model.native, before)
    assert (copy.variant.touched, copy.variant.layers) == (4, 4)
    assert copy.capabilities == ("predict", "masked")
    assert set(copy.absent) == {"gradient", "activations", "feature_maps"}
    assert "int8 operators have none" in copy.absent["gradient"]
    assert copy.native.stem.weight().dtype == torch.qint8
    spread = np.ptp(model.scores(rows.values))
    gap = np.abs(copy.scores(rows.values) - model.scores(rows.values)).max()
    assert 0 < gap < 0.1 * spread  # activations have 7 bits here, and scores add several of them
    assert copy.variant.size.packed_bits < 0.5 * copy.variant.original_size.packed_bits
    assert copy.variant.batch_invariant


def test_a_layer_in_two_branches_counts_once():
    rows = table()
    copy = quantize_fx(wrapped(Shared, rows), rows)
    assert (copy.variant.touched, copy.variant.layers) == (2, 2)


def test_what_cannot_be_rounded_is_refused():
    class Branching(nn.Linear):
        def forward(self, x):
            return super().forward(x) if float(x.sum()) > 0 else super().forward(-x)

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Branching(6, 3)

        def forward(self, x):
            return self.inner(x) if x.sum() > 0 else self.inner(-x)

    rows = table()
    with pytest.raises(InputError, match=r"'Bare' has none: it is made of \['Bare'\]"):
        quantize_fx(wrapped(Bare, rows), rows)
    with pytest.raises(IncompatibleError, match=r"a module that torch\.fx can trace"):
        quantize_fx(wrapped(Outer, rows), rows)
    with pytest.raises(InputError, match="and there are none"):
        quantize_fx(wrapped(Shared, rows), None)
    with pytest.raises(InputError, match=r"needs float32 weights, but .* torch\.float64"):
        quantize_fx(wb.wrap(Shared().double(), like=rows, scale="logit"), rows)


def test_a_torch_without_it_is_told(monkeypatch):
    from workbench.variants import quantize_fx as function

    module = __import__("sys").modules[function.__module__]
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"has no longer\. Use quantize_static"):
        quantize_fx(wrapped(Shared, table()), table())
