"""PT2E's int8 graph and its twin: equal scores, layers by name, gradients only if the twin is faithful."""

from __future__ import annotations

import copy as copying
import warnings
from dataclasses import replace

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
    bundled,
    images,
    shapes,
    state_of,
    table,
    wrapped,
)
from workbench import methods
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models.torch.module import engine_of
from workbench.variants import quantize_static
from workbench.variants.quantization import pt2e
from workbench.variants.quantization.twin import shared_copy, twin_of


@pytest.fixture(scope="module")
def mixed():
    rows = images()
    model = wrapped(Mixed, rows)
    return model, rows, quantize_static(model, rows)


@pytest.mark.parametrize("network", ["bundled", "mixed"])
def test_the_twin_gives_the_scores_of_the_int8_graph_bit_for_bit(network, mixed):
    if network == "bundled":
        model, rows = bundled(), shapes(40)
        copy = quantize_static(model, rows[:8])
    else:
        model, rows, copy = mixed
    twin = copy.gradient.__self__
    assert twin is not engine_of(copy)
    assert copy.variant.twin_gap == 0.0
    np.testing.assert_array_equal(twin.predict(rows.values), copy.scores(rows.values))
    assert copy.variant.touched == copy.variant.layers == {"bundled": 6, "mixed": 4}[network]
    assert copy.variant.gradient.ok
    assert copy.variant.explained_as == "a differentiable twin"
    assert copy.variant.twin_note.endswith("by at most 0.")
    assert copy.variant.changed
    dtypes = {one.dtype for one in copy.native.state_dict().values() if one.ndim > 1}
    assert dtypes == {torch.int8}


def test_the_file_holds_bytes_and_no_float_weights(mixed):
    model, _, copy = mixed
    weights = sum(one.numel() for one in model.native.parameters() if one.ndim > 1)
    integers = [one for one in copy.native.state_dict().values() if one.dtype == torch.int8]
    assert sum(one.numel() for one in integers) == weights
    floats = [one for one in copy.native.state_dict().values() if one.dtype == torch.float32]
    assert max(one.ndim for one in floats) == 1
    assert copy.variant.size.packed_bits < 0.5 * copy.variant.original_size.packed_bits


def test_int8_scores_are_those_of_the_original_to_a_few_steps(mixed):
    model, rows, copy = mixed
    spread = np.ptp(model.scores(rows.values))
    assert np.abs(copy.scores(rows.values) - model.scores(rows.values)).max() < 0.1 * spread


@pytest.mark.parametrize("n", [1, 2, 3, 7, 33])
def test_any_number_of_rows_is_answered(mixed, n):
    _, _, copy = mixed
    many = images(33).values
    together = copy.scores(many)
    # Kernels for other batch sizes add in another order: a last digit may tip one value to the next step.
    np.testing.assert_allclose(copy.scores(many[:n]), together[:n], atol=0.02 * np.ptp(together))


def test_layers_keep_their_names_and_give_what_the_original_gives(mixed):
    model, rows, copy = mixed
    assert copy.layers(rows.values[:1]) == {
        "norm": (8, 10, 12),
        "after": (8, 10, 12),
        "point": (7, 10, 12),
    }
    for layer in ("norm", "after", "point"):
        scores, maps = copy.feature_maps(rows.values, layer)
        _, expected = model.feature_maps(rows.values, layer)
        # Two roundings of 8 bits before the last of these layers: a few steps of 1/255 of the range.
        np.testing.assert_allclose(maps, expected, atol=0.03 * np.ptp(expected))
        np.testing.assert_array_equal(scores, copy.scores(rows.values))
        twins = copy.activations(rows.values, layer, np.ones((1, len(rows), 5)))
        np.testing.assert_array_equal(twins[1], maps)
        assert np.abs(twins[2]).max() > 0


def test_pooling_at_the_end_is_no_layer_and_the_default_layer_is_the_originals():
    model, rows = bundled(), shapes()
    copy = quantize_static(model, rows)
    assert list(copy.layers(rows.values[:1]))[-1] == list(model.layers(rows.values[:1]))[-1]
    cams = [
        wb.explain(one, rows[:4], methods.GradCAM(), wb.Target(0)).values for one in (model, copy)
    ]
    assert np.corrcoef(cams[0].ravel(), cams[1].ravel())[0, 1] > 0.99


def test_the_graph_itself_has_no_gradient(mixed):
    _, rows, copy = mixed
    given = torch.tensor(rows.values[:2], dtype=torch.float32).permute(0, 3, 1, 2).requires_grad_()
    assert not copy.native(given).requires_grad


def test_the_twins_gradient_is_that_of_the_original_to_a_few_steps(mixed):
    model, rows, copy = mixed
    weights = np.ones((1, len(rows), 5))
    weights[..., 1:] = 0
    ours, originals = (one.gradient(rows.values, weights)[1] for one in (copy, model))
    cosine = (ours * originals).sum() / np.linalg.norm(ours) / np.linalg.norm(originals)
    assert cosine > 0.9  # values that clip or fall on the other side of a kink get another slope


