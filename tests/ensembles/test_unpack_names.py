"""Names and classes of a fitted ensemble reach its members, and stay as the model was wrapped."""

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

import workbench as wb
from tests.ensembles.fitted_at_hand import ROWS, THREE, TWO, VALUE, forest, pair, rows
from workbench import ensembles, methods

CALLED = {
    "forest": (forest(), TWO, ["healthy", "sick"], ("healthy", "sick")),
    "soft vote": (
        VotingClassifier(pair(), voting="soft"),
        THREE,
        ["mid", "low", "top"],
        ("mid", "low", "top"),
    ),
    "hard vote": (VotingClassifier(pair()), TWO, ["healthy", "sick"], ("healthy", "sick")),
    "stack": (
        StackingClassifier(pair(), LogisticRegression(), cv=3),
        TWO,
        ["healthy", "sick"],
        ("sick",),
    ),
    "AdaBoost": (AdaBoostClassifier(n_estimators=3), TWO, ["healthy", "sick"], ("sick",)),
    "regression": (RandomForestRegressor(3, random_state=0), VALUE, ["dose"], ("dose",)),
}


@pytest.mark.parametrize("kind", list(CALLED))
def test_the_names_that_a_model_was_wrapped_with_are_kept(kind):
    estimator, answers, given, wanted = CALLED[kind]
    fitted = estimator.fit(ROWS, answers)
    scale = "probability" if len(given) > 1 else None
    predict = "predict_proba" if hasattr(fitted, "predict_proba") else "predict"
    wrapped = (
        wb.wrap(fitted, name="mine", outputs=given, scale=scale)
        if kind != "hard vote"
        else wb.Model("mine", getattr(fitted, predict), tuple(given), "probability", native=fitted)
    )
    model, plain = ensembles.unpack(wrapped), ensembles.unpack(fitted)
    assert model.outputs == wanted
    np.testing.assert_array_equal(model.scores(ROWS), plain.scores(ROWS))  # names alone are new
    for member in model.combination.members:
        assert set(member.outputs) <= set(given)
    result = wb.explain(model, rows(), methods.Occlusion(), wb.Target(wanted[-1]))
    assert set(result.explained) == {wanted[-1]}
    again = ensembles.vote([model, model.renamed("twin")])
    assert again.outputs == wanted


FOUR = np.array(["a", "b", "c", "d"])[np.digitize(ROWS[:, 0], [-0.8, 0.0, 0.8])]


def judge():
    """One score per pair of classes: six of four."""
    return SVC(decision_function_shape="ovo")


def test_votes_of_a_member_that_judges_pairs_of_classes_need_its_predictions_alone():
    voting = VotingClassifier([("logistic", LogisticRegression()), ("pairs", judge())])
    model = ensembles.unpack(voting.fit(ROWS, FOUR))
    votes = [np.eye(4)[one.predict(ROWS)] for one in voting.estimators_]  # whose labels are places
    np.testing.assert_array_equal(model.scores(ROWS), (votes[0] + votes[1]) / 2)
    bagging = BaggingClassifier(judge(), n_estimators=3, random_state=0).fit(ROWS, FOUR)
    np.testing.assert_allclose(
        ensembles.unpack(bagging).scores(ROWS), bagging.predict_proba(ROWS), atol=1e-15
    )  # thirds


def test_a_stack_reads_every_pair_that_a_member_judges():
    stack = StackingClassifier(
        [("logistic", LogisticRegression()), ("pairs", judge())], LogisticRegression(), cv=3
    ).fit(ROWS, FOUR)
    model = ensembles.unpack(stack)
    np.testing.assert_allclose(
        model.scores(ROWS), stack.decision_function(ROWS), atol=1e-12
    )  # one product
    assert model.combination.members[1].outputs[:2] == ("a against b", "a against c")
    result = wb.explain(model, rows(), methods.Occlusion(), wb.Target("c"))
    summed = sum(part.values for part in result.parts)
    np.testing.assert_allclose(result.values, summed, atol=1e-12)  # two terms
