"""A readable stand-in learned on rows with missing values: a tree takes them, a line refuses them."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

import workbench as wb
from workbench import variants
from workbench.errors import InputError

NAN = np.nan


def rows(beside):
    values = np.random.default_rng(0).normal(size=(40, 2))
    values[::4, 1] = beside
    return wb.Inputs(values, features=("age", "dose"))


def grown(inputs):
    known = np.where(np.isinf(inputs.values), 0.0, inputs.values)
    tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(
        known, np.isnan(known[:, 1]) + 0.0
    )
    return wb.wrap(tree, like=rows(NAN)), tree


def test_a_tree_reads_missing_values_as_the_model_does():
    inputs = rows(NAN)
    model, tree = grown(inputs)
    copy = variants.distill_to_tree(model, inputs, depth=2)
    np.testing.assert_array_equal(copy.scores(inputs.values)[:, 0], tree.predict(inputs.values))
    np.testing.assert_array_equal(copy.scores(inputs.values)[:, 0], np.isnan(inputs.values[:, 1]))


def test_a_line_says_which_rows_and_columns_it_cannot_take():
    inputs = rows(NAN)
    with pytest.raises(
        InputError, match=r"10 of 40 rows hold missing.*row 0; in columns \['dose'\]"
    ):
        variants.distill_to_linear(grown(inputs)[0], inputs)


def test_a_tree_says_that_it_cannot_take_infinity():
    with pytest.raises(InputError, match=r"10 of 40 rows hold infinite.*\['dose'\]"):
        variants.distill_to_tree(grown(rows(NAN))[0], rows(np.inf), depth=2)
