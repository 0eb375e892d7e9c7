"""Frames and arrays become rows with nothing lost and nothing guessed."""

from __future__ import annotations

import decimal

import numpy as np
import pandas as pd
import pytest

from workbench import data
from workbench.errors import InputError


@pytest.fixture
def people() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [31, 62, 45, 20],
            "city": ["Rome", "Oslo", "Rome", "Bonn"],
            "smoker": [True, False, False, True],
            "grade": pd.Categorical(
                ["low", "high", "low", "low"], ["low", "mid", "high"], ordered=True
            ),
            "floor": pd.Categorical([3, 1, 3, 2]),
            "dose": np.array([0.5, 1.5, 2.5, 3.5], dtype=np.float32),
            "sick": ["yes", "no", "no", "yes"],
        }
    )


def test_labels_become_positions_and_come_back_with_their_type(people):
    rows = data.table(people, target="sick")
    assert rows.features == ("age", "city", "smoker", "grade", "floor", "dose")
    assert rows.categories["city"] == ("Bonn", "Oslo", "Rome")
    assert rows.categories["smoker"] == (False, True)
    assert rows.categories["grade"] == (
        "low",
        "mid",
        "high",
    )  # pandas' order, and the unused one too
    assert rows.values[:, 1].tolist() == [2, 1, 2, 0]
    back = rows.to_frame()
    for column in rows.features:
        assert back[column].tolist() == people[column].tolist()
        assert back[column].dtype == people[column].dtype


def test_the_target_column_becomes_the_classes_and_no_feature(people):
    rows = data.table(people, target="sick")
    assert rows.y.tolist() == ["yes", "no", "no", "yes"]
    assert "sick" not in rows.features
    assert data.table(people[["age"]], target=[4, 5, 6, 7]).y.tolist() == [4, 5, 6, 7]


def test_later_rows_are_read_with_the_labels_of_the_first(people):
    first = data.table(people, target="sick").with_background(np.zeros((2, 6)))
    late = data.table(people[::-1][["city", "age", "dose", "grade", "smoker", "floor"]], like=first)
    np.testing.assert_array_equal(late.values, first.values[::-1])
    assert late.ids == ("3", "2", "1", "0")
    assert len(late.background) == 2


def test_a_background_frame_is_read_with_the_same_labels(people):
    rows = data.table(people[:2], features=["city", "age"], background=people[:1])
    np.testing.assert_array_equal(rows.background, [[1.0, 31.0]])
    wide = data.table(people[:2], features=["city", "age"], background=people[2:])
    assert wide.categories["city"] == ("Bonn", "Oslo", "Rome")
    assert wide.values[:, 0].tolist() == [2, 1]
    assert wide.background[:, 0].tolist() == [2, 0]
    with pytest.raises(InputError, match=r"'city' must hold one of the labels .*holds \['Bonn'\]"):
        rows.with_background(people)


def test_a_label_never_seen_before_is_named(people):
    first = data.table(people[:2], features=["city"])
    with pytest.raises(InputError, match=r"'city'.*\['Oslo', 'Rome'\].*\['Bonn'\]"):
        data.table(people, like=first)


def test_labels_where_numbers_were_are_refused(people):
    first = data.table(people[["age"]])
    with pytest.raises(InputError, match="'age' must hold numbers as it did before"):
        data.table(people[["age"]].astype(str), like=first)


def test_a_missing_target_is_refused(people):
    people.loc[2, "sick"] = None
    with pytest.raises(InputError, match="'sick' misses 1 of 4"):
        data.table(people, target="sick")


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1 + 2j, 3j]),
        pd.Series([[1], [2, 3]]),
        pd.Series([True, 1], dtype=object),
        pd.Series([2**60 + 1, 1]),
        pd.Series([decimal.Decimal(1), decimal.Decimal(2)]),
        pd.to_datetime(["2020-01-01 00:00:00.000000001", "2021-01-01"], format="ISO8601"),
        pd.Categorical([(1, 2), (3,)]),
    ],
    ids=["complex", "lists", "bool and 1", "large", "decimals", "nanoseconds", "tuples"],
)
def test_columns_that_are_neither_numbers_nor_labels_are_named(column):
    with pytest.raises(InputError, match="'odd'"):
        data.table(pd.DataFrame({"fine": [1, 2], "odd": column}))


def test_an_index_with_names_gives_the_ids(people):
    assert data.table(people[["age"]]).ids == ("0", "1", "2", "3")
    assert data.table(people[["age"]].set_index(pd.Index(list("wxyz")))).ids == tuple("wxyz")
    assert data.table(people[["age"]][2:]).ids == ("2", "3")


def test_arrays_of_numbers_and_of_objects_are_read():
    rows = data.table(np.arange(6.0).reshape(2, 3), features=("a", "b", "c"))
    assert rows.features == ("a", "b", "c")
    mixed = data.table(np.array([["x", 1.0], ["y", 2.0]], dtype=object))
    assert mixed.categories["x0"] == ("x", "y")
    assert mixed.values.tolist() == [[0, 1], [1, 2]]


def test_wrong_shapes_and_names_get_a_sentence(people):
    with pytest.raises(InputError, match=r"\(n, f\).*rows\[None\]"):
        data.table(np.arange(3.0))
    with pytest.raises(InputError, match="must name 3 columns, but name 2"):
        data.table(np.zeros((2, 3)), features=("a", "b"))
    with pytest.raises(InputError, match="'height'"):
        data.table(people, features=["age", "height"])
    with pytest.raises(InputError, match="'ill'"):
        data.table(people, target="ill")
    with pytest.raises(InputError, match="Series"):
        data.table(people["age"])
    with pytest.raises(InputError, match="occur more than once"):
        data.table(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_reading_leaves_the_frame_as_it_was(people):
    before = people.copy(deep=True)
    data.table(people, target="sick")
    pd.testing.assert_frame_equal(people, before)


def test_a_background_is_drawn_without_repeats_and_the_same_for_a_seed():
    rows = np.arange(40.0).reshape(20, 2)
    drawn = data.background(rows, 7, seed=3)
    assert drawn.shape == (7, 2)
    assert len(np.unique(drawn[:, 0])) == 7
    np.testing.assert_array_equal(drawn, data.background(rows, 7, seed=3))
    assert not np.array_equal(drawn, data.background(rows, 7, seed=4))


def test_a_background_by_class_gives_each_its_share():
    classes = np.repeat([0, 1, 2], [60, 30, 10])
    drawn = data.background(np.column_stack([classes, np.arange(100)]), 20, by=classes)
    assert np.bincount(drawn[:, 0].astype(int)).tolist() == [12, 6, 2]
    whole = data.background(np.arange(100.0)[:, None], 100, by=classes)
    assert whole[:, 0].tolist() == list(range(100))  # no row twice, in their order


def test_a_class_with_no_background_row_is_named_with_what_would_do():
    classes = np.repeat(["common", "rare"], [99, 1])
    with pytest.raises(InputError, match=r"\['rare'\].*at least 100 rows"):
        data.background(np.zeros((100, 2)), 10, by=classes)
    assert len(data.background(np.zeros((100, 2)), 100, by=classes)) == 100


@pytest.mark.parametrize("rows", [0, -1, 6, 2.0, True])
def test_a_background_of_an_impossible_size_is_refused(rows):
    with pytest.raises(InputError, match=r"1\.\.5"):
        data.background(np.zeros((5, 2)), rows)


def test_a_background_needs_one_class_per_row():
    with pytest.raises(InputError, match=r"\(5,\)"):
        data.background(np.zeros((5, 2)), 3, by=[0, 1])
