"""Half precision: what is halved, what is refused, and scores that stay float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.variants.networks_to_quantize import (
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
from workbench import models
from workbench.core import Inputs
from workbench.errors import InputError, ModelError
from workbench.variants import cast, fake_quantize


@pytest.mark.parametrize(("precision", "digits"), [("bfloat16", 8), ("float16", 11)])
def test_a_copy_computes_in_16_bits_and_answers_in_float64(precision, digits):
    rows = images()
    model = wrapped(Mixed, rows)
    before = state_of(model.native)
    copy = cast(model, precision, rows=rows)
    assert_same_state(model.native, before)
    floats = [one for one in copy.native.state_dict().values() if one.is_floating_point()]
    assert {one.dtype for one in floats} == {getattr(torch, precision)}
    scores = copy.scores(rows.values)
    assert scores.dtype == np.float64
    # Every score is a number of that precision, so it keeps so many binary digits.
    mantissa, _ = np.frexp(scores)
    np.testing.assert_array_equal(mantissa * 2**digits, np.round(mantissa * 2**digits))
    assert copy.variant.size.packed_bits * 2 == copy.variant.original_size.packed_bits
    assert copy.variant.runs_as == precision
    assert copy.variant.gradient.ok
    assert copy.variant.change > 0
    assert copy.variant.batch_invariant
    assert copy.lineage[-1] == f"cast(model, '{precision}'): weights and arithmetic in {precision}"


def test_a_copy_is_saved_and_loaded_bit_for_bit(tmp_path):
    rows = shapes()
    copy = cast(bundled(), rows=rows)
    path = tmp_path / "half.safetensors"
    models.save(copy, path)
    assert path.stat().st_size < 0.6 * copy.variant.original_size.file_bytes
    again = wb.load(path, architecture=copy.native)
    np.testing.assert_array_equal(again.scores(rows.values), copy.scores(rows.values))


def test_scores_that_overflow_are_told():
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 300.0)
    model = wb.wrap(module, scale="raw", outputs=["y"])
    rows = Inputs([[300.0]], kind="tabular")
    with pytest.raises(ModelError, match="Numbers above 65504 do not fit into float16"):
        cast(model, "float16", rows=rows)
    assert cast(model, "bfloat16", rows=rows).scores(rows.values)[0, 0] > 65504


def test_what_cannot_be_halved_is_refused():
    rows = table()
    model = wrapped(Shared, rows)
    with pytest.raises(InputError, match=r"a precision of \['bfloat16', 'float16'\], not 'int8'"):
        cast(model, "int8")
    with pytest.raises(InputError, match=r"weights of 32 bits or more.*torch\.bfloat16"):
        cast(cast(model), "float16")
    with pytest.raises(InputError, match="has rounded ones"):
        cast(fake_quantize(model, rows))
