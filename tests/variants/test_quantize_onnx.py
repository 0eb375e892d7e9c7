"""ONNX Runtime's int8: the graph is looked at, nothing is printed or left behind, bytes are the file."""

from __future__ import annotations

import logging
import os
import tempfile

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
from workbench import models
from workbench.errors import IncompatibleError, InputError, MissingDependency
from workbench.variants import quantize_onnx
from workbench.variants.quantization import onnx_int8

NORMALIZE = models.Normalize(mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.4])


@pytest.fixture(scope="module")
def mixed():
    rows = images()
    model = wrapped(Mixed, rows, preprocess=NORMALIZE)
    model.native.train()
    before = state_of(model.native)
    exported = []
    export = onnx_int8._exported
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            onnx_int8, "_exported", lambda *given: exported.append(export(*given)) or exported[0]
        )
        copy = quantize_onnx(model, rows)
    assert_same_state(model.native, before)
    return model, rows, copy, exported[0]


def test_every_layer_is_rounded_and_the_scores_stay_near(mixed):
    model, rows, copy, _ = mixed
    assert (copy.variant.touched, copy.variant.layers) == (4, 4)
    spread = np.ptp(model.scores(rows.values))
    gap = np.abs(copy.scores(rows.values) - model.scores(rows.values)).max()
    assert 0 < gap < 0.1 * spread  # 8 bits are 255 steps, and scores add several roundings
    assert copy.variant.size.packed_bits < 0.5 * copy.variant.original_size.packed_bits
    assert copy.shape == (20, 24, 3)
    assert (copy.outputs, copy.scale, copy.kind) == (model.outputs, model.scale, model.kind)


def test_it_has_scores_alone_and_says_why(mixed):
    _, _, copy, _ = mixed
    assert copy.capabilities == ("predict",)
    for name in ("gradient", "activations", "feature_maps"):
        assert "ONNX Runtime" in copy.absent[name]
    assert copy.variant.gradient is None


def test_the_bytes_are_the_file_and_read_again_bit_for_bit(mixed):
    _, rows, copy, _ = mixed
    assert copy.variant.size.file_bytes == len(copy.native)
    again = wb.wrap(
        copy.native, outputs=copy.outputs, scale="logit", preprocess=NORMALIZE, shape=copy.shape
    )
    np.testing.assert_array_equal(again.scores(rows.values), copy.scores(rows.values))
    assert again.digest == copy.digest
    # Torch writes the lines of code that it exported into the graph: none of a machine's paths may stay.
    assert os.getcwd().encode() not in copy.native
    assert b".py" not in copy.native


def test_any_number_of_rows_is_answered(mixed):
    _, _, copy, _ = mixed
    many = images(33).values
    together = copy.scores(many)
    for n in (1, 2, 7):
        # Kernels for other batch sizes add in another order: a last digit may tip a value to the next step.
        np.testing.assert_allclose(
            copy.scores(many[:n]), together[:n], atol=0.02 * np.ptp(together)
        )


def test_an_exported_graph_that_was_not_rounded_counts_as_untouched(mixed):
    _, _, _, exported = mixed
    assert onnx_int8._counted(exported.SerializeToString()) == (0, 4)


def test_nothing_is_printed_logged_or_left_behind(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = table()
    handlers = list(logging.getLogger().handlers)
    copy = quantize_onnx(wrapped(Shared, rows), rows)
    assert copy.variant.changed
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert logging.getLogger().handlers == handlers


def test_preprocessing_that_is_code_and_a_named_output_go_into_the_graph():
    class Named(nn.Linear):
        def forward(self, x):
            return {"rows": x, "logits": super().forward(x)}

    rows = table()
    model = wrapped(
        lambda: Named(6, 3), rows, output="logits", preprocess=lambda batch: batch * 2 + 1
    )
    copy = quantize_onnx(model, rows)
    scores = model.scores(rows.values)
    np.testing.assert_allclose(
        copy.scores(rows.values), scores, atol=0.03 * np.ptp(scores)
    )  # 8 bits


def test_what_cannot_be_rounded_is_refused(monkeypatch):
    class Branching(nn.Linear):
        def forward(self, x):
            return super().forward(x) if float(x.sum()) > 0 else super().forward(-x)

    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(6))

        def forward(self, x):
            return (x * self.weight).sum(1)

    rows = table()
    with pytest.raises(
        InputError, match=r"'Sums' has none: its graph computes \['Mul', 'ReduceSum'\]"
    ):
        quantize_onnx(wrapped(Sums, rows), rows)
    with pytest.raises(IncompatibleError, match="torch can export to ONNX"):
        quantize_onnx(wrapped(lambda: Branching(6, 3), rows), rows)
    with pytest.raises(InputError, match="and there are none"):
        quantize_onnx(wrapped(Shared, rows), None)
    with pytest.raises(InputError, match=r"needs float32 weights, but .* torch\.float64"):
        quantize_onnx(wb.wrap(Shared().double(), like=rows, scale="logit"), rows)
    monkeypatch.setattr(onnx_int8, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"explainability-workbench\[onnx\]"):
        quantize_onnx(wrapped(Bare, rows), rows)
