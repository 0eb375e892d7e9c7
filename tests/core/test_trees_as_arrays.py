"""Trees as plain arrays: which way every value goes, and the mean that training rows remember."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.core.trees import Tree, Trees


def tree(**changes) -> Tree:
    """x0 <= 1 to the left; there x1 <= 5; leaves 10, 20 and, on the right, 40."""
    fields = {
        "left": np.array([1, 2, -1, -1, -1]),
        "right": np.array([4, 3, -1, -1, -1]),
        "feature": np.array([0, 1, -2, -2, -2]),
        "threshold": np.array([1.0, 5.0, 0, 0, 0]),
        "missing_left": np.array([False, True, False, False, False]),
        "values": np.array([[0.0], [0.0], [10.0], [20.0], [40.0]]),
        "cover": np.array([8.0, 6.0, 1.0, 5.0, 2.0]),
    }
    return Tree(**(fields | changes))


def test_a_value_on_the_threshold_goes_left_and_a_missing_one_where_its_node_says():
    rows = np.array([[1, 5], [1, 5.1], [1.1, 5], [np.nan, 0], [0, np.nan], [-9, 99]])
    assert tree().leaves(rows).tolist() == [2, 3, 4, 4, 2, 3]
    assert tree(missing_left=np.ones(5, bool)).leaves(rows)[3] == 2
    assert tree().leaves(rows[:0]).tolist() == []


def test_a_category_goes_where_its_entry_says_and_an_unknown_one_with_the_last():
    one = tree(goes_left={0: np.array([True, False, True, False])})
    column = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 99.0, -1.0, np.nan])
    wanted = [True, False, True, False, False, False, False, False]
    assert one.sends_left(0, column).tolist() == wanted
    others = tree(
        goes_left={0: np.array([True, False, True, True])}, missing_left=np.zeros(5, bool)
    )
    assert others.sends_left(0, column).tolist() == [
        True,
        False,
        True,
        True,
        True,
        True,
        True,
        False,
    ]
    missing = tree(goes_left={0: np.array([False, False])}, missing_left=np.ones(5, bool))
    assert missing.sends_left(0, column).tolist() == [False] * 7 + [True]


def test_the_mean_is_that_of_the_training_rows_and_even_where_none_came_by():
    np.testing.assert_allclose(tree().shares(), [1, 6 / 8, 1 / 6, 5 / 6, 2 / 8])
    np.testing.assert_allclose(tree().expected(), [(1 * 10 + 5 * 20 + 2 * 40) / 8])
    empty = tree(cover=np.array([2.0, 0, 0, 0, 2.0]))
    np.testing.assert_allclose(empty.shares(), [1, 0, 0.5, 0.5, 1])
    np.testing.assert_allclose(empty.expected(), [40])
    negative = tree(cover=np.array([8.0, -6.0, 1.0, 5.0, 2.0]))  # no share is below nothing
    np.testing.assert_allclose(negative.shares()[[1, 4]], [0, 1])


def test_trees_add_up_over_their_offset_in_the_precision_of_their_library():
    both = Trees((tree(), tree(values=tree().values * 100)), np.array([0.5]))
    np.testing.assert_array_equal(
        both.scores(np.array([[0.0, 0.0], [9.0, 0.0]])), [[1010.5], [4040.5]]
    )
    np.testing.assert_allclose(both.expected(), [0.5 + 101 * 190 / 8])
    both.expected()[0] = 7.0  # a copy, which changes nothing
    np.testing.assert_allclose(both.expected(), [0.5 + 101 * 190 / 8])
    near = np.array([[1.0 + 1e-12, 0.0]])  # which is 1 in float32
    assert Trees((tree(),), np.zeros(1)).scores(near) == 40
    assert Trees((tree(),), np.zeros(1), np.float32).scores(near) == 10


@pytest.mark.parametrize("kind", ["forest", "one tree"])
def test_the_mean_of_a_fitted_model_is_that_of_its_training_rows(kind):
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.tree import DecisionTreeRegressor

    import workbench as wb

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 3))
    made = {
        "forest": GradientBoostingRegressor(n_estimators=5, random_state=0),
        "one tree": DecisionTreeRegressor(max_depth=4, random_state=0),
    }[kind]
    model = wb.wrap(made.fit(rows, rows[:, 0] + rows[:, 1] ** 2))
    trees = model.trees()
    np.testing.assert_allclose(trees.scores(rows), model.scores(rows), rtol=1e-12)
    np.testing.assert_allclose(trees.expected(), model.scores(rows).mean(axis=0), rtol=1e-12)
