"""Faithfulness watches probabilities: of one logit the logistic function's, of several the softmax's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from tests.compare.drift_by_hand import explanation
from workbench.compare import evaluations_of_faithfulness, faithfulness
from workbench.core import Inputs, Model, Target

ROWS = Inputs(np.ones((1, 2)), kind="tabular", background=np.zeros((1, 2)))
EFFECTS = np.array([[3.0], [1.0]])


def model(predict, outputs, scale="logit"):
    return Model("two", predict, outputs, scale)


def test_the_gain_of_one_logit_is_that_of_its_logistic_function():
    """Of two players the only inner point is one gone: the first in the order, or by chance either."""
    one = model(lambda rows: rows @ EFFECTS, ("yes",))
    found = faithfulness(one, explanation([[3.0, 1.0]], "two", inputs=ROWS), controls=2)
    by_chance = (expit(3.0) + expit(1.0)) / 2
    assert found.deletion[0] == pytest.approx(0.5 * (by_chance - expit(1.0)))
    assert found.insertion[0] == pytest.approx(0.5 * (expit(3.0) - by_chance))
    assert found.deletion[0] > 0.05


def test_one_logit_and_the_two_whose_difference_it_is_gain_the_same():
    both = model(lambda rows: np.hstack([0 * rows[:, :1], rows @ EFFECTS]), ("no", "yes"))
    one = model(lambda rows: rows @ EFFECTS, ("yes",))
    credit = explanation([[3.0, 1.0]], "two", inputs=ROWS)
    alone = faithfulness(one, credit)
    two = faithfulness(both, explanation([[3.0, 1.0]], "two", inputs=ROWS, target=Target(1)))
    np.testing.assert_allclose(alone.deletion, two.deletion, rtol=1e-12)
    np.testing.assert_allclose(alone.insertion, two.insertion, rtol=1e-12)


@pytest.mark.parametrize("scale", ["probability", "raw"])
def test_other_scales_are_watched_as_they_are(scale):
    one = model(lambda rows: rows @ EFFECTS / 10, ("yes",), scale)
    credit = explanation([[0.3, 0.1]], "two", inputs=ROWS, scale=scale)
    found = faithfulness(one, credit, controls=2)
    assert found.deletion[0] == pytest.approx(0.5 * (0.2 - 0.1))


def test_one_control_is_one_order_and_the_plan_counts_it():
    one = model(lambda rows: rows @ EFFECTS, ("yes",))
    credit = explanation([[3.0, 1.0]], "two", inputs=ROWS)
    found = faithfulness(one, credit, controls=1, steps=2)
    # The row; one cut, over one fill, of the order, its reverse and the one by chance.
    assert found.evaluations == evaluations_of_faithfulness(credit, controls=1, steps=2) == 1 + 3
