"""A combination is checked once: members, weights and views fit, and linear means linear."""

import numpy as np
import pytest

from workbench.core import Combination, Model
from workbench.errors import InputError


def member(name, outputs=("y",)):
    return Model(name, lambda rows: rows[:, : len(outputs)], outputs, "raw")


def test_the_linear_form_is_intercept_plus_weighted_views_plus_columns():
    two = member("two", ("a", "b"))
    combination = Combination(
        (member("one"), two),
        "weighted sum",
        "margin",
        np.array([2.0, 3.0]),
        (np.array([[1.0]]), np.array([[0.0, 10.0]])),
        intercept=np.array([0.5]),
        direct=np.array([[0.0, 0.0, 100.0]]),
    )
    rows = np.array([[1.0, 2.0, 3.0]])
    said = [m.scores(rows) for m in combination.members]
    # 0.5 + 2 * 1 + 3 * 10 * 2 + 100 * 3
    np.testing.assert_array_equal(combination.scores(said, rows), [[362.5]])
    assert combination.linear


def test_what_does_not_fit_is_refused():
    one, view = member("one"), np.eye(1)
    with pytest.raises(InputError, match="different name"):
        Combination((one, one), "weighted mean", "raw", np.ones(2) / 2, (view, view))
    with pytest.raises(InputError, match="at least one member"):
        Combination((), "weighted mean", "raw", np.ones(0), ())
    with pytest.raises(InputError, match="views of shapes"):
        Combination((one,), "weighted mean", "raw", np.ones(1), (np.eye(2),))
    with pytest.raises(InputError, match="weights of"):
        Combination((one,), "weighted mean", "raw", np.ones(2), (view,))
    with pytest.raises(InputError, match="a rule exactly where it is not linear"):
        Combination((one,), "not linear", "raw", np.ones(1), (view,))


def test_a_rule_replaces_the_sum():
    combination = Combination(
        (member("a"), member("b")),
        "not linear",
        "raw",
        np.ones(2),
        (np.eye(1), np.eye(1)),
        rule=lambda said, rows: np.maximum(*said),
    )
    np.testing.assert_array_equal(
        combination.scores([np.array([[1.0]]), np.array([[4.0]])], np.zeros((1, 1))), [[4.0]]
    )
    assert not combination.linear


def test_its_arrays_are_read_only_copies():
    weights = np.array([1.0])
    combination = Combination((member("a"),), "weighted mean", "raw", weights, (np.eye(1),))
    weights[0] = 7.0
    assert combination.weights[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        combination.weights[0] = 2.0
