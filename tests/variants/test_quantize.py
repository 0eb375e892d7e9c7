"""Our own rounding: the formula, the gradient, what is refused, and the original left as it was found."""

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
    bundled,
    images,
    shapes,
    state_of,
    table,
    wrapped,
)
from workbench import models
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.variants import fake_quantize


def rounded_by_hand(weights, bits):
    """Whole multiples of each row's largest weight over 2^(bits - 1) - 1, in NumPy."""
    largest = 2 ** (bits - 1) - 1
    scale = np.abs(weights).max(axis=1, keepdims=True) / largest
    return np.round(weights / scale) * scale


@pytest.mark.parametrize("bits", [8, 5, 4, 3, 2])
def test_weights_are_multiples_of_their_channels_scale(bits):
    model = wrapped(lambda: nn.Linear(6, 3), table())
    copy = fake_quantize(model, weight_bits=bits, activation_bits=None)
    weights = model.native.weight.detach().double().numpy()
    bias = model.native.bias.detach().double().numpy()
    rows = np.eye(6)
    expected = rows @ rounded_by_hand(weights, bits).T + bias
    np.testing.assert_allclose(copy.scores(rows), expected, rtol=0, atol=1e-6)  # float32 weights
    steps = copy.native.rounded_weight() / copy.native.weight_scale[:, None]
    assert len(np.unique(steps.detach().numpy().round())) <= 2**bits - 1


@pytest.mark.parametrize("bits", [8, 4])
def test_inputs_are_rounded_within_the_range_of_the_calibration_rows(bits):
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)  # 1 is on every grid of weights
    model = wb.wrap(module, scale="raw", outputs=["y"])
    rows = Inputs([[-1.0], [3.0]], kind="tabular")
    copy = fake_quantize(model, rows, activation_bits=bits)
    width = 4.0 / (2**bits - 1)
    zero = round(1.0 / width)
    asked = np.array([[-5.0], [-1.0], [0.0], [0.7], [2.9], [50.0]])
    steps = np.clip(np.round(asked / width) + zero, 0, 2**bits - 1) - zero
    np.testing.assert_allclose(copy.scores(asked), steps * width, rtol=1e-6)  # float32
    assert copy.scores(asked)[2, 0] == 0


def test_zero_is_on_the_grid_where_all_calibration_rows_are_above_it():
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    model = wb.wrap(module, scale="raw", outputs=["y"])
    copy = fake_quantize(model, Inputs([[2.0], [3.0]], kind="tabular"))
    np.testing.assert_array_equal(copy.scores(np.array([[0.0], [-4.0]])), 0)


