"""Rows: category codes that mean nothing are refused, whichever way they miss their labels."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs
from workbench.errors import InputError


def colored(*codes: float) -> Inputs:
    return Inputs(
        np.array([codes, np.arange(len(codes))]).T,
        kind="tabular",
        features=("color", "size"),
        categories={"color": ("red", "green", "blue")},
    )


@pytest.mark.parametrize("code", [-1, -3, 3, 0.5, 1e9])
def test_a_code_that_is_no_position_is_never_read_as_a_label(code):
    with pytest.raises(InputError, match=r"'color' must hold positions 0\.\.2 of its labels"):
        colored(0, code)
    with pytest.raises(InputError, match="but holds"):
        colored(0, 1).to_frame(np.array([[0.0, 0.0], [code, 1.0]]))


def test_the_first_and_the_last_code_are_the_first_and_the_last_label():
    rows = colored(0, 2, 1)
    assert rows.to_frame()["color"].tolist() == ["red", "blue", "green"]
    assert [rows.shown(i, 0) for i in range(3)] == ["red", "blue", "green"]
    assert rows.shown(2, 1) == "2"


def test_a_model_fitted_on_labels_never_answers_for_a_code_without_one():
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame({"color": ["red", "green", "blue"], "size": [0.0, 1.0, 2.0]})
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["color"]), remainder="passthrough"),
        LinearRegression(),
    ).fit(frame, [0.0, 5.0, 9.0])
    model = wb.wrap(pipeline, like=colored(0, 1, 2))
    np.testing.assert_allclose(model.scores(colored(0, 1, 2).values)[:, 0], [0, 5, 9], atol=1e-9)
    with pytest.raises(wb.errors.WorkbenchError, match="positions 0"):
        model.scores(np.array([[-1.0, 2.0]]))


def test_rows_that_hold_nothing_are_refused():
    with pytest.raises(InputError, match=r"at least one column, but has \(2, 0\)"):
        Inputs(np.zeros((2, 0)), kind="tabular")
    with pytest.raises(InputError, match="at least one pixel"):
        Inputs(np.zeros((2, 0, 3, 1)), kind="image")


def test_groups_and_categories_that_name_no_column_are_refused():
    rows = np.zeros((1, 3))
    for groups, words in (
        ({"g": ("x0", "nowhere")}, "names column 'nowhere'"),
        ({"g": (3,)}, r"needs columns in 0\.\.2, found \(3,\)"),
        ({"g": (-1,)}, r"needs columns in 0\.\.2, found \(-1,\)"),
        ({"g": ()}, r"needs columns in 0\.\.2"),
        ({"g": (0, 1), "h": (1, 2)}, "'h' shares a column"),
        ({"g": (1, 1)}, "'g' shares a column"),
    ):
        with pytest.raises(InputError, match=words):
            Inputs(rows, kind="tabular", groups=groups)
    with pytest.raises(InputError, match=r"\['y'\], which are not in features"):
        Inputs(rows, kind="tabular", categories={"y": ("a",)})


def test_what_names_or_counts_rows_must_name_and_count_them_all():
    rows = np.zeros((2, 3))
    for fields, words in (
        ({"features": ("a", "b")}, "must name 3 columns, but name 2"),
        ({"features": ("a", "b", "a")}, r"\['a'\] occur more than once"),
        ({"ids": ("one",)}, "must name 2 rows, but there are 1"),
        ({"y": [1]}, "2 rows, 1 entries"),
        ({"background": np.zeros((4, 2))}, r"\(b, 3\) of the rows they stand in for"),
        ({"background": np.zeros((0, 3))}, "The background is empty"),
    ):
        with pytest.raises(InputError, match=words):
            Inputs(rows, kind="tabular", **fields)


def test_two_sets_of_rows_share_a_background_where_its_numbers_are_the_same():
    one = Inputs(np.zeros((2, 3)), kind="tabular", background=np.ones((4, 3)))
    assert one.shares_background(one[:1].with_background(np.ones((4, 3))))
    assert not one.shares_background(one.with_background(np.zeros((4, 3))))
    assert not one.shares_background(one.with_background(None))
    assert not one.with_background(None).shares_background(one)
    assert one.with_background(None).shares_background(one.with_background(None))
