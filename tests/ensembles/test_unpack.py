"""A fitted ensemble taken apart: members add up to its own answers, and so do their explanations."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import workbench as wb
from tests.ensembles.fitted_at_hand import ROWS, THREE, TWO, VALUE, forest, pair, rows
from workbench import data, ensembles, methods
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.study.fit import obstacle


def trees():
    return [("forest", forest()), ("tree", DecisionTreeClassifier(max_depth=4, random_state=1))]


CLASSIFIERS = {
    "soft vote": lambda: VotingClassifier(pair(), voting="soft"),
    "weighted soft vote": lambda: VotingClassifier(trees(), voting="soft", weights=[3, 1]),
    "vote with a dropped member": lambda: VotingClassifier(
        [*pair(), ("gone", "drop")], voting="soft", weights=[1, 2, 5]
    ),
    "bagging": lambda: BaggingClassifier(n_estimators=4, max_features=0.6, random_state=0),
    "bagging of few rows": lambda: BaggingClassifier(n_estimators=5, max_samples=4, random_state=0),
    "bagging of logistic regressions": lambda: BaggingClassifier(
        LogisticRegression(), n_estimators=3, max_features=0.8, random_state=0
    ),
    "bagging of machines that vote": lambda: BaggingClassifier(
        LinearSVC(), n_estimators=4, random_state=0
    ),
    "stack": lambda: StackingClassifier(pair(), cv=3),
    "stack with columns": lambda: StackingClassifier(trees(), passthrough=True, cv=3),
    "stack of margins": lambda: StackingClassifier([("svc", LinearSVC()), *pair()], cv=3),
    "stack on a ridge": lambda: StackingClassifier(pair(), RidgeClassifier(), cv=3),
    "stack on a standardized regression": lambda: StackingClassifier(
        pair(), make_pipeline(StandardScaler(), LogisticRegression()), cv=3
    ),
    "AdaBoost": lambda: AdaBoostClassifier(n_estimators=6, random_state=0),
    "AdaBoost of deeper trees": lambda: AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=3), n_estimators=4, random_state=0
    ),
    "forest": forest,
    "extra trees": lambda: ExtraTreesClassifier(4, max_depth=4, random_state=0),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=5),
    "vote behind a scaler": lambda: make_pipeline(
        StandardScaler(), VotingClassifier(pair(), voting="soft")
    ),
}
REGRESSORS = {
    "voting": lambda: VotingRegressor(
        [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=3))], weights=[1, 2]
    ),
    "stack": lambda: StackingRegressor(
        [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=3))],
        LinearRegression(),
        cv=3,
    ),
    "bagging": lambda: BaggingRegressor(n_estimators=4, max_features=0.6, random_state=0),
    "forest": lambda: RandomForestRegressor(4, max_depth=4, random_state=0),
    "extra trees": lambda: ExtraTreesRegressor(4, max_depth=4, random_state=0),
    "gradient boosting": lambda: GradientBoostingRegressor(n_estimators=5, random_state=0),
}
MARGINS = ("stack", "AdaBoost")


def answer(fitted, model, values):
    """What the object itself says in the scale of the model, with one column per output."""
    if model.scale == "probability":
        return fitted.predict_proba(values)
    said = fitted.decision_function if hasattr(fitted, "decision_function") else fitted.predict
    return np.asarray(said(values)).reshape(len(values), -1)


def fitted_cases():
    for name, make in CLASSIFIERS.items():
        for count, classes in ((2, TWO), (3, THREE)):
            yield pytest.param(make, classes, id=f"{name}, {count} classes")
    for name, make in REGRESSORS.items():
        yield pytest.param(make, VALUE, id=f"{name}, a value")


@pytest.mark.parametrize(("make", "wanted"), list(fitted_cases()))
def test_explanations_add_up_to_the_answer_of_the_object_and_equal_those_of_the_whole(make, wanted):
    fitted = make().fit(ROWS, wanted)
    model = ensembles.unpack(fitted, name="ensemble")
    inputs = rows()
    said = answer(fitted, model, inputs.values)
    targets = tuple(wb.Target(j) for j in range(said.shape[1]))
    whole = wb.wrap(
        lambda values: answer(fitted, model, values),
        name="black box",
        outputs=model.outputs,
        scale=model.scale,
    )
    able = [methods.ExactShapley()]
    if obstacle(methods.TreeSHAP, model, inputs) is None:
        able.append(methods.TreeSHAP())
    black_box = list(wb.run(wb.Study((whole,), (methods.ExactShapley(),), inputs, targets)))
    for method in able:
        results = list(wb.run(wb.Study((model,), (method,), inputs, targets)))
        for j, (result, other) in enumerate(zip(results, black_box, strict=True)):
            total = result.base + result.values.sum(axis=1)
            np.testing.assert_allclose(total, said[:, j], rtol=0, atol=1e-7)  # the bound
            np.testing.assert_allclose(
                result.values, other.values, rtol=0, atol=1e-6
            )  # float32 thresholds
            np.testing.assert_allclose(result.base, other.base, rtol=0, atol=1e-7)
            weights = result.provenance.ensemble.weights
            summed = sum(w * part.values for w, part in zip(weights, result.parts, strict=True))
            if model.combination.direct is None:
                np.testing.assert_allclose(result.values, summed, rtol=0, atol=1e-12)  # one sum
            assert result.notes[0] == result.provenance.badge
            assert result.notes[0].startswith("Exact")
            assert "interventional, 7 background rows" in result.provenance.badge


def test_every_tree_ensemble_offers_exact_tree_values_and_the_others_do_not():
    inputs = rows()
    offered = {
        name
        for name, make in CLASSIFIERS.items()
        if obstacle(methods.TreeSHAP, ensembles.unpack(make().fit(ROWS, TWO)), inputs) is None
    }
    assert offered == {
        "weighted soft vote",
        "bagging",
        "bagging of few rows",
        "AdaBoost",
        "AdaBoost of deeper trees",
        "forest",
        "extra trees",
        "gradient boosting",
        "histogram boosting",
    }


def test_boosting_in_a_vote_gives_probabilities_and_therefore_no_tree_values():
    boosting = GradientBoostingClassifier(n_estimators=4, random_state=0)
    model = ensembles.unpack(
        VotingClassifier([("boosting", boosting), ("forest", forest())], voting="soft").fit(
            ROWS, TWO
        )
    )
    assert model.scale == "probability"
    assert model.trees is None
    with pytest.raises(IncompatibleError, match="needs the model's trees"):
        wb.explain(model, rows(), methods.TreeSHAP())


@pytest.mark.parametrize("wanted", [TWO, THREE])
def test_a_hard_vote_explains_the_share_of_votes(wanted):
    members = [*trees(), ("svc", SVC(random_state=0)), ("near", KNeighborsClassifier(3))]
    fitted = VotingClassifier(members, voting="hard", weights=[1, 2, 1, 1]).fit(ROWS, wanted)
    with pytest.raises(IncompatibleError, match=r"shares: workbench\.ensembles\.unpack"):
        wb.wrap(fitted)
    model = ensembles.unpack(fitted)
    names = list(fitted.classes_)
    votes = np.stack([np.eye(len(names))[e.predict(ROWS)] for e in fitted.estimators_])
    np.testing.assert_allclose(
        model.scores(ROWS), np.einsum("m,mnk->nk", [0.2, 0.4, 0.2, 0.2], votes), atol=1e-15
    )  # sums of four fifths
    result = wb.explain(model, rows(), methods.ExactShapley())
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # sums of 32 coalitions
    assert "vote share" in result.provenance.badge
    assert any("step function" in note for note in result.notes)


def test_the_votes_of_single_trees_are_trees():
    members = [(f"tree {d}", DecisionTreeClassifier(max_depth=d, random_state=0)) for d in (2, 3)]
    model = ensembles.unpack(VotingClassifier(members, voting="hard").fit(ROWS, THREE))
    exact = wb.explain(model, rows(), methods.ExactShapley())
    by_trees = wb.explain(model, rows(), methods.TreeSHAP())
    np.testing.assert_allclose(
        by_trees.values, exact.values, atol=1e-12
    )  # the same sum of fractions


def test_a_meta_model_that_is_not_linear_is_explained_as_a_whole_and_says_so():
    meta = DecisionTreeClassifier(max_depth=3, random_state=0)
    fitted = StackingClassifier(pair(), meta, cv=3).fit(ROWS, TWO)
    model = ensembles.unpack(fitted)
    assert not model.combination.linear
    exact = wb.explain(model, rows(), methods.ExactShapley(), wb.Target("yes"))
    whole = wb.wrap(fitted.predict_proba, name="w", outputs=["no", "yes"], scale="probability")
    other = wb.explain(whole, rows(), methods.ExactShapley(), wb.Target("yes"))
    np.testing.assert_allclose(exact.values, other.values, atol=1e-12)  # the same coalitions
    sampled = wb.explain(model, rows(), methods.KernelSHAP(budget=7 * 20 + 9), wb.Target("yes"))
    assert sampled.provenance.badge.startswith("Approximate")
    assert not sampled.provenance.ensemble.exact
    assert [part.model for part in sampled.parts] == ["forest", "logistic"]


def test_the_weighted_median_of_boosted_regressors_is_no_sum():
    fitted = AdaBoostRegressor(n_estimators=5, random_state=0).fit(ROWS, VALUE)
    model = ensembles.unpack(fitted)
    np.testing.assert_array_equal(model.scores(ROWS)[:, 0], fitted.predict(ROWS))
    result = wb.explain(model, rows(), methods.ExactShapley())
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # sums of 32 coalitions
    assert not result.provenance.ensemble.composed
    with pytest.raises(IncompatibleError, match="Only a weighted mean"):
        ensembles.reweighted(result, [1] * 5)


def test_rounds_of_boosting_can_be_taken_in_blocks():
    fitted = GradientBoostingClassifier(n_estimators=7, random_state=0).fit(ROWS, THREE)
    model = ensembles.unpack(fitted, blocks=3)
    names = [member.name for member in model.combination.members]
    assert names == ["rounds 1 to 3", "rounds 4 to 5", "rounds 6 to 7"]
    np.testing.assert_allclose(
        model.scores(ROWS), fitted.decision_function(ROWS), atol=1e-12
    )  # 21 trees in another order
    with pytest.raises(InputError, match=r"blocks must lie in 1\.\.7, not 8"):
        ensembles.unpack(fitted, blocks=8)


def test_columns_are_found_by_name_and_labels_reach_the_members():
    frame = pd.DataFrame(ROWS, columns=list("abcde"))
    frame["kind"] = pd.Categorical(np.where(ROWS[:, 0] > 0, 7, 3), categories=[7, 3])
    fitted = {
        "forest": RandomForestClassifier(4, max_depth=3, random_state=0),
        "vote": VotingClassifier(trees(), voting="soft"),
        "bagging": BaggingClassifier(n_estimators=3, max_features=0.5, random_state=0),
        "AdaBoost": AdaBoostClassifier(n_estimators=3, random_state=0),
    }
    inputs = data.table(frame[["e", "kind", "d", "c", "b", "a"]])
    inputs = inputs[:4].with_background(inputs.values[50:57])
    for name, estimator in fitted.items():
        estimator.fit(frame, TWO)
        model = ensembles.unpack(estimator, like=inputs)
        said = answer(estimator, model, frame[:4])
        np.testing.assert_allclose(model.scores(inputs.values), said, atol=1e-12, err_msg=name)
        exact = wb.explain(model, inputs, methods.ExactShapley(), wb.Target("yes"))
        by_trees = wb.explain(model, inputs, methods.TreeSHAP(), wb.Target("yes"))
        np.testing.assert_allclose(by_trees.values, exact.values, atol=1e-7)  # float32 thresholds


def test_pipelines_with_text_columns_are_members_too_and_searches_are_opened():
    frame = pd.DataFrame(ROWS[:, :3], columns=list("abc"))
    frame["town"] = pd.Categorical(np.where(ROWS[:, 0] > 0.3, "Oslo", "Rome"))

    def encoded(final):
        first = make_column_transformer((OneHotEncoder(), ["town"]), remainder=StandardScaler())
        return make_pipeline(first, final)

    members = [("forest", encoded(forest())), ("logistic", encoded(LogisticRegression()))]
    inputs = data.table(frame[["town", "c", "b", "a"]])
    inputs = inputs[:4].with_background(inputs.values[50:57])
    for vote in (
        VotingClassifier(members, voting="soft"),
        StackingClassifier(members, cv=3),
        GridSearchCV(VotingClassifier(members, voting="soft"), {"weights": [[1, 2], [2, 1]]}, cv=2),
        encoded(VotingClassifier(pair(), voting="soft")),
    ):
        fitted = vote.fit(frame, TWO)
        model = ensembles.unpack(fitted, like=inputs)
        result = wb.explain(model, inputs, methods.ExactShapley(), wb.Target("yes"))
        said = answer(fitted, model, frame[:4])[:, -1]
        total = result.base + result.values.sum(axis=1)
        np.testing.assert_allclose(total, said, rtol=0, atol=1e-7)  # the bound
        assert (np.abs(result.values[:, 0]) > 1e-4).any()  # the town has its say


def test_a_model_that_was_wrapped_is_taken_apart_under_its_name():
    model = wb.wrap(forest().fit(ROWS, TWO), name="woods")
    apart = ensembles.unpack(model)
    assert apart.name == "woods"
    assert apart.combination is not None
    assert ensembles.unpack(apart) is apart


def test_the_trees_of_the_whole_say_what_the_whole_says():
    for make in ("AdaBoost", "weighted soft vote", "gradient boosting", "bagging"):
        fitted = CLASSIFIERS[make]().fit(ROWS, THREE)
        model = ensembles.unpack(fitted)
        np.testing.assert_allclose(
            model.trees().scores(ROWS), answer(fitted, model, ROWS), atol=1e-12, err_msg=make
        )  # sums of leaves


def test_bags_that_never_saw_a_class_give_it_nothing():
    near = KNeighborsClassifier(1)
    fitted = BaggingClassifier(near, n_estimators=6, max_samples=2, random_state=1)
    fitted.fit(ROWS, THREE)
    known = [tuple(e.classes_) for e in fitted.estimators_]
    assert any(0 not in some for some in known)  # the first class is missing, so places move
    model = ensembles.unpack(fitted)
    np.testing.assert_allclose(model.scores(ROWS), fitted.predict_proba(ROWS), atol=1e-12)  # a mean
    result = wb.explain(model, rows(), methods.ExactShapley(), wb.Target("low"))
    blind = [0 not in some for some in known]
    for part, nothing in zip(result.parts, blind, strict=True):
        assert (part.output == 0).all() or not nothing


def test_a_dropped_member_of_a_stack_is_gone_and_prefit_members_keep_their_classes():
    dropped = StackingClassifier([*pair(), ("gone", "drop")], cv=3).fit(ROWS, TWO)
    assert [m.name for m in ensembles.unpack(dropped).combination.members] == ["forest", "logistic"]
    ready = [(name, member.fit(ROWS, TWO)) for name, member in pair()]
    prefit = ensembles.unpack(StackingClassifier(ready, cv="prefit").fit(ROWS, TWO))
    assert prefit.outputs == ("yes",)
    assert {m.outputs for m in prefit.combination.members} == {("no", "yes")}


def test_what_cannot_be_taken_apart_is_refused_with_the_reason():
    with pytest.raises(IncompatibleError, match="got a LogisticRegression"):
        ensembles.unpack(LogisticRegression().fit(ROWS, TWO))
    with pytest.raises(InputError, match="blocks are for the rounds of boosting"):
        ensembles.unpack(forest().fit(ROWS, TWO), blocks=2)
    many = forest().fit(ROWS, np.stack([TWO, TWO], axis=1))
    with pytest.raises(IncompatibleError, match="several questions at once"):
        ensembles.unpack(many)
    with pytest.raises(IncompatibleError, match="predicts several values"):
        ensembles.unpack(RandomForestRegressor(2).fit(ROWS, np.stack([VALUE, VALUE], axis=1)))
    labels = StackingClassifier(pair(), stack_method="predict", cv=3)
    with pytest.raises(IncompatibleError, match="labels"):
        ensembles.unpack(labels.fit(ROWS, TWO))
    probable = wb.wrap(
        GradientBoostingClassifier(n_estimators=2).fit(ROWS, TWO), scale="probability"
    )
    with pytest.raises(IncompatibleError, match="scale='logit'"):
        ensembles.unpack(probable)


def test_members_that_do_not_add_up_are_found_before_anything_is_explained():
    fitted = RandomForestClassifier(3, max_depth=3, random_state=0).fit(ROWS, TWO)
    fitted.predict_proba = lambda rows: np.full(
        (len(rows), 2), 0.5
    )  # a version that does otherwise
    with pytest.raises(ModelError, match="must add up to what RandomForestClassifier answers"):
        ensembles.unpack(fitted)


def test_the_fitted_object_is_left_as_it_was():
    fitted = VotingClassifier(trees(), voting="soft").fit(ROWS, TWO)
    before = fitted.predict_proba(ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wb.explain(ensembles.unpack(fitted), rows(), methods.TreeSHAP())
    np.testing.assert_array_equal(fitted.predict_proba(ROWS), before)
