"""A frame's columns become numbers and come back as they were, whatever pandas calls their type."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench import data
from workbench.errors import InputError

COLUMNS = {
    "whole": pd.Series([3, 1, 2]),
    "small": pd.Series([3, 1, 2], dtype="uint8"),
    "single": pd.Series([0.1, 0.2, np.nan], dtype="float32"),
    "infinite": pd.Series([0.1, np.inf, -np.inf]),
    "gaps": pd.Series([0.1, np.nan, 2.0]),
    "nullable": pd.array([3, None, 2], dtype="Int64"),
    "nullable float": pd.array([0.5, None, 2], dtype="Float64"),
    "truth": pd.Series([True, False, True]),
    "nullable truth": pd.array([True, None, False], dtype="boolean"),
    "text": pd.Series(["b", "a", "b"]),
    "text with gaps": pd.Series(["b", None, "a"]),
    "string": pd.array(["b", None, "a"], dtype="string"),
    "objects": pd.Series(["b", None, "a"], dtype=object),
    "NaN objects": pd.Series(["b", np.nan, "a"], dtype=object),
    "mixed": pd.Series(["b", 1, 2.5], dtype=object),
    "category": pd.Categorical(["b", "a", None], ["b", "a", "c"]),
    "ordered": pd.Categorical(["mid", "low", "high"], ["low", "mid", "high"], ordered=True),
    "grades": pd.Categorical([5, 1, 9], [9, 1, 5]),
    "floats": pd.Categorical([0.5, 1.0, 0.5]),
    "booleans": pd.Categorical([True, False, None]),
    "bands": pd.cut([10, 40, 70], [0, 30, 50, 99]),
    "bands of halves": pd.cut([0.1, 0.3, 0.9], 3),
    "intervals": pd.Series(pd.arrays.IntervalArray.from_tuples([(0, 1), (2, 5), (0, 1)])),
    "dated bands": pd.cut(pd.to_datetime(["2024-01-01", "2024-05-01", "2024-09-01"]), 2),
    "day labels": pd.Categorical(pd.to_datetime(["2024-02-01", "2024-01-01", None])),
    "dates": pd.Series(pd.to_datetime(["2024-01-31 10:30", "1969-12-31 00:00", None])),
    "seconds": pd.Series(pd.to_datetime(["2024-01-31", "2500-01-01", None])).astype(
        "datetime64[s]"
    ),
    "nanoseconds": pd.Series(pd.to_datetime(["2024-01-31", "2020-01-01", None])).astype(
        "datetime64[ns]"
    ),
    "zoned": pd.Series(
        pd.to_datetime(["2024-03-31 02:30", "2024-10-27 00:30", None], utc=True)
    ).dt.tz_convert("Europe/Rome"),
    "spans": pd.Series(pd.to_timedelta([1, -2, None], unit="h")),
    "months": pd.Series(pd.period_range("2020-01", periods=3, freq="M")),
    "sparse": pd.arrays.SparseArray([0.0, 0.0, 1.5]),
    "sparse truth": pd.arrays.SparseArray([False, True, False]),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_column_comes_back_as_it_was(column):
    frame = pd.DataFrame({"one": column, "beside": [1.0, 2.0, 3.0]})
    for rows in (data.table(frame), wb.Inputs(frame), data.table(frame, like=data.table(frame))):
        pd.testing.assert_frame_equal(rows.to_frame(), frame)
    again = data.table(frame[::-1], like=data.table(frame))
    pd.testing.assert_frame_equal(again.to_frame(), frame[::-1].reset_index(drop=True))


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_result_on_any_column_is_saved_and_read_with_its_type(column, tmp_path):
    frame = pd.DataFrame({"one": column, "beside": [1.0, 2.0, 3.0]})
    rows = data.table(frame, background=frame)
    known = {"categories": rows.categories, "columns": rows.columns}
    model = wb.Model("second", lambda rows: rows[:, 1:], ("y",), "raw", **known)
    wb.explain(model, rows, wb.methods.ExactShapley()).save(tmp_path / "one.result")
    pd.testing.assert_frame_equal(wb.read(tmp_path / "one.result").inputs.to_frame(), frame)


@pytest.mark.parametrize("dtype", ["Int64", "int32", "UInt8", "boolean"])
def test_perturbed_numbers_keep_their_values_where_the_type_has_no_place_for_them(dtype):
    frame = pd.DataFrame({"n": pd.array([1, 0, 1], dtype=dtype)})
    rows = data.table(frame)
    if dtype == "boolean":
        assert rows.to_frame(np.array([[np.nan], [1.0]]))["n"].tolist() == [pd.NA, True]
        return
    back = rows.to_frame(np.array([[2.5], [np.nan], [-1.0]]))["n"]
    assert back.astype("Float64").tolist() == [2.5, pd.NA, -1.0]
    assert str(rows.to_frame(np.array([[4.0]]))["n"].dtype) == dtype


def test_names_that_are_no_text_come_back_too():
    frame = pd.DataFrame({0: [1.0, 2.0], ("a", "b"): ["x", "y"], "c": [1, 2]})
    rows = data.table(frame)
    assert rows.features == ("0", "('a', 'b')", "c")
    assert list(rows.to_frame().columns) == [0, ("a", "b"), "c"]


def test_a_background_is_found_by_name_wherever_it_is_given():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [10, 20], "t": ["x", "y"]})
    other = frame[["t", "b", "a"]]
    rows = data.table(frame)
    want = rows.values
    for given in (
        rows.with_background(other),
        wb.Inputs(frame, background=other),
        data.table(frame, background=other),
        rows.with_background(data.background(other, 2)),
        rows.with_background(data.table(other, like=rows)),
        wb.Inputs(
            rows.values, features=rows.features, categories=rows.categories, background=other
        ),
    ):
        np.testing.assert_array_equal(given.background, want)
    unnamed = wb.Inputs(frame[["a", "b"]].to_numpy(), background=frame[["a", "b"]])
    np.testing.assert_array_equal(unnamed.background, frame[["a", "b"]])
    with pytest.raises(InputError, match="The background rows need the columns"):
        rows.with_background(frame[["a", "b"]])
    with pytest.raises(InputError, match="Read both alike"):
        rows.with_background(data.table(other))


def test_labels_are_found_by_what_they_are_whatever_the_order():
    frame = pd.DataFrame({"grade": pd.Categorical([5, 1, 9], [9, 1, 5], ordered=True)})
    rows = data.table(frame)
    assert rows.categories["grade"] == (9, 1, 5)
    for order in itertools.permutations([9, 1, 5]):
        other = pd.DataFrame({"grade": pd.Categorical([1, 5, 9], order)})
        read = data.table(other, like=rows)
        assert read.values[:, 0].tolist() == [1, 2, 0]
        assert read.to_frame()["grade"].tolist() == [1, 5, 9]
        assert read.to_frame()["grade"].cat.ordered
    plain = data.table(pd.DataFrame({"grade": [1.0, 5.0]}), like=rows)
    assert plain.values[:, 0].tolist() == [1, 2]
    with pytest.raises(InputError, match="read before"):
        data.table(pd.DataFrame({"grade": ["1", "5"]}), like=rows)


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [
        (pd.to_datetime(["2024-01-01"]), [19723], "must hold dates as it did before"),
        ([19723], pd.to_datetime(["2024-01-01"]), "must hold numbers as it did before"),
        (pd.to_datetime(["2024-01-01"]), ["2024-01-01"], "must hold dates as it did before"),
        (
            pd.to_datetime(["2024-01-01"]),
            pd.to_datetime(["2024-01-01"]).tz_localize("Europe/Rome"),
            "must hold dates as it did before",
        ),
        (
            pd.period_range("2020", periods=1, freq="M"),
            pd.period_range("2020", periods=1, freq="D"),
            r"\(M\)",
        ),
        (
            pd.Series(["a"], dtype=object),
            pd.Series([None], dtype=object),
            "marks missing values by None",
        ),
    ],
)
def test_another_sort_of_column_than_before_is_refused(first, then, words):
    rows = data.table(pd.DataFrame({"when": first}))
    with pytest.raises(InputError, match=words):
        data.table(pd.DataFrame({"when": then}), like=rows)


def test_a_missing_value_is_called_missing_and_a_date_is_written_as_one():
    frame = pd.DataFrame(
        {"a": [np.nan], "t": pd.Series([None], dtype="str"), "d": pd.to_datetime(["2024-02-29"])}
    )
    rows = data.table(frame, background=pd.concat([frame, frame.assign(t="x")]))
    assert [rows.shown(0, j) for j in range(3)] == ["missing", "missing", "2024-02-29"]
    assert rows.shares_background(rows.with_background(np.array(rows.background)))
    assert (
        rows.digest == data.table(frame, background=pd.concat([frame, frame.assign(t="x")])).digest
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (16501.94, "16502"),
        (1234567, "1234567"),
        (-20000, "-20000"),
        (9999.4, "9999"),
        (0.12345, "0.1235"),
    ],
)
def test_large_numbers_are_written_out(value, words):
    assert wb.Inputs([[value]]).shown(0, 0) == words


@pytest.mark.parametrize(
    ("one", "others"),
    [
        (np.nan, ["b", None, "a"]),
        (None, ["b", None, "a"]),
        (np.nan, pd.Categorical(["low", "high", None], ["low", "high"], ordered=True)),
        (np.nan, pd.Categorical([5, 9, None])),
        (pd.NA, pd.array([True, None, False], dtype="boolean")),
        (np.nan, pd.to_datetime(["2024-02-29", None, "2024-03-01"])),
        (None, pd.to_timedelta([1, None, 2], unit="D")),
    ],
)
def test_a_row_that_misses_a_value_takes_the_columns_type_from_its_background(one, others):
    background = pd.DataFrame({"x": [1.0, 2.0, 3.0], "one": others})
    row = pd.Series({"x": 4.0, "one": one})
    rows = wb.Inputs(row, features=["x", "one"], background=background)
    whole = wb.Inputs(background)
    assert rows.shown(0, 1) == "missing"
    assert rows.categories == whole.categories
    assert rows.columns[1] == whole.columns[1]
    np.testing.assert_array_equal(rows.background, whole.values)
    assert rows.to_frame()["one"].dtype == whole.to_frame()["one"].dtype
    assert rows.to_frame()["one"].isna().all()


def test_images_with_gaps_are_still_refused():
    with pytest.raises(InputError, match="finite"):
        wb.Inputs(np.full((1, 2, 2, 1), np.nan), kind="image")
    with pytest.raises(InputError, match="kind='image'"):
        wb.Inputs(np.ones((1, 2, 2, 1)))
