"""Members are fitted on positions of the classes; what is asked by label is the ensemble's own label."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import workbench as wb
from workbench import ensembles, methods

RNG = np.random.default_rng(3)
FRAME = pd.DataFrame({name: RNG.normal(size=120) for name in "abc"})
PAIR = [("tree", DecisionTreeClassifier(max_depth=3)), ("line", LogisticRegression())]
ENSEMBLES = {
    "vote": lambda: VotingClassifier(PAIR, voting="soft"),
    "hard vote": lambda: VotingClassifier(PAIR),
    "stack": lambda: StackingClassifier(PAIR),
    "bags": lambda: BaggingClassifier(DecisionTreeClassifier(max_depth=3), 4, random_state=0),
    "forest": lambda: RandomForestClassifier(4, random_state=0),
    "boosting": lambda: AdaBoostClassifier(n_estimators=4, random_state=0),
}
# In each, some label is also the position of another class.
LABELS = [(1, 2), (1, 2, 3), (0, 2, 4), (-1, 0, 1), (True, False), ("2", "1"), (2.0, 1.0)]


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("kind", ENSEMBLES)
def test_the_true_class_is_the_label_in_the_ensemble_and_in_its_members(kind, labels):
    cuts = [0.0] if len(labels) == 2 else [-0.5, 0.5]
    y = np.asarray(labels)[np.digitize(FRAME["a"], cuts)]
    fitted = ENSEMBLES[kind]().fit(FRAME, y)
    place = [fitted.classes_.tolist().index(label) for label in y[:6].tolist()]
    rows = wb.Inputs(FRAME[:6], y=y[:6], background=FRAME[40:43])
    whole = ensembles.unpack(fitted, like=rows)
    for model in (whole, *whole.combination.members):
        if kind == "stack" and len(model.outputs) == 1 and model is not whole:
            continue  # a member's margin
        scores = model.scores(rows.values)
        if len(model.outputs) == 1:
            scores = np.concatenate([-scores, scores], axis=1)
        result = wb.explain(model, rows, methods.ExactShapley(), "true")
        np.testing.assert_array_equal(result.output, scores[np.arange(6), place])
