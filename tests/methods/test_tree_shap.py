"""TreeSHAP: what it says about groups, and which game it asks rows for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

import workbench as wb
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.methods import TreeSHAP

ROWS = np.array([[0.0, 0.0, 5.0], [1.0, 0.0, 5.0], [0.0, 1.0, 5.0], [1.0, 1.0, 5.0]])


def tree():
    return wb.wrap(DecisionTreeRegressor().fit(ROWS, ROWS[:, 0] + 10 * ROWS[:, 1]))


def test_a_group_is_the_sum_of_its_columns_and_the_result_says_so_and_nothing_without_groups():
    alone = wb.explain(tree(), Inputs(ROWS, kind="tabular", background=ROWS), TreeSHAP())
    # Over the four corners of the square, each column moves the mean by half of its effect.
    np.testing.assert_allclose(alone.values, (ROWS - ROWS.mean(axis=0)) * [1, 10, 0], atol=1e-12)
    assert not any("group" in note for note in alone.notes)
    assert alone.players is None
    both = {"both": (0, 1)}
    grouped = wb.explain(
        tree(), Inputs(ROWS, kind="tabular", background=ROWS, groups=both), TreeSHAP()
    )
    assert any("sum of its columns' credit" in note for note in grouped.notes)
    assert grouped.names == ("both", "x2")
    np.testing.assert_allclose(
        [grouped.by_player(i)[0] for i in range(4)], alone.values[:, :2].sum(axis=1), atol=1e-12
    )


def test_rows_are_asked_for_by_the_game_that_needs_them():
    bare = Inputs(ROWS, kind="tabular")
    assert "needs background rows for feature_perturbation='interventional'" in TreeSHAP().lacks(
        bare
    )
    assert TreeSHAP("tree_path_dependent").lacks(bare) is None
    with pytest.raises(InputError, match="tree_path_dependent"):
        next(TreeSHAP().attribute(tree(), bare, (wb.Target(0),)))
    found = wb.explain(tree(), bare, TreeSHAP("tree_path_dependent"))
    np.testing.assert_allclose(found.base, 5.5, atol=1e-12)  # the mean of 0, 1, 10 and 11
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)


def test_a_model_without_trees_is_refused(network, table):
    with pytest.raises(IncompatibleError, match="needs trees, but model 'network' has none"):
        next(TreeSHAP().attribute(network, table, (wb.Target(0),)))
