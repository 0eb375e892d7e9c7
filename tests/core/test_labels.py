"""Labels are not positions: the class that a label stands for is explained, or the label is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import workbench as wb
from workbench import ensembles, methods
from workbench.core import Inputs, Model, Target, class_positions
from workbench.errors import InputError
from workbench.variants.training.lesson import labels_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 3))
THIRDS = np.digitize(X[:, 0], [-0.5, 0.5])
HALVES = (X[:, 0] > 0).astype(int)

THREE = {
    "positions": [0, 1, 2],
    "from one": [1, 2, 3],
    "even": [0, 2, 4],
    "around zero": [-1, 0, 1],
    "reversed text": ["low", "mid", "top"],
    "digits": ["1", "2", "3"],
    "floats": [0.0, 1.0, 2.0],
    "floats from one": [1.0, 2.0, 3.0],
    "years": [1999, 2000, 2001],
}
TWO = {
    "positions": [0, 1],
    "from one": [1, 2],
    "signs": [-1, 1],
    "truths": [False, True],
    "text": ["no", "yes"],
    "floats": [0.0, 1.0],
    "halves apart": [0, 2],
}


def rows_of(picked, y) -> Inputs:
    return Inputs(X[picked], kind="tabular", y=np.asarray(y)[picked], background=X[:5])


@pytest.mark.parametrize("name", THREE)
@pytest.mark.parametrize("only", [None, 0, 1, 2])
def test_the_true_class_is_the_one_whose_probability_the_estimator_gives(name, only):
    y = np.array(THREE[name])[THIRDS]
    forest = RandomForestClassifier(5, random_state=0, max_depth=3).fit(X, y)
    picked = np.flatnonzero(only == THIRDS)[:4] if only is not None else np.arange(8)
    rows = rows_of(picked, y)
    result = wb.explain(wb.wrap(forest), rows, methods.TreeSHAP(), Target.true(rows))
    column = np.searchsorted(forest.classes_, y[picked])
    wanted = forest.predict_proba(X[picked])[np.arange(len(picked)), column]
    np.testing.assert_allclose(result.output, wanted, rtol=1e-12)
    assert result.explained == tuple(str(one) for one in y[picked])


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("only", [None, 0, 1])
def test_rows_of_the_other_side_of_one_logit_are_explained_for_that_side(name, only):
    y = np.array(TWO[name])[HALVES]
    boosted = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, y)
    picked = np.flatnonzero(only == HALVES)[:4] if only is not None else np.arange(8)
    rows = rows_of(picked, y)
    model = wb.wrap(boosted)
    assert model.classes == tuple(boosted.classes_.tolist())
    result = wb.explain(model, rows, methods.TreeSHAP(), Target.true(rows))
    logit = boosted.decision_function(X[picked])
    np.testing.assert_allclose(result.output, np.where(HALVES[picked], logit, -logit), rtol=1e-12)
    assert result.explained == tuple(str(one) for one in y[picked])
    np.testing.assert_allclose(result.gap, 0, atol=1e-12)


def lightgbm():
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, verbose=-1)


def catboost():
    from catboost import CatBoostClassifier

    return CatBoostClassifier(iterations=5, verbose=False, allow_writing_files=False)


def xgboost():
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=5)


@pytest.mark.parametrize(
    ("made", "name"),
    [
        *((made, name) for made in (lightgbm, catboost) for name in ("from one", "signs", "text")),
        (xgboost, "positions"),  # the only labels that its classifier takes
    ],
)
def test_boosters_know_their_labels(made, name):
    labels = np.array(TWO[name])
    y = labels[HALVES]
    native = made().fit(X, y)
    model = wb.wrap(native)
    rows = rows_of(np.flatnonzero(HALVES == 0)[:3], y)
    result = wb.explain(model, rows, methods.TreeSHAP(), Target.true(rows))
    p = native.predict_proba(rows.values)[:, 0]
    np.testing.assert_allclose(result.output, np.log(p / (1 - p)), rtol=1e-5, atol=1e-5)
    assert set(result.explained) == {str(labels[0])}


def test_text_of_a_label_is_its_name_and_a_number_that_is_no_label_is_refused():
    y = np.array([1, 2, 3])[THIRDS]
    model = wb.wrap(LogisticRegression().fit(X, y))
    for given in (
        ["2", "1"],
        [2.0, 1.0],
        np.array([2, 1], dtype=np.uint8),
        np.array([2, 1], dtype=object),
    ):
        rows = Inputs(X[:2], kind="tabular", y=given)
        assert Target.true(rows).weights(model, np.zeros((2, 3))).argmax(axis=1).tolist() == [1, 0]
    for given in ([0, 1], [4, 1], [True, True], ["two", "1"]):
        rows = Inputs(X[:2], kind="tabular", y=given)
        with pytest.raises(
            InputError, match="Known classes must be labels that the model was fitted"
        ):
            Target.true(rows).weights(model, np.zeros((2, 3)))


def test_outputs_with_other_names_keep_their_labels():
    y = np.array([1, 2, 3])[THIRDS]
    model = wb.wrap(LogisticRegression().fit(X, y), outputs=["cat", "dog", "eel"])
    for given in ([3, 1], ["eel", "cat"], ["3", "1"]):
        rows = Inputs(X[:2], kind="tabular", y=given)
        assert Target.true(rows).weights(model, np.zeros((2, 3))).argmax(axis=1).tolist() == [2, 0]
    crossed = wb.wrap(LogisticRegression().fit(X, y), outputs=["2", "1", "3"])
    rows = Inputs(X[:2], kind="tabular", y=["2", "1"])
    with pytest.raises(InputError, match="'2' names output 0 and was the label of output 1"):
        Target.true(rows).weights(crossed, np.zeros((2, 3)))


def test_a_network_of_named_outputs_takes_positions_and_names():
    net = Model("net", lambda rows: rows, ("cat", "dog"), "logit")
    for given in ([1, 0], ["dog", "cat"], [True, False], [1.0, 0.0]):
        rows = Inputs(np.zeros((2, 2)), kind="tabular", y=given)
        assert Target.true(rows).weights(net, np.zeros((2, 2))).tolist() == [[0, 1], [1, 0]]


def test_where_nobody_knows_the_labels_a_number_that_may_be_one_is_refused():
    one = Model("one", lambda rows: rows, ("2",), "logit")
    rows = Inputs(np.zeros((2, 1)), kind="tabular", y=[1, 1])  # of labels {1, 2}, or positions
    with pytest.raises(InputError, match="1 is the position of '2' and may be the label"):
        Target.true(rows).weights(one, np.zeros((2, 1)))
    with pytest.raises(InputError, match="both positions and names"):
        class_positions([1, 2], ("1", "2", "3"))


@pytest.mark.parametrize("target", ["no", "not yes", False])
def test_the_opposite_of_one_score_is_a_target(target):
    y = np.array(["no", "yes"])[HALVES]
    boosted = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, y)
    rows = rows_of(np.arange(6), y)
    model = wb.wrap(boosted)
    against = wb.explain(model, rows, methods.TreeSHAP(), Target(target))
    towards = wb.explain(model, rows, methods.TreeSHAP(), Target("yes"))
    assert np.array_equal(against.values, -towards.values)
    assert np.array_equal(against.output, -boosted.decision_function(rows.values))
    assert against.explained == ("no",) * 6
    assert wb.explain(model, rows, methods.TreeSHAP(), Target(True)).explained == ("yes",) * 6


def test_the_opposite_of_a_probability_is_one_minus_it():
    def ill(rows):
        return 1 / (1 + np.exp(-rows @ np.array([[1.0], [2.0]])))

    model = Model("risk", ill, ("ill",), "probability")
    rows = Inputs(
        [[1.0, -0.2], [0.3, 0.4]], kind="tabular", background=[[0.0, 0.0]], y=[False, True]
    )
    well = wb.explain(model, rows, methods.ExactShapley(), Target("not ill"))
    np.testing.assert_allclose(well.output, 1 - ill(rows.values)[:, 0], rtol=1e-15)
    np.testing.assert_allclose(well.base, [0.5, 0.5], rtol=1e-15)
    np.testing.assert_allclose(well.gap, 0, atol=1e-15)
    true = wb.explain(model, rows, methods.ExactShapley(), Target.true(rows))
    assert true.explained == ("not ill", "ill")
    assert np.array_equal(true.output, [well.output[0], ill(rows.values)[1, 0]])
    vote = ensembles.vote([model, model.renamed("other")])
    mixed = wb.explain(vote, rows, methods.ExactShapley(), Target("not ill"))
    np.testing.assert_allclose(mixed.output, well.output, rtol=1e-15)
    for part in mixed.parts:
        np.testing.assert_allclose(part.output, well.output, rtol=1e-15)
        np.testing.assert_allclose(part.gap, 0, atol=1e-15)


def test_a_margin_has_an_opposite_and_a_value_has_none():
    y = np.array(["no", "yes"])[HALVES]
    machine = LinearSVC().fit(X, y)
    rows = rows_of(np.arange(3), y)
    found = wb.explain(wb.wrap(machine), rows, methods.ExactShapley(), Target("no"))
    np.testing.assert_allclose(found.output, -machine.decision_function(X[:3]), rtol=1e-12)
    value = Model("price", lambda rows: rows[:, :1], ("price",), "raw")
    for target in (Target("not price"), Target(False), Target.true(rows_of(np.arange(3), HALVES))):
        with pytest.raises(InputError):
            wb.explain(value, rows, methods.ExactShapley(), target)


def test_both_names_of_one_logit_may_be_given():
    pipeline = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=3)).fit(
        X, HALVES
    )
    model = wb.wrap(pipeline, outputs=["well", "ill"])
    rows = rows_of(np.flatnonzero(HALVES == 0)[:3], HALVES)
    for target in (Target("well"), Target("not ill"), Target("0"), Target.true(rows)):
        found = wb.explain(model, rows, methods.ExactShapley(), target)
        assert found.explained == ("well",) * 3
        np.testing.assert_allclose(
            found.output, -pipeline.decision_function(rows.values), rtol=1e-12
        )


def test_a_contrast_with_the_opposite_of_the_only_output_is_refused():
    model = Model("risk", lambda rows: rows[:, :1], ("ill",), "logit")
    rows = Inputs([[1.0]], kind="tabular", background=[[0.0]])
    with pytest.raises(InputError, match="A contrast needs two outputs"):
        wb.explain(model, rows, methods.ExactShapley(), Target("ill", against="not ill"))


def test_labels_reach_training_weighing_and_drift_by_the_same_rule():
    y = np.array([1, 2])[HALVES]
    first, second = (
        GradientBoostingClassifier(n_estimators=n, random_state=0).fit(X, y) for n in (2, 5)
    )
    model, copy = wb.wrap(first, name="first"), wb.wrap(second, name="second")
    picked = np.flatnonzero(HALVES == 0)[:40]
    rows = rows_of(np.concatenate([picked, np.flatnonzero(HALVES)[:1]]), y)
    assert labels_of(rows, model).tolist() == [0] * 40 + [1]
    p = first.predict_proba(rows.values)[np.arange(41), (rows.y == 2).astype(int)]
    weighing = ensembles.weigh([model, copy], rows)
    assert abs(weighing.log_loss["member", "first"] + np.log(p).mean()) < 1e-12
    found = wb.drift(model, copy, rows, methods.Occlusion())
    right = (first.predict(rows.values) == rows.y).mean()
    assert found.behavior[0].accuracy[0] == right


def test_a_true_class_survives_saving_and_a_second_opinion(tmp_path):
    y = np.array([0, 2, 4])[THIRDS]
    forest = RandomForestClassifier(5, random_state=0, max_depth=3).fit(X, y)
    model, rows = wb.wrap(forest), rows_of(np.arange(4), y)
    result = wb.explain(model, rows, methods.TreeSHAP(), Target.true(rows))
    assert wb.cross_check(result, model=model).agrees
    result.save(tmp_path / "one.safetensors")
    again = wb.read(tmp_path / "one.safetensors")
    assert again.target == result.target == Target(tuple(y[:4].tolist()), labels=True)
    assert again.explained == result.explained
