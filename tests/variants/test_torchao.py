"""torchao on linear layers: what is touched, what is a silent no-op, and where there is no gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.variants.networks_to_quantize import (
    Bare,
    Convolutions,
    Mixed,
    Shared,
    assert_same_state,
    images,
    state_of,
    table,
    wrapped,
)
from workbench import methods
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError, MissingDependency
from workbench.variants import quantize_dynamic, quantize_weights


class Wide(nn.Sequential):
    """Two linear layers, one of whose inputs are no multiple of 32."""

    def __init__(self):
        super().__init__(nn.Linear(64, 72), nn.ReLU(), nn.Linear(72, 4))


def wide_rows(n=12):
    return Inputs(np.random.default_rng(5).normal(size=(n, 64)), kind="tabular")


def test_eight_bits_are_stored_and_keep_the_gradient():
    rows = wide_rows()
    model = wrapped(Wide, rows)
    before = state_of(model.native)
    copy = quantize_weights(model, rows=rows)
    assert_same_state(model.native, before)
    assert [layer.weight.qdata.dtype for layer in (copy.native[0], copy.native[2])] == [
        torch.int8
    ] * 2
    assert (copy.variant.touched, copy.variant.layers) == (2, 2)
    assert copy.variant.gradient.ok
    assert copy.variant.changed
    weights = 64 * 72 + 72 * 4
    saved = copy.variant.original_size.packed_bits - copy.variant.size.packed_bits
    assert 0 < 24 * weights - saved <= 40 * (72 + 4)  # a scale and a zero per output come on top
    assert copy.variant.size.file_bytes < 0.5 * copy.variant.original_size.file_bytes
    largest = np.abs(model.native[0].weight.detach().numpy()).max(axis=1)
    scale = copy.native[0].weight.scale.flatten().numpy()
    np.testing.assert_allclose(scale, largest / 127.5, rtol=0.01)  # torchao's range ends at -128


def test_four_bits_leave_layers_that_have_no_groups_of_32():
    rows = wide_rows()
    copy = quantize_weights(wrapped(Wide, rows), bits=4, rows=rows)
    assert (copy.variant.touched, copy.variant.layers) == (1, 2)
    assert "Layers whose inputs are no multiple of 32 stay in full precision: 2." in copy.notes
    assert "stored as 8 bits" in copy.variant.description
    values = copy.native[0].weight.qdata
    assert (int(values.min()), int(values.max())) >= (-8, 0)
    assert int(values.max()) <= 7
    assert copy.variant.gradient.ok


def test_on_a_network_of_convolutions_nothing_happens_and_that_is_said():
    rows = images()
    for change in (quantize_weights, quantize_dynamic):
        copy = change(wrapped(Convolutions, rows), rows=rows)
        assert copy.variant.change == 0
        assert copy.variant.warnings[0].startswith(
            "Nothing was changed: none of 2 layers was touched"
        )
        assert copy.variant.warnings[0] in copy.notes
        assert copy.gradient is not None


def test_convolutions_beside_a_linear_layer_are_named():
    rows = images()
    copy = quantize_weights(wrapped(Mixed, rows), rows=rows)
    assert (copy.variant.touched, copy.variant.layers) == (1, 4)
    assert (
        "torchao rounds linear layers alone; 3 convolutions stay in full precision: stem, depth, point."
    ) in copy.notes


def test_dynamic_int8_offers_scores_masks_and_maps_but_no_gradient():
    rows = images()
    model = wrapped(Mixed, rows)
    before = state_of(model.native)
    copy = quantize_dynamic(model, rows=rows)
    assert_same_state(model.native, before)
    assert copy.capabilities == ("predict", "feature_maps", "masked")
    assert "have no derivative" in copy.absent["gradient"]
    assert "have no derivative" in copy.absent["activations"]
    assert copy.variant.gradient is None
    assert copy.variant.batch_invariant
    assert copy.variant.changed
    with pytest.raises(IncompatibleError):
        wb.explain(copy, rows[:1], methods.GradCAM(), wb.Target(0))
    scores, maps = copy.feature_maps(rows.values[:2], "point")
    np.testing.assert_array_equal(scores, copy.scores(rows.values[:2]))
    assert maps.shape == (2, 7, 10, 12)


def test_around_a_skip_connection_autograd_gives_a_wrong_gradient_which_is_not_offered():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch = nn.Linear(8, 8)

        def forward(self, x):
            return x + 3 * self.branch(x)

    rows = Inputs(np.random.default_rng(0).normal(size=(6, 8)), kind="tabular")
    copy = quantize_dynamic(wrapped(Skip, rows), rows=rows)
    given = torch.tensor(rows.values[:1], dtype=torch.float32, requires_grad=True)
    copy.native(given)[0, 0].backward()
    # What torchao leaves of it: the skip connection alone, without a warning.
    np.testing.assert_array_equal(given.grad[0], np.eye(8)[0])
    assert copy.gradient is None


def test_a_layer_in_two_branches_is_rounded_once():
    rows = table()
    copy = quantize_weights(wrapped(Shared, rows), rows=rows)
    assert (copy.variant.touched, copy.variant.layers) == (2, 2)
    assert copy.native.first is copy.native.again


def test_digests_tell_integer_weights_apart():
    rows = wide_rows()
    model = wrapped(Wide, rows)
    first = quantize_weights(model, rows=rows)
    assert first.digest == quantize_weights(model, rows=rows).digest != ""
    with torch.no_grad():
        model.native[0].weight[0, 0] += 0.5
    assert quantize_weights(model, rows=rows).digest != first.digest


def test_what_cannot_be_rounded_is_refused():
    rows = table()
    with pytest.raises(InputError, match="rounds to 8 or 4 bits, not 3"):
        quantize_weights(wrapped(Shared, rows), bits=3)
    with pytest.raises(InputError, match=r"it is made of \['Bare'\]"):
        quantize_weights(wrapped(Bare, rows))
    double = wb.wrap(Shared().double(), like=rows, scale="logit")
    with pytest.raises(InputError, match=r"weights of 32 or 16 bits, but .* torch\.float64"):
        quantize_dynamic(double)


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    from workbench.variants.quantization import torchao_library

    monkeypatch.setattr(torchao_library, "find_spec", lambda name: None)
    torchao_library.torchao_quantization.cache_clear()
    with pytest.raises(MissingDependency, match=r"explainability-workbench\[compress\]"):
        quantize_weights(wrapped(Shared, table()))
