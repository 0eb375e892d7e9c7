"""`compare`'s numbers, row by row, on explanations written down by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compare.drift_by_hand import explanation
from workbench.compare import DRIFT_METRICS, compare
from workbench.compare.agreement import METRICS
from workbench.compare.drift.metrics import drift_of_rows


def row_of(reference, other):
    """The metrics of one row."""
    found = compare([explanation([reference]), explanation([other], "other")], "reference")
    return {row.metric: row.value for row in found.rows}


def test_nothing_against_nothing_agrees_in_everything():
    assert row_of([0, 0, 0], [0, 0, 0]) == {
        "cosine": 1.0, "spearman": 1.0, "sign": 1.0, "top5": 1.0, "relative_change": 0.0,
    }  # fmt: skip


def test_something_against_nothing_is_an_infinite_change_and_nothing_against_something_once():
    """A change counts in sizes of the reference, and nothing has none."""
    assert row_of([0, 0], [3, 4])["relative_change"] == np.inf
    assert row_of([3, 4], [0, 0])["relative_change"] == 1.0
    assert row_of([0, 0], [3, 4])["cosine"] == row_of([3, 4], [0, 0])["cosine"] == 0.0
    assert row_of([0, 0], [3, 4])["sign"] == 0.0


def test_every_metric_is_the_one_worked_out_by_hand():
    found = row_of([3, 4, 0], [3, 0, -4])
    assert found["cosine"] == pytest.approx(9 / 25)
    assert found["relative_change"] == pytest.approx(np.sqrt(32) / 5)
    assert found["sign"] == pytest.approx(1 / 3)
    assert found["spearman"] == pytest.approx(0.5)  # ranks 2 3 1 and 3 2 1
    assert found["top5"] == 1.0  # three players are all among five


def test_a_shrunk_copy_differs_by_its_relative_change_alone():
    found = row_of([4, -2, 1], [2, -1, 0.5])
    assert found == {
        "cosine": pytest.approx(1), "spearman": pytest.approx(1), "sign": 1, "top5": 1,
        "relative_change": 0.5,
    }  # fmt: skip


def test_rows_whose_explained_output_moved_are_counted_in_a_note():
    moved = explanation([[1.0], [2.0]], "other", explained=("yes", "no"))
    found = compare([explanation([[1.0], [2.0]]), moved], "reference")
    assert "on 1 of 2 rows another output was explained" in found.notes[0]
    same = compare([explanation([[1.0]]), explanation([[1.0]], "other")], "reference")
    assert same.notes == ()


def test_a_name_that_compared_models_and_copies_share_is_one_formula():
    """What is 0 for a copy that did not move is 1 for models that agree."""
    one, other = np.random.default_rng(6).normal(size=(2, 1, 7))
    found = row_of(one[0], other[0])
    shared = METRICS.keys() & DRIFT_METRICS.keys()
    assert shared >= {"cosine", "spearman"}
    for name in shared:
        assert 1 - found[name] == pytest.approx(drift_of_rows(name, one, other)[0])
    # A change counts in sizes of the reference, a distance in those of the longer: other names.
    longer = max(np.linalg.norm(one), np.linalg.norm(other))
    change = np.linalg.norm(other - one) / np.linalg.norm(one)
    assert found["relative_change"] == pytest.approx(change)
    distance = drift_of_rows("distance", one, other)[0]
    assert distance == pytest.approx(np.linalg.norm(other - one) / longer)
    assert change > distance
