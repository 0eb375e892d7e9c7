"""A frame is read by its columns' names and labels, wherever it is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from workbench import data, explain, methods, wrap
from workbench.core import Inputs
from workbench.errors import InputError

FRAME = pd.DataFrame(
    {
        "age": [31, 62, 45, 50, 28, 39],
        "city": ["Rome", "Oslo", "Rome", "Bern", "Oslo", "Bern"],
        "dose": [0.5, 2.0, 1.5, -1.0, 0.0, 3.0],
    }
)
RESULT = np.array([1.0, 5.0, 2.0, -3.0, 0.5, 4.0])
NUMBERS = FRAME[["age", "dose"]]


def one_hot() -> Pipeline:
    coded = ColumnTransformer(
        [("city", OneHotEncoder(handle_unknown="ignore"), ["city"])], remainder="passthrough"
    )
    return make_pipeline(coded, LinearRegression()).fit(FRAME, RESULT)


def line() -> LinearRegression:
    return LinearRegression().fit(NUMBERS, RESULT)


def credit(fitted: Pipeline, row: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Exact Shapley values of a sum of single columns: what the row changes, one column at a time."""
    found = []
    for column in FRAME.columns:
        changed = others.assign(**{column: [row[column].iloc[0]] * len(others)})
        found.append((fitted.predict(changed) - fitted.predict(others)).mean())
    return np.array(found)


class TestScoresOfAFrame:
    @pytest.mark.parametrize("like", [None, data.table(NUMBERS)], ids=["alone", "like"])
    def test_finds_columns_by_name(self, like: Inputs | None) -> None:
        fitted = line()
        np.testing.assert_array_equal(
            wrap(fitted, like=like).scores(NUMBERS[["dose", "age"]])[:, 0], fitted.predict(NUMBERS)
        )

    def test_finds_labels_by_name(self) -> None:
        fitted = one_hot()
        rows = FRAME[["dose", "city", "age"]][3:4]
        np.testing.assert_array_equal(
            wrap(fitted, like=data.table(FRAME)).scores(rows)[:, 0], fitted.predict(FRAME[3:4])
        )

    def test_of_inputs_reads_their_columns_and_labels(self) -> None:
        fitted = one_hot()
        rows = data.table(FRAME[["dose", "city", "age"]][3:4])  # "Bern" is its only label
        np.testing.assert_array_equal(
            wrap(fitted, like=data.table(FRAME)).scores(rows)[:, 0], fitted.predict(FRAME[3:4])
        )

    def test_of_polars(self) -> None:
        polars = pytest.importorskip("polars")
        fitted = line()
        rows = polars.DataFrame({"dose": NUMBERS["dose"].tolist(), "age": NUMBERS["age"].tolist()})
        np.testing.assert_array_equal(wrap(fitted).scores(rows)[:, 0], fitted.predict(NUMBERS))

    def test_without_its_columns_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"\['age'\] are not there"):
            wrap(line()).scores(NUMBERS[["dose"]])

    def test_with_labels_that_nothing_tells_is_refused(self) -> None:
        model = wrap(lambda rows: rows[:, 0], outputs=["y"], scale="raw")
        with pytest.raises(InputError, match=r"\['city'\] hold labels"):
            model.scores(FRAME[["city"]])

    def test_predict_takes_numbers_alone(self) -> None:
        with pytest.raises(InputError, match=r"model's scores, which finds them by name"):
            wrap(line()).predict(NUMBERS[["dose", "age"]])


class TestBackgroundsOfARow:
    """The row and its background together say which labels a column of text has."""

    @pytest.mark.parametrize(
        "others",
        [
            FRAME[1:],
            FRAME[1:].to_dict("records"),
            FRAME[1:].to_numpy(),
            FRAME[1:].to_numpy().tolist(),
            FRAME[1:].to_dict("list"),
        ],
        ids=["frame", "dicts", "objects", "lists", "columns"],
    )
    @pytest.mark.parametrize("read", [data.table, Inputs])
    def test_whatever_holds_it(self, others: object, read: object) -> None:
        rows = read(FRAME[:1], background=others)  # type: ignore[operator]
        fitted = one_hot()
        found = explain(wrap(fitted, like=rows), rows, methods.ExactShapley())
        np.testing.assert_allclose(
            found.values[0], credit(fitted, FRAME[:1], FRAME[1:]), atol=1e-12
        )

    def test_rows_without_names_take_their_place_beside_a_frame(self) -> None:
        rows = data.table(FRAME[:1].to_numpy(), background=FRAME[1:])
        assert rows.categories == {"x1": ("Bern", "Oslo", "Rome")}
        assert rows.background is not None
        np.testing.assert_array_equal(rows.background[:, 1], [1, 2, 0, 1, 0])

    @pytest.mark.parametrize("missing", [None, np.nan])
    def test_a_row_without_any_label_has_those_of_its_background(self, missing: object) -> None:
        rows = data.table(FRAME[:1].assign(city=missing), background=FRAME[1:])
        assert rows.categories == {"city": ("Bern", "Oslo", "Rome")}
        assert np.isnan(rows.values[0, 1])
        assert rows.shown(0, 1) == "missing"
        assert rows.to_frame()["city"].dtype == FRAME["city"].dtype
        assert rows.to_frame()["city"].isna().all()


@pytest.mark.parametrize("ordered", [False, True])
def test_labels_of_polars_keep_an_order_only_if_it_was_said(ordered: bool) -> None:
    polars = pytest.importorskip("polars")
    said = polars.Enum(["mid", "low", "high"]) if ordered else polars.Categorical
    rows = data.table(polars.DataFrame({"x": polars.Series(["mid", None, "low"], dtype=said)}))
    assert rows.categories["x"] == (("mid", "low", "high") if ordered else ("low", "mid"))
    assert rows.to_frame()["x"].tolist()[::2] == ["mid", "low"]
    assert rows.to_frame()["x"].isna().tolist() == [False, True, False]
    assert rows.to_frame()["x"].cat.ordered is ordered