def test_the_gradient_is_that_of_the_layer_within_the_range_and_zero_where_it_clips():
    module = nn.Linear(2, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    model = wb.wrap(module, scale="raw", outputs=["y"])
    copy = fake_quantize(model, Inputs([[-1.0, 0.5], [3.0, 1.0]], kind="tabular"))
    row = torch.tensor([[2.0, 40.0]], requires_grad=True)
    copy.native(row).sum().backward()
    np.testing.assert_array_equal(row.grad, [[1.0, 0.0]])


def test_the_bundled_network_keeps_its_layers_its_names_and_a_gradient_that_is_checked():
    model, rows = bundled(), shapes()
    copy = fake_quantize(model, rows)
    assert (copy.variant.touched, copy.variant.layers) == (6, 6)
    assert copy.variant.gradient.ok
    assert copy.capabilities == model.capabilities
    assert copy.layers(rows.values[:1]) == model.layers(rows.values[:1])
    assert 0 < copy.variant.change < 1
    assert copy.variant.description == (
        "8-bit weights and 8-bit activations, within the least and the largest value over 8 "
        "calibration rows"
    )
    assert copy.lineage[-1].startswith("fake_quantize(model, calibration, weight_bits=8")
    assert any("straight-through convention" in note for note in copy.notes)
    assert copy.digest != model.digest


def test_fewer_bits_change_more_and_pack_smaller():
    rows = images()
    model = wrapped(Mixed, rows)
    copies = [fake_quantize(model, rows, weight_bits=bits).variant for bits in (8, 4, 3, 2)]
    changes = [variant.change for variant in copies]
    assert changes == sorted(changes)
    packed = [variant.size.packed_bits for variant in copies]
    assert packed == sorted(packed, reverse=True)
    weights = sum(p.numel() for p in model.native.parameters() if p.ndim > 1)
    assert packed[0] - packed[1] == 4 * weights
    assert copies[3].size.nonzeros < copies[0].size.nonzeros <= copies[0].original_size.nonzeros


@pytest.mark.parametrize("activation_bits", [8, None])
def test_a_copy_is_saved_and_loaded_bit_for_bit(tmp_path, activation_bits):
    model, rows = bundled(), shapes()
    copy = fake_quantize(model, rows, activation_bits=activation_bits)
    path = tmp_path / "copy.safetensors"
    models.save(copy, path)
    again = wb.load(path, architecture=copy.native)
    np.testing.assert_array_equal(again.scores(rows.values), copy.scores(rows.values))
    assert again.digest == copy.digest


def test_a_file_of_other_bits_is_refused(tmp_path):
    rows = table()
    model = wrapped(Shared, rows)
    path = tmp_path / "copy.safetensors"
    models.save(fake_quantize(model, rows, weight_bits=4), path)
    eight = fake_quantize(model, rows).native
    with pytest.raises(InputError, match=r"needs weights stored for weight_bits=8, but .* for 4"):
        wb.load(path, architecture=eight)


def test_a_copy_of_a_copy_in_half_precision_works():
    from workbench.variants import cast

    rows = images()
    copy = fake_quantize(cast(wrapped(Mixed, rows), rows=rows), rows)
    assert copy.variant.runs_as == "bfloat16, rounded"
    assert [entry.partition("(")[0] for entry in copy.lineage] == ["cast", "fake_quantize"]


def test_a_layer_in_two_branches_is_rounded_once_within_the_range_of_both_uses():
    rows = table()
    model = wrapped(Shared, rows)
    copy = fake_quantize(model, rows)
    assert (copy.variant.touched, copy.variant.layers) == (2, 2)
    layer = copy.native.first
    assert copy.native.again is layer
    largest = float(layer.input_scale) * (255 - int(layer.input_zero))
    with torch.no_grad():
        first = torch.relu(model.native.first(torch.tensor(rows.values, dtype=torch.float32)))
    assert largest == pytest.approx(
        5 * float(first.max()), rel=0.01
    )  # a step is 1/255 of the range


def test_depthwise_convolutions_have_one_scale_per_channel():
    rows = images()
    copy = fake_quantize(wrapped(Mixed, rows), rows)
    assert copy.variant.touched == 4
    assert copy.native.depth.weight_scale.shape == (8,)


def test_one_dimensional_convolutions_are_rounded_too():
    rows = table()
    network = lambda: nn.Sequential(  # noqa: E731
        nn.Unflatten(1, (2, 3)), nn.Conv1d(2, 4, 2), nn.Flatten(), nn.Linear(8, 3)
    )
    copy = fake_quantize(
        wb.wrap(network(), like=rows, scale="logit", kind="tabular", shape=(6,)), rows
    )
    assert (copy.variant.touched, copy.variant.layers) == (2, 2)


def test_attention_says_what_stays_in_full_precision():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.widen = nn.Linear(1, 8)
            self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            wide = self.widen(x[..., None])
            return self.head(self.mix(wide, wide, wide, need_weights=False)[0].mean(1))

    rows = table()
    copy = fake_quantize(wrapped(Attention, rows, kind="tabular", shape=(6,)), rows)
    assert (copy.variant.touched, copy.variant.layers) == (2, 3)
    assert "never ran on the calibration rows stay in full precision: mix.out_proj." in str(
        copy.notes
    )
    assert "Parts of other types stay in full precision: mix (MultiheadAttention)." in copy.notes


def test_the_original_is_left_as_it_was_found_in_training_mode_too():
    rows = images()
    model = wrapped(Mixed, rows)
    evaluated = fake_quantize(model, rows)
    model.native.train()
    model.native.norm.eval()
    before = state_of(model.native)
    copy = fake_quantize(model, rows)
    assert_same_state(model.native, before)
    assert not any(part.training for part in copy.native.modules())
    np.testing.assert_array_equal(copy.scores(rows.values), evaluated.scores(rows.values))


def test_the_same_rows_always_give_the_same_copy():
    rows = images(70)
    model = wrapped(Mixed, rows)
    assert fake_quantize(model, rows).digest == fake_quantize(model, rows).digest


def test_preprocessing_is_part_of_the_calibration():
    rows = images()
    shifted = models.Normalize(mean=[10.0] * 3, std=[1.0] * 3)
    copy = fake_quantize(wrapped(Convolutions, rows, preprocess=shifted), rows)
    low = -float(copy.native.first.input_scale) * int(copy.native.first.input_zero)
    assert low == pytest.approx(-10, rel=0.01)  # a step is 1/255 of the range


def test_calibration_rows_of_one_class_work_and_are_told():
    rows = table(y=np.full(40, 2))
    copy = fake_quantize(wrapped(Shared, rows), rows)
    assert any(
        note.startswith("All 40 calibration rows are of one class (2)") for note in copy.notes
    )
    several = table(y=np.arange(40) % 3)
    assert not any(
        "of one class" in note for note in fake_quantize(wrapped(Shared, rows), several).notes
    )


def test_an_unchecked_gradient_is_not_offered():
    # Only 20 x 24 pixels fit, and the model does not say so: noise of another size is refused.
    network = lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 18 * 22, 3))  # noqa: E731
    model = wb.wrap(network(), outputs=list("abc"), scale="logit")
    copy = fake_quantize(model, images(), rows=images())
    assert copy.gradient is not None
    bare = fake_quantize(model, weight_bits=4, activation_bits=None)
    assert bare.variant.change is None
    assert bare.gradient is not None  # rounded weights alone have the gradient of any weights


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"weight_bits": 9}, "weight_bits must be a whole number from 2 to 8, not 9"),
        ({"weight_bits": 1}, "weight_bits must be a whole number from 2 to 8, not 1"),
        ({"weight_bits": 4.0}, "weight_bits must be a whole number"),
        (
            {"activation_bits": 16},
            "activation_bits must be .* or None .* not 16. For 16 bits use cast",
        ),
        ({"calibration": None}, "and there are none. Give some hundred rows"),
        ({"calibration": np.ones((3, 6))}, "calibration is a ndarray"),
        ({"calibration": table()[:0]}, "has no rows"),
        ({"calibration": images()}, "holds image rows and the model reads tabular"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(what, message):
    model = wrapped(Shared, table())
    given = {"calibration": table(), **what}
    with pytest.raises(InputError, match=message):
        fake_quantize(model, given.pop("calibration"), **given)


def test_a_model_with_no_layer_to_round_is_refused():
    with pytest.raises(InputError, match=r"'Bare' has none: it is made of \['Bare'\]"):
        fake_quantize(wrapped(Bare, table()), table())


def test_a_model_of_another_library_is_refused():
    model = wb.wrap(lambda rows: rows[:, :1], outputs=["y"], scale="raw", kind="tabular")
    with pytest.raises(IncompatibleError, match="a model made from a torch module"):
        fake_quantize(model, table())


def test_masks_are_folded_into_the_weights_that_are_rounded():
    from torch.nn.utils import prune

    rows = table()
    model = wrapped(Shared, rows)
    prune.l1_unstructured(model.native.head, "weight", 0.5)
    masked = fake_quantize(model, rows)
    assert hasattr(model.native.head, "weight_mask")  # the original keeps its mask
    prune.remove(model.native.head, "weight")
    folded = fake_quantize(model, rows)
    np.testing.assert_array_equal(masked.scores(rows.values), folded.scores(rows.values))
    rounded = masked.native.head.weight
    assert (rounded == 0).sum() >= rounded.numel() // 2


def test_weights_that_a_layer_computes_from_others_are_told():
    with pytest.warns(FutureWarning, match="weight_norm"):
        layer = nn.utils.weight_norm(nn.Linear(6, 3))
    rows = table()
    model = wb.wrap(nn.Sequential(layer), like=rows, scale="logit")
    with pytest.raises(InputError, match=r"'0'.*computes its weight.*remove_weight_norm"):
        fake_quantize(model, rows)


def test_parametrized_weights_are_rounded_as_they_are_used():
    rows = table()
    network = lambda: nn.utils.parametrizations.weight_norm(nn.Linear(6, 3))  # noqa: E731
    model = wb.wrap(network(), like=rows, scale="logit")
    copy = fake_quantize(model, activation_bits=None, rows=rows)
    plain = nn.Linear(6, 3)
    plain.load_state_dict({"weight": model.native.weight, "bias": model.native.bias})
    expected = fake_quantize(
        wb.wrap(plain, like=rows, scale="logit"), activation_bits=None, rows=rows
    )
    np.testing.assert_array_equal(copy.scores(rows.values), expected.scores(rows.values))
