"""Copies of copies: those that cannot be made are refused with the reason, by an error of our own."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.variants.networks_to_quantize import Shared, table, wrapped
from workbench import ensembles, methods, variants
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError, InputError
from workbench.models.torch.module import engine_of


class Normed(nn.Sequential):
    """Two linear layers with a batch norm between them."""

    def __init__(self):
        super().__init__(nn.Linear(6, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3))


def net() -> Model:
    return wrapped(Normed, table())


CHANGES = {
    "fake_quantize": lambda model: variants.fake_quantize(model, table()),
    "cast": lambda model: variants.cast(model, rows=table()),
    "quantize_weights": lambda model: variants.quantize_weights(model, rows=table()),
    "quantize_static": lambda model: variants.quantize_static(model, table()),
    "quantize_onnx": lambda model: variants.quantize_onnx(model, table()),
    "prune": lambda model: variants.prune(model, 0.5, rows=table()),
    "prune_channels": lambda model: variants.prune_channels(model, 0.5, rows=table()),
    "low_rank": lambda model: variants.low_rank(model, rank=1, rows=table()),
    "fold_batch_norm": lambda model: variants.fold_batch_norm(model, rows=table()),
    "reorder_channels": lambda model: variants.reorder_channels(model, rows=table()),
    "static_graph": lambda model: variants.static_graph(model, "trace", rows=table()),
    "fine_tune": lambda model: variants.fine_tune(
        model, table(), teacher=model, schedule=variants.Schedule(epochs=1)
    ),
    "distill": lambda model: variants.distill(
        model, table(), width=0.5, schedule=variants.Schedule(epochs=1)
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_torchscript_cannot_be_changed_and_the_message_says_what_to_do(change):
    graph = variants.static_graph(net(), "trace", rows=table())
    with pytest.raises(IncompatibleError, match=r"is TorchScript, .* take the graph last"):
        CHANGES[change](graph)


@pytest.mark.parametrize(
    "change", ["prune_channels", "fold_batch_norm", "reorder_channels", "fine_tune", "distill"]
)
@pytest.mark.parametrize("integers", [variants.quantize_weights, variants.quantize_dynamic])
def test_integers_of_torchao_cannot_be_changed(change, integers):
    with pytest.raises(IncompatibleError, match=r"is a Int8Tensor\. Make this copy first"):
        CHANGES[change](integers(net(), rows=table()))


@pytest.mark.parametrize("integers", [variants.quantize_weights, variants.quantize_dynamic])
def test_integers_of_torchao_are_not_rounded_again(integers):
    copy = integers(net(), rows=table())
    with pytest.raises(InputError, match="rounds Linear, Conv1d and Conv2d layers"):
        variants.fake_quantize(copy, table())
    with pytest.raises(IncompatibleError, match="layers with plain weights"):
        variants.quantize_static(copy, table())


def test_layers_that_compute_their_weights_are_no_layers_of_a_static_int8_graph():
    copy = variants.fake_quantize(net(), weight_bits=4, activation_bits=None, rows=table())
    with pytest.raises(IncompatibleError, match="layers with plain weights"):
        variants.quantize_static(copy, table())


def test_what_a_copy_of_a_rounded_copy_runs_as_is_told():
    rounded = variants.fake_quantize(net(), table())
    assert variants.prune(rounded, 0.5, rows=table()).variant.runs_as == "float32, rounded"
    assert variants.prune(net(), 0.5, rows=table()).variant.runs_as == "float32, torch"


def test_a_network_in_half_precision_is_folded_to_its_own_rounding():
    half = variants.cast(net(), rows=table())
    with torch.no_grad():
        half.native[1].running_mean.fill_(0.3)
    folded = variants.fold_batch_norm(half, rows=table())
    scores = half.scores(table().values)
    gap = np.abs(folded.scores(table().values) - scores).max()
    assert 0 < gap <= 2**-4 * np.abs(scores).max()  # 16 last digits of bfloat16


def test_the_users_random_numbers_stay():
    model = wrapped(Shared, table())
    for change in ("quantize_static", "quantize_onnx"):
        torch.manual_seed(3)
        expected = torch.rand(4)
        torch.manual_seed(3)
        CHANGES[change](model)
        assert torch.equal(torch.rand(4), expected), change


def test_a_loaded_torchscript_module_has_gradients():
    module = Normed().eval()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        traced = torch.jit.trace(module, torch.zeros(2, 6))
        stored = io.BytesIO()
        torch.jit.save(traced, stored)
        stored.seek(0)
        loaded = torch.jit.load(stored)
    rows = table()
    method = methods.IntegratedGradients(steps=4, fill="zero")
    result = wb.explain(wb.wrap(loaded, like=rows, scale="logit"), rows[:2], method, wb.Target(0))
    own = wb.explain(wb.wrap(module, like=rows, scale="logit"), rows[:2], method, wb.Target(0))
    # One graph in two engines of torch: float32 sums may add in another order.
    np.testing.assert_allclose(result.values, own.values, rtol=0, atol=1e-6)


def test_layers_of_one_input_keep_their_precision():
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.head = nn.Linear(1, 8), nn.Linear(8, 3)

        def forward(self, rows):
            return self.head(torch.relu(self.wide(rows[:, :, None])).mean(1))

    for integers in (variants.quantize_weights, variants.quantize_dynamic):
        copy = integers(wrapped(Steps, table()), rows=table())
        assert (copy.variant.touched, copy.variant.layers) == (1, 2)
        assert "Layers of one input stay in full precision: wide." in copy.notes
        assert copy.variant.changed


def test_decisions_that_a_trace_has_fixed_are_told():
    class Deciding(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(6, 3)

        def forward(self, rows):
            return self.head(rows) if rows.sum() > 1e9 else self.head(-rows)

    copy = variants.static_graph(wrapped(Deciding, table()), "trace", rows=table())
    assert any(
        note.startswith("Decisions fixed by the row it was traced on: 1,") for note in copy.notes
    )
    plain = variants.static_graph(net(), "trace", rows=table())
    assert not any("ecisions" in note for note in plain.notes)


def test_a_recurrent_network_is_exported_without_warnings():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.over, self.head = nn.LSTM(1, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, rows):
            return self.head(self.over(rows[:, :, None])[0][:, -1])

    model: Model = wrapped(Recurrent, table())
    rows: Inputs = table()
    for graph in ("trace", "export"):
        copy = variants.static_graph(model, graph, rows=rows)
        for n in (1, 3, len(rows)):
            np.testing.assert_allclose(
                copy.scores(rows.values[:n]),
                model.scores(rows.values[:n]),
                rtol=0,
                atol=1e-6,  # float32 sums in another order
            )
    static = variants.quantize_static(model, rows)
    assert static.variant.twin_gap == 0


def test_the_record_of_every_copy_is_a_call_that_makes_it_again():
    model, rows = net(), table()
    for name in (
        "prune",
        "prune_channels",
        "low_rank",
        "fold_batch_norm",
        "reorder_channels",
        "static_graph",
        "cast",
        "fake_quantize",
    ):
        copy = CHANGES[name](model)
        call = copy.variant.recipe
        again = eval(  # noqa: S307 - our own text
            f"variants.{call}", {"variants": variants, "model": model, "calibration": rows}
        )
        np.testing.assert_array_equal(again.scores(rows.values), copy.scores(rows.values), name)


def test_an_ensemble_is_told_from_a_model_of_another_library():
    ensemble = ensembles.vote([net(), wrapped(Shared, table())])
    for change in ("fake_quantize", "prune", "static_graph"):
        with pytest.raises(IncompatibleError, match=r"is an ensemble\. Change its members"):
            CHANGES[change](ensemble)


class Factored(nn.Sequential):
    """Convolutions of one place, whose kernels for 8 images add in another order than those for 32."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.Conv2d(6, 8, 1),
            nn.ReLU(),
            nn.Conv2d(8, 7, 3, padding=1),
            nn.Conv2d(7, 8, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 4),
        )


