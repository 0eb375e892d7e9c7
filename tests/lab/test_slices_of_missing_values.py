"""Rows in which a value is missing are a slice of their own, and in no other slice of that column."""

import numpy as np
import pandas as pd

from tests.lab.rows_by_hand import drift_of, explained, measured
from workbench import data
from workbench.core import Inputs
from workbench.lab import findings
from workbench.lab.slices import _by_column

NAN = np.nan


def sliced(inputs):
    """Every slice by column: {its name: positions}."""
    return {name: np.flatnonzero(inside).tolist() for name, inside, _ in _by_column(inputs)}


def test_rows_that_miss_a_value_drift_more():
    age = np.linspace(20.0, 79.0, 60)
    age[::4] = NAN
    drift = np.where(np.isnan(age), 0.5, 0.01) + 0.001 * np.arange(60)
    inputs = Inputs(age[:, None], kind="tabular", features=("age",))
    made = drift_of(
        measured("copy", drift, margin=0.1),
        attributions=tuple(explained(name, np.ones((60, 1)), inputs) for name in ("net", "copy")),
    )
    worst = findings(made).slices[0]
    assert worst.slice == "age missing"
    assert worst.harder
    assert worst.positions == tuple(range(0, 60, 4))


def test_quarters_and_ends_are_those_of_the_known_values():
    known = np.arange(1.0, 41.0)
    column = np.concatenate([[NAN] * 8, known])
    found = sliced(Inputs(column[:, None], features=("age",)))
    assert found.pop("age missing") == list(range(8))
    alone = sliced(Inputs(known[:, None], features=("age",)))
    assert {name: [row - 8 for row in rows] for name, rows in found.items()} == alone
    assert found["age up to 4"] == [8, 9, 10, 11]  # a tenth of forty


def test_infinity_lies_in_the_outermost_quarter():
    column = np.append(np.arange(1.0, 41.0), [np.inf, -np.inf])
    found = sliced(Inputs(column[:, None], features=("age",)))
    assert 40 in found["age from 30.25 to 40"]
    assert 41 in found["age from 1 to 10.75"]


def test_few_values_and_labels_have_a_slice_each_and_missing_ones_too():
    values = [[1.0, 0.0], [2.0, NAN], [NAN, 1.0], [2.0, 1.0]]
    rows = Inputs(values, features=("n", "color"), categories={"color": ("red", "blue")})
    assert sliced(rows) == {
        "n missing": [2],
        "n = 1": [0],
        "n = 2": [1, 3],
        "color missing": [1],
        "color = red": [0],
        "color = blue": [2, 3],
    }


def test_a_column_that_is_missing_everywhere_has_that_slice_alone():
    assert sliced(Inputs([[NAN], [NAN]], features=("age",))) == {"age missing": [0, 1]}


def test_slices_of_dates_are_named_by_dates():
    days = pd.Series(pd.date_range("2024-01-01", periods=41)).where(np.arange(41) != 3)
    found = sliced(data.table(pd.DataFrame({"when": days})))
    assert found["when missing"] == [3]
    assert "when up to 2024-01-02" in found  # a twentieth of forty
    assert found["when from 2024-02-09 on"] == [39, 40]
