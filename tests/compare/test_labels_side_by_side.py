"""Several labels per row: flips, accuracy and calibration of each by itself, with sklearn as referee."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, hamming_loss

import workbench as wb
from workbench import methods
from workbench.compare import behavior
from workbench.core import Inputs
from workbench.errors import InputError

NAMES = ("rain", "wind", "snow")
BEFORE = np.array([[0.9, 0.8, 0.1], [0.2, 0.7, 0.6], [0.1, 0.2, 0.3], [0.9, 0.9, 0.9]])
AFTER = np.array([[0.8, 0.9, 0.1], [0.2, 0.7, 0.4], [0.1, 0.6, 0.3], [0.9, 0.9, 0.9]])
Y = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1]])


def logits(p):
    return np.log(p / (1 - p))


@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_every_label_of_a_row_is_a_decision(scale):
    before, after = (one if scale == "probability" else logits(one) for one in (BEFORE, AFTER))
    found = behavior(before, after, NAMES, scale, y=Y)
    assert found.flips == 2 / 4  # the first row's order changed, and none of its labels
    assert found.flips_by == {("snow", "not snow"): 1 / 4, ("not wind", "wind"): 1 / 4}
    wanted = [
        np.mean([accuracy_score(Y[:, j], p[:, j] > 0.5) for j in range(3)]) for p in (BEFORE, AFTER)
    ]
    assert found.accuracy == pytest.approx(wanted)
    assert found.accuracy[0] == pytest.approx(1 - hamming_loss(Y, BEFORE > 0.5))
    assert (found.to_wrong, found.to_right) == (1 / 12, 1 / 12)
    assert (found.kl, found.mcnemar, found.brier) == (None, None, None)


def test_calibration_is_the_mean_of_the_labels_own():
    found = behavior(BEFORE, AFTER, NAMES, "probability", y=Y)
    single = [
        behavior(BEFORE[:, [j]], AFTER[:, [j]], NAMES[j : j + 1], "probability", y=Y[:, j]).ece
        for j in range(3)
    ]
    assert found.ece == pytest.approx(tuple(np.mean(single, axis=0)))


def test_without_truth_the_scores_tell():
    found = behavior(BEFORE, AFTER, NAMES, "probability")
    assert (found.flips, found.accuracy) == (0.5, None)


def test_one_class_per_row_is_that_of_the_highest_score_even_where_chances_do_not_sum_to_one():
    y = [0, 1, 2, 0]
    found = behavior(BEFORE, AFTER, NAMES, "probability", y=y)
    wanted = tuple(accuracy_score(y, one.argmax(axis=1)) for one in (BEFORE, AFTER))
    assert found.accuracy == wanted


@pytest.mark.parametrize("y", [Y[:, :2], Y * 2, Y[:3]])
def test_labels_of_another_form_are_refused(y):
    with pytest.raises(InputError, match=r"a column of 0 and 1 for each of the outputs"):
        behavior(BEFORE, AFTER, NAMES, "probability", y=y)


def test_a_drift_study_of_several_labels_counts_them_one_by_one():
    def model(name, scores):
        return wb.Model(name, lambda rows: scores[rows[:, 0].astype(int)], NAMES, "probability")

    rows = Inputs(np.c_[np.arange(4), np.zeros(4)], kind="tabular", background=[[0, 0]])
    found = wb.drift(
        model("net", BEFORE),
        model("copy", AFTER),
        rows,
        methods.Occlusion(),
        random_weights=False,
    )
    (shown,) = found.behavior
    assert shown.flips == 0.5
