"""Files of copies that safetensors cannot hold: bit for bit, as data alone, refused if they do not fit."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import workbench as wb
from tests.variants.networks_to_quantize import Mixed, Shared, images, table, wrapped
from workbench.errors import IncompatibleError, InputError, UnsafeFileError
from workbench.variants import (
    cast,
    fake_quantize,
    load_copy,
    quantize_dynamic,
    quantize_static,
    quantize_weights,
    save_copy,
)

ROWS = images()

MAKERS = {
    "fake_quantize": lambda model: fake_quantize(model, ROWS),
    "cast": lambda model: cast(model, rows=ROWS),
    "quantize_weights": lambda model: quantize_weights(model, rows=ROWS),
    "quantize_dynamic": lambda model: quantize_dynamic(model, rows=ROWS),
    "quantize_static": lambda model: quantize_static(model, ROWS),
}


def other_weights():
    """The same architecture with another head."""
    model = wrapped(Mixed, ROWS)
    with torch.no_grad():
        model.native.head.weight.mul_(-1.5)
    return model


@pytest.mark.parametrize("maker", MAKERS)
def test_a_copy_comes_back_bit_for_bit(tmp_path, maker):
    make = MAKERS[maker]
    copy = make(wrapped(Mixed, ROWS))
    path = tmp_path / "copy.pt"
    save_copy(copy, path)
    assert [one.name for one in tmp_path.iterdir()] == ["copy.pt"]
    again = load_copy(path, make(wrapped(Mixed, ROWS)), rows=ROWS)
    np.testing.assert_array_equal(again.scores(ROWS.values), copy.scores(ROWS.values))
    assert again.digest == copy.digest != ""
    assert again.capabilities == copy.capabilities
    assert dict(again.absent) == dict(copy.absent)
    assert again.variant == copy.variant
    if copy.gradient is not None:
        weights = np.ones((1, len(ROWS), 5))
        ours, theirs = (one.gradient(ROWS.values, weights)[1] for one in (copy, again))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("maker", ["quantize_weights", "quantize_dynamic"])
def test_other_weights_are_put_into_the_same_architecture(tmp_path, maker):
    copy, like = MAKERS[maker](wrapped(Mixed, ROWS)), MAKERS[maker](other_weights())
    before = like.scores(ROWS.values)
    path = tmp_path / "copy.pt"
    save_copy(copy, path)
    again = load_copy(path, like, rows=ROWS)
    np.testing.assert_array_equal(again.scores(ROWS.values), copy.scores(ROWS.values))
    np.testing.assert_array_equal(like.scores(ROWS.values), before)
    assert again.digest == copy.digest != like.digest
    assert again.variant.change is None  # that was measured of other weights


def test_a_graph_calibrated_otherwise_is_refused(tmp_path):
    model = wrapped(Mixed, ROWS)
    path = tmp_path / "copy.pt"
    save_copy(quantize_static(model, ROWS), path)
    like = quantize_static(model, replace(ROWS, values=ROWS.values * 1.5))
    with pytest.raises(InputError, match="the numbers in its graph, such as scales, are others"):
        load_copy(path, like)


def test_another_architecture_is_refused(tmp_path):
    path = tmp_path / "copy.pt"
    save_copy(quantize_weights(wrapped(Mixed, ROWS), rows=ROWS), path)
    with pytest.raises(InputError, match=r"must fit 'Shared, 8-bit weights', but do not"):
        load_copy(path, quantize_weights(wrapped(Shared, table())))


def test_a_file_that_could_run_code_is_refused(tmp_path):
    class Command:
        def __reduce__(self):
            return (print, ("run",))

    like = cast(wrapped(Mixed, ROWS), rows=ROWS)
    path = tmp_path / "copy.pt"
    torch.save({"state": Command(), "digest": ""}, path)
    with pytest.raises(UnsafeFileError, match=r"holds tensors alone, but 'copy\.pt' does not"):
        load_copy(path, like)
    path.write_bytes(pickle.dumps(Command()))
    with pytest.raises(InputError, match="cannot be read as a file by save_copy"):
        load_copy(path, like)


def test_other_files_are_refused(tmp_path):
    like = cast(wrapped(Mixed, ROWS), rows=ROWS)
    with pytest.raises(InputError, match=r"There is no file 'none\.pt'"):
        load_copy(tmp_path / "none.pt", like)
    with pytest.raises(InputError, match=r"must be named \*\.pt, not 'copy.safetensors'"):
        save_copy(like, tmp_path / "copy.safetensors")
    path = tmp_path / "copy.pt"
    torch.save(like.native.state_dict(), path)
    with pytest.raises(InputError, match="holds something else"):
        load_copy(path, like)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="cannot be read"):
        load_copy(path, like)


def test_a_model_of_another_library_is_refused(tmp_path):
    model = wb.wrap(lambda rows: rows[:, :1], outputs=["y"], scale="raw", kind="tabular")
    with pytest.raises(IncompatibleError, match="a model made from a torch module"):
        save_copy(model, tmp_path / "copy.pt")
