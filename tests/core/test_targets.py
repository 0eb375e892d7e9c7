"""Targets: which scores are weighed, which outputs are refused, and how they read."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.core import Inputs, Model, Target
from workbench.errors import InputError


def model(scale="logit") -> Model:
    return Model("net", lambda rows: rows, ("a", "b", "c"), scale)


SCORES = np.array([[1.0, 3.0, 2.0], [5.0, 4.0, 0.0]])


@pytest.mark.parametrize(
    ("target", "weights"),
    [
        (Target(1), [[0, 1, 0], [0, 1, 0]]),
        (Target("c"), [[0, 0, 1], [0, 0, 1]]),
        (Target((2, 0)), [[0, 0, 1], [1, 0, 0]]),
        (Target(("b", "a")), [[0, 1, 0], [1, 0, 0]]),
        (Target.predicted(), [[0, 1, 0], [1, 0, 0]]),
        (Target.predicted(against="a"), [[-1, 1, 0], [0, 0, 0]]),
        (Target(0, against=(1, 2)), [[1, -1, 0], [1, 0, -1]]),
        (Target(np.array([2, 0])), [[0, 0, 1], [1, 0, 0]]),
        (Target(np.int64(1)), [[0, 1, 0], [0, 1, 0]]),
    ],
)
def test_the_explained_number_is_a_weighted_sum_of_the_rows_scores(target, weights):
    assert target.weights(model(), SCORES).tolist() == weights


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(3), r"outputs 0\.\.2 .* no output 3"),
        (Target(-1), "no output -1"),
        (Target("d"), "no output 'd'"),
        (Target(True), "not True"),
        (Target(0, against=3), "no output 3"),
        (Target((0, 1, 2)), "needs 2 entries, but has 3"),
        (Target(0, against=(1,)), "needs 2 entries, but has 1"),
    ],
)
def test_outputs_that_are_not_there_are_refused(target, words):
    with pytest.raises(InputError, match=words):
        target.weights(model(), SCORES)


def test_only_raw_scores_of_several_outputs_have_no_predicted_one():
    with pytest.raises(InputError, match="none is 'the predicted one'"):
        Target.predicted().weights(model("raw"), SCORES)
    one = Model("one", lambda rows: rows, ("y",), "raw")
    assert Target.predicted().weights(one, SCORES[:, :1]).tolist() == [[1], [1]]
    assert Target.predicted().weights(model("probability"), SCORES)[0].tolist() == [0, 1, 0]


def test_a_target_reads_as_its_output_or_as_one_per_row():
    outputs = ("a", "b", "c", "d")
    assert Target(3).label(outputs) == "d"
    assert Target(4).label(outputs) == "4"
    assert Target((0, 1, 0)).label(outputs) == "a / b"
    assert Target((0, 1, 2)).label(outputs) == "a / b / c"
    assert Target((0, 1, 2, 3)).label(outputs) == "one per row"
    assert Target("a", against="b").label(outputs) == "a − b"


def test_some_rows_keep_their_own_targets_and_one_for_all_stays_it():
    assert Target((2, 0, 1), against=(0, 1, 2)).of_rows(slice(1, 3)) == Target(
        (0, 1), against=(1, 2)
    )
    assert Target("a", against=1).of_rows(slice(1, 3)) == Target("a", against=1)


def test_values_are_no_true_classes():
    for y in ([1.5, 0.0], [np.nan, 1.0]):
        rows = Inputs(np.zeros((2, 1)), kind="tabular", y=y)
        with pytest.raises(InputError, match="has float64"):
            Target.true(rows)
    with pytest.raises(InputError, match="has none"):
        Target.true(Inputs(np.zeros((2, 1)), kind="tabular"))


def test_scores_of_another_shape_or_not_finite_are_refused_by_their_first_place():
    from workbench.errors import ModelError

    for said, words in (
        (np.zeros((2, 2)), r"shape \(2, 3\) .* gave \(2, 2\)"),
        (np.zeros((3, 3)), r"gave \(3, 3\)"),
        (
            np.array([[0, 0, 0], [0, np.nan, 0]]),
            r"1 of 2 rows got NaN or infinity \(first at position 1",
        ),
        (np.full((2, 3), -np.inf), r"2 of 2 rows .* position 0"),
        (np.full((2, 3), "yes"), "must answer with numbers"),
        (np.full((2, 3), 1j), "must answer with numbers"),
    ):
        bad = Model("bad", lambda rows, said=said: said, ("a", "b", "c"), "raw")
        with pytest.raises(ModelError, match=words):
            bad.scores(np.zeros((2, 1)))
