"""Rows with missing values are the same rows: in files, digests, comparisons and drift."""

import struct
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench import methods
from workbench.compare.drift.measuring import different_rows
from workbench.ensembles import compose
from workbench.errors import InputError

NAN = np.nan
OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000123))[0]
"""Not a number as well, in other bits."""


def model(name, weight):
    return wb.Model(
        name,
        lambda rows: weight * np.isnan(rows[:, :1]) + np.nan_to_num(rows[:, 1:]),
        ("y",),
        "raw",
    )


def rows(nan=NAN):
    values = np.array([[nan, 1.0], [2.0, nan], [nan, 1.0]])
    return wb.Inputs(values, features=("a", "b"), background=[[0.0, nan], [nan, 2.0]])


@pytest.fixture
def found():
    return wb.explain(model("m", 1.0), rows(), methods.ExactShapley())


def test_the_digest_does_not_depend_on_the_bits_of_a_missing_value():
    assert np.isnan(OTHER_NAN)
    assert rows().digest == rows(OTHER_NAN).digest
    assert rows().digest != replace(rows(), values=np.nan_to_num(rows().values)).digest


def test_a_saved_result_has_its_missing_values_again(found, tmp_path):
    found.save(tmp_path / "result.safetensors")
    again = wb.read(tmp_path / "result.safetensors")
    np.testing.assert_array_equal(again.inputs.values, found.inputs.values)
    np.testing.assert_array_equal(again.inputs.background, found.inputs.background)
    assert again.inputs.digest == found.inputs.digest
    assert again.inputs.shown(0, 0) == "missing"


def test_rows_go_to_a_csv_file_and_back(tmp_path):
    import pandas as pd

    rows().to_frame().to_csv(tmp_path / "rows.csv", index=False)
    again = wb.data.table(pd.read_csv(tmp_path / "rows.csv"))
    np.testing.assert_array_equal(again.values, rows().values)


def test_two_models_on_the_same_rows_are_compared(found):
    other = wb.explain(model("n", 2.0), rows(OTHER_NAN), methods.ExactShapley())
    table = wb.compare([found, other], reference="m").to_frame()
    assert len(table)
    elsewhere = replace(rows(), values=np.nan_to_num(rows().values))
    with pytest.raises(InputError, match="same rows"):
        wb.compare(
            [found, wb.explain(model("n", 2.0), elsewhere, methods.ExactShapley())], reference="m"
        )


def test_a_row_that_repeats_with_its_missing_values_is_one_row(found):
    assert different_rows(found, np.arange(3)).tolist() == [0, 1, 0]


def test_members_of_an_ensemble_are_put_together_on_rows_with_missing_values(found):
    other = wb.explain(model("n", 2.0), rows(), methods.ExactShapley())
    whole = compose([found, other])
    np.testing.assert_allclose(whole.values, (found.values + other.values) / 2, atol=1e-15)


def test_drift_of_an_equal_copy_is_none_on_rows_with_missing_values():
    values = np.random.default_rng(0).normal(size=(40, 2))
    values[::3, 0] = NAN
    many = wb.Inputs(values, background=values[:6])
    made = wb.drift(model("m", 1.0), [model("copy", 1.0)], many, [methods.ExactShapley()])
    assert {one.mean for one in made.measured} == {0.0}