def test_a_copy_that_changed_nothing_is_not_called_changed_by_batches_of_another_size():
    rows = Inputs(np.random.default_rng(0).uniform(size=(32, 12, 12, 3)), kind="image")
    model = wrapped(Factored, rows)
    sizes = engine_of(model)._batches._best  # as if the clock had chosen, in earlier work
    said = {}
    for size in (8, 32):
        sizes["scores", *rows.values.shape[1:]] = size
        said[size] = model.scores(rows.values)
    assert np.abs(said[8] - said[32]).max() > 0
    copy = variants.quantize_weights(model, 4, rows=rows)
    assert copy.variant.touched == 0
    assert copy.variant.change == 0


@pytest.mark.parametrize("graph", ["trace", "export"])
def test_a_static_graph_is_the_same_from_a_file_by_save_copy(graph, tmp_path):
    rows = table()
    copy = variants.static_graph(net(), graph, rows=rows)
    variants.save_copy(copy, tmp_path / "copy.pt")
    again = variants.load_copy(tmp_path / "copy.pt", like=copy, rows=rows)
    np.testing.assert_array_equal(again.scores(rows.values), copy.scores(rows.values))
    other = variants.static_graph(wrapped(Normed, rows), graph, rows=rows)
    with torch.no_grad():
        for weight in other.native.parameters():
            weight.zero_()
    restored = variants.load_copy(tmp_path / "copy.pt", like=other, rows=rows)
    np.testing.assert_array_equal(restored.scores(rows.values), copy.scores(rows.values))
