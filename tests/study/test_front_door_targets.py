"""A target may be a name, a label, a position, a truth or a word: the library's own output, or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier

import workbench as wb
from tests.study.forest_on_a_frame import ARRAY, FEW, FOREST, FRAME, LABELS, PATHS
from workbench import data
from workbench.core import Attributions, Model, Target
from workbench.errors import InputError
from workbench.methods import KernelSHAP, Occlusion

TARGETS = [
    ("2", ["2"] * 4),
    (3, ["3"] * 4),  # a label, and no position
    (0, ["1"] * 4),  # a position, and no label
    (np.int64(3), ["3"] * 4),
    (np.float32(3.0), ["3"] * 4),
    (torch.tensor(3), ["3"] * 4),
    (Target(1), ["2"] * 4),
    (Target("3"), ["3"] * 4),
    (["3", "1", "2", "3"], ["3", "1", "2", "3"]),
    ([3, "1", "2", 3], ["3", "1", "2", "3"]),
    (np.array(["1", "2", "3", "1"]), ["1", "2", "3", "1"]),
    ("predicted", FOREST.predict(FEW).astype(str).tolist()),
    (None, FOREST.predict(FEW).astype(str).tolist()),
    ("true", LABELS[:4].astype(str).tolist()),
]


@pytest.mark.parametrize(("target", "classes"), TARGETS, ids=lambda one: str(one)[:30])
def test_a_target_is_the_output_that_the_library_itself_gives(target, classes):
    rows = data.table(FEW.assign(y=LABELS[:4]), target="y")
    found = wb.explain(FOREST, rows, PATHS, target)
    wanted = pd.DataFrame(FOREST.predict_proba(FEW), columns=["1", "2", "3"])
    assert list(found.explained) == classes
    np.testing.assert_array_equal(
        found.output, [wanted.loc[i, one] for i, one in enumerate(classes)]
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (1, r"1 is the label of '1' and the position of '2'"),
        (2, r"2 is the label of '2' and the position of '3'"),
        ([3, 1, 3, 3], r"1 is the label of '1'"),
        (4, "no output 4"),
        (-1, "no output -1"),
        (2.5, "no output 2.5"),
        (0.0, "no output 0.0"),
        (True, "not True"),
        ("4", "no output '4'"),
        ("Predicted", "no output 'Predicted'"),
        (["3"], "one for each of 4 rows, but there are 1"),
        (np.zeros((4, 2)), r"needs the shape \(n,\)"),
        ({}, "no output {}"),
        (len, "no output"),
        (object(), "no output"),
    ],
)
def test_a_target_that_is_none_or_may_be_two_is_refused_in_words(target, words):
    with pytest.raises(InputError, match=words):
        wb.explain(FOREST, FEW, PATHS, target)


def test_true_needs_classes_and_a_word_that_is_an_output_too_is_refused():
    with pytest.raises(InputError, match="true needs rows whose classes are known"):
        wb.explain(FOREST, FEW, PATHS, "true")
    net = Model("net", lambda rows: rows[:, :2], ("true", "false"), "logit")
    with pytest.raises(InputError, match="'true' is an output of model 'net' and a word"):
        wb.explain(net, ARRAY, Occlusion(fill="zero"), "true")
    assert wb.explain(net, ARRAY, Occlusion(fill="zero"), "false").explained == ("false",) * 4


@pytest.mark.parametrize(
    ("target", "sign"),
    [("1", 1), (1, 1), (True, 1), (np.True_, 1), ("0", -1), ("not 1", -1), (False, -1)],
)
def test_both_sides_of_one_logit_are_targets(target, sign):
    boosted = GradientBoostingClassifier(n_estimators=4, random_state=0).fit(FRAME, LABELS == 3)
    zero_one = GradientBoostingClassifier(n_estimators=4, random_state=0).fit(
        FRAME, (LABELS == 3).astype(int)
    )
    found = wb.explain(zero_one, FEW, PATHS, target)
    np.testing.assert_array_equal(found.output, sign * zero_one.decision_function(FEW))
    if isinstance(target, bool):
        truth = wb.explain(boosted, FEW, PATHS, target)
        np.testing.assert_array_equal(truth.output, found.output)


def test_the_position_of_one_logit_that_is_the_label_of_the_other_side_is_refused():
    boosted = GradientBoostingClassifier(n_estimators=4, random_state=0).fit(
        FRAME, (LABELS == 3).astype(int)
    )
    with pytest.raises(InputError, match="0 is the label of '0' and the position of '1'"):
        wb.explain(boosted, FEW, PATHS, 0)


def test_every_target_comes_from_one_pass(counted):
    model = counted.on(wb.wrap(FOREST))
    rows = data.table(FEW, background=FRAME[:9])
    every = wb.explain(model, rows, KernelSHAP(budget=65), "all")
    spent = counted.rows
    assert isinstance(every, Attributions)
    assert every.values.shape == (3, 4, 3)
    assert every.outputs == ("1", "2", "3")
    for position, one in enumerate(every):
        alone = wb.explain(model, rows, KernelSHAP(budget=65), Target(position))
        # One solve for all targets sums in another order.
        np.testing.assert_allclose(every.values[position], alone.values, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(one.output, FOREST.predict_proba(FEW)[:, position])
    assert counted.rows == 4 * spent
    np.testing.assert_array_equal(every.output.sum(axis=0), FOREST.predict_proba(FEW).sum(axis=1))
    assert len(every.to_frame()) == 3 * 4 * 3