def test_the_original_is_left_as_it_was_found_in_training_mode_too(mixed):
    _, rows, evaluated = mixed
    model = wrapped(Mixed, rows)
    model.native.train()
    before = state_of(model.native)
    copy = quantize_static(model, rows)
    assert_same_state(model.native, before)
    np.testing.assert_array_equal(copy.scores(rows.values), evaluated.scores(rows.values))


def test_a_layer_in_two_branches_counts_once():
    rows = table()
    copy = quantize_static(wrapped(Shared, rows), rows)
    assert (copy.variant.touched, copy.variant.layers) == (2, 2)
    assert copy.variant.twin_gap == 0.0
    assert copy.capabilities == ("predict", "gradient", "masked")


def test_a_named_output_is_answered():
    class Named(nn.Linear):
        def forward(self, x):
            return {"logits": super().forward(x), "rows": x}

    rows = table()
    copy = quantize_static(wrapped(lambda: Named(6, 3), rows, output="logits"), rows)
    assert copy.variant.twin_gap == 0.0
    assert copy.scores(rows.values).shape == (40, 3)


def test_rows_of_another_size_are_refused(mixed):
    _, _, copy = mixed
    assert copy.shape == (20, 24, 3)
    with pytest.raises(ModelError, match=r"batch of shape \(2, 3, 24, 20\), but failed"):
        copy.scores(np.zeros((2, 24, 20, 3)))


def test_a_twin_that_is_not_faithful_gives_no_gradient(mixed, monkeypatch):
    model, rows, _ = mixed

    def bent(graph):
        twin, left = twin_of(graph)
        with torch.no_grad():
            twin.head.bias = nn.Parameter(twin.head.bias + 0.1)
        return twin, left

    monkeypatch.setattr(pt2e, "twin_of", bent)
    copy = quantize_static(model, rows)
    assert copy.capabilities == ("predict", "feature_maps", "masked")
    assert copy.variant.twin_gap == pytest.approx(0.1, rel=1e-4)  # float32
    assert "its gradients would be another model's" in copy.absent["gradient"]
    assert copy.variant.explained_as == "itself"


def test_operators_without_a_counterpart_are_named_and_refused(mixed):
    model, rows, _ = mixed
    steps, quantizers = pt2e.torchao_pt2e()
    dynamic = quantizers.X86InductorQuantizer().set_global(
        quantizers.get_default_x86_inductor_quantization_config(is_dynamic=True)
    )
    exported = pt2e._exported(copying.deepcopy(model.native), engine_of(model), rows)
    pt2e._name_runs_apart(exported)
    prepared = steps.prepare_pt2e(exported, dynamic)
    prepared(engine_of(model).prepared(rows.values))
    graph = steps.convert_pt2e(prepared)
    graph.meta[pt2e._TAPS] = ()
    answering = pt2e.answered_by(
        graph, replace(model, shape=(20, 24, 3)), name="dynamic", rows=rows
    )
    assert answering.twin_gap is None
    assert answering.model.gradient is None
    assert "choose_qparams" in answering.model.absent["gradient"]


def test_a_copy_can_be_copied_without_warnings(mixed):
    _, rows, copy = mixed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = copying.deepcopy(copy.native)
    given = engine_of(copy).prepared(rows.values)
    torch.testing.assert_close(again(given), copy.native(given), rtol=0, atol=0)
    assert shared_copy(copy.native).head.bias is copy.native.head.bias


def test_digests_tell_calibrations_apart(mixed):
    model, rows, copy = mixed
    assert quantize_static(model, rows).digest == copy.digest
    brighter = replace(rows, values=rows.values * 1.5)
    other = quantize_static(model, brighter)
    state, others = copy.native.state_dict(), other.native.state_dict()
    assert all(
        torch.equal(state[name], others[name]) for name in state
    )  # the scales are in the code
    assert other.digest != copy.digest


def test_a_network_of_convolutions_is_really_changed():
    rows = images()
    copy = quantize_static(wrapped(Convolutions, rows), rows)
    assert copy.variant.touched == 2
    assert copy.variant.changed


def test_what_cannot_be_rounded_is_refused():
    class Branching(nn.Linear):
        def forward(self, x):
            return super().forward(x) if float(x.sum()) > 0 else super().forward(-x)

    rows = table()
    with pytest.raises(InputError, match=r"'Bare' has none: it is made of \['Bare'\]"):
        quantize_static(wrapped(Bare, rows), rows)
    with pytest.raises(IncompatibleError, match=r"torch\.export can turn into one graph"):
        quantize_static(wrapped(lambda: Branching(6, 3), rows), rows)
    with pytest.raises(InputError, match="and there are none"):
        quantize_static(wrapped(Shared, rows), None)
    with pytest.raises(InputError, match="has no rows"):
        quantize_static(wrapped(Shared, rows), rows[:0])
    double = wb.wrap(Shared().double(), like=rows, scale="logit")
    with pytest.raises(InputError, match=r"needs float32 weights, but .* torch\.float64"):
        quantize_static(double, rows)


def test_one_calibration_row_is_enough_to_run():
    rows = Inputs(np.random.default_rng(4).normal(size=(1, 6)), kind="tabular")
    copy = quantize_static(wrapped(Shared, rows), rows)
    assert copy.scores(table().values).shape == (40, 3)
