"""scikit-learn estimators and Pipelines as models: scores, names, scales, frames."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from workbench.core import Inputs, Target
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models import wrap

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
TWO = np.array(["ill", "well"])[(X[:, 0] + 0.5 * RNG.normal(size=90) > 0).astype(int)]
THREE = np.digitize(X[:, 1] + 0.5 * RNG.normal(size=90), [-0.5, 0.5])
EXACT = {
    "rtol": 1e-12,
    "atol": 1e-12,
}  # the same numbers in float64, at most summed in another order


def test_a_classifier_answers_with_the_probability_of_each_class():
    forest = RandomForestClassifier(7, random_state=0).fit(X, TWO)
    model = wrap(forest)
    assert (model.name, model.outputs, model.scale) == (
        "RandomForestClassifier",
        ("ill", "well"),
        "probability",
    )
    assert (model.kind, model.shape) == ("tabular", (4,))
    np.testing.assert_array_equal(model.scores(X), forest.predict_proba(X))


def test_gradient_boosting_answers_in_log_odds_because_there_its_trees_add_up():
    for boosting in (
        GradientBoostingClassifier(n_estimators=5),
        HistGradientBoostingClassifier(max_iter=5),
    ):
        two = wrap(boosting.fit(X, TWO))
        assert (two.outputs, two.scale) == (("well",), "logit")
        np.testing.assert_array_equal(two.scores(X)[:, 0], boosting.decision_function(X))
        three = wrap(boosting.fit(X, THREE))
        assert three.outputs == ("0", "1", "2")
        np.testing.assert_array_equal(three.scores(X), boosting.decision_function(X))
        probable = wrap(boosting, scale="probability")
        np.testing.assert_array_equal(probable.scores(X), boosting.predict_proba(X))


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        GaussianNB(),
        LinearDiscriminantAnalysis(),
        GradientBoostingClassifier(n_estimators=5),
        GradientBoostingClassifier(n_estimators=5, loss="exponential"),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
)
def test_a_logit_of_two_classes_is_the_log_odds_of_the_second(estimator):
    model = wrap(estimator.fit(X, TWO), scale="logit")
    p = estimator.predict_proba(X)[:, 1]
    assert model.outputs == ("well",)
    # log-odds lose digits where p is near 1: an error of 1e-16 in p is one of 1e-10 there
    np.testing.assert_allclose(model.scores(X)[:, 0], np.log(p / (1 - p)), rtol=1e-8, atol=1e-8)


def test_logits_computed_from_probabilities_say_so_and_keep_every_class():
    bayes = GaussianNB().fit(X, THREE)
    model = wrap(bayes, scale="logit")
    p = bayes.predict_proba(X)
    np.testing.assert_allclose(model.scores(X), np.log(p / (1 - p)), rtol=1e-8, atol=1e-8)
    assert "log p - log(1 - p)" in model.notes[0]


def test_a_probability_of_zero_has_no_logit_and_is_not_clipped():
    with pytest.raises(ModelError, match=r"gave [01] for 90 of 90 rows.*scale='probability'"):
        wrap(DecisionTreeClassifier().fit(X, TWO), scale="logit").scores(X)


def test_a_classifier_without_probabilities_answers_with_its_margin():
    svc = LinearSVC().fit(X, THREE)
    raw = wrap(svc)
    assert raw.scale == "raw"
    assert "margins" in raw.notes[0]
    np.testing.assert_array_equal(raw.scores(X), svc.decision_function(X))
    assert wrap(svc, scale="logit").scale == "logit"
    with pytest.raises(IncompatibleError, match="needs predict_proba"):
        wrap(svc, scale="probability")


def test_a_classifier_that_gives_labels_alone_is_refused():
    votes = VotingClassifier([("a", GaussianNB())], voting="hard").fit(X, TWO)
    with pytest.raises(IncompatibleError, match=r"gives labels alone.*voting='soft'"):
        wrap(votes)


def test_a_regressor_answers_in_its_own_unit():
    line = LinearRegression().fit(X, X[:, 0])
    model = wrap(line)
    assert (model.outputs, model.scale) == (("prediction",), "raw")
    np.testing.assert_array_equal(model.scores(X)[:, 0], line.predict(X))
    several = LinearRegression().fit(X, X[:, :3])
    assert wrap(several).outputs == ("y0", "y1", "y2")
    assert wrap(several, outputs=["u", "v", "w"]).scores(X).shape == (90, 3)
    with pytest.raises(InputError, match="is a regressor"):
        wrap(line, scale="probability")


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(max_depth=2),
        KNeighborsClassifier(),
        MultiOutputClassifier(GaussianNB()),
    ],
)
def test_a_classifier_of_several_questions_names_each_answer(estimator):
    labels = np.stack([(X[:, 0] > 0).astype(int), THREE], axis=1)
    model = wrap(estimator.fit(X, labels))
    assert model.outputs == ("y0=0", "y0=1", "y1=0", "y1=1", "y1=2")
    np.testing.assert_allclose(model.scores(X).sum(axis=1), 2.0, **EXACT)
    assert "several questions" in model.notes[0]


def test_a_chain_of_classifiers_has_one_column_per_label():
    labels = np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 1], axis=1).astype(int)
    chain = ClassifierChain(LogisticRegression()).fit(X, labels)
    model = wrap(chain)
    assert model.outputs == ("y0=1", "y1=1", "y2=1")
    np.testing.assert_array_equal(model.scores(X), chain.predict_proba(X))


def test_given_names_must_match_the_columns_but_both_classes_may_name_one_logit():
    boosting = GradientBoostingClassifier(n_estimators=3).fit(X, TWO)
    assert wrap(boosting, outputs=["krank", "gesund"]).outputs == ("gesund",)
    with pytest.raises(InputError, match=r"has 1 outputs.*has 3"):
        wrap(boosting, outputs=["a", "b", "c"])
    with pytest.raises(InputError, match=r"has 2 outputs.*has 1"):
        wrap(GaussianNB().fit(X, TWO), outputs=["a"])
    with pytest.raises(InputError, match=r"different names; \['a'\] repeat"):
        wrap(GaussianNB().fit(X, TWO), outputs=["a", "a"])
    with pytest.raises(InputError, match="list of names, not the text"):
        wrap(GaussianNB().fit(X, TWO), outputs="ab")


def test_an_estimator_that_is_not_fitted_or_gives_no_scores_is_refused():
    with pytest.raises(InputError, match="Call fit first"):
        wrap(LogisticRegression())
    with pytest.raises(InputError, match="Call fit first"):
        wrap(make_pipeline(StandardScaler(), LogisticRegression()))
    with pytest.raises(IncompatibleError, match="gives the numbers of its clusters"):
        wrap(DBSCAN().fit(X))


def test_an_estimator_fitted_on_a_frame_gets_frames_and_never_warns():
    frame = pd.DataFrame(X, columns=["u", "v", "w", "x"])
    for estimator in (LogisticRegression(), RandomForestClassifier(3, random_state=0)):
        model = wrap(estimator.fit(frame, TWO))
        assert model.features == ("u", "v", "w", "x")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = model.scores(X)
        np.testing.assert_array_equal(got, estimator.predict_proba(frame))


def test_columns_are_matched_by_name_not_by_place():
    frame = pd.DataFrame(X, columns=["u", "v", "w", "x"])
    line = LogisticRegression().fit(frame, TWO)
    like = Inputs(X[:, [2, 0, 3, 1]], kind="tabular", features=("w", "u", "x", "v"))
    model = wrap(line, like=like)
    assert model.features == ("w", "u", "x", "v")
    np.testing.assert_array_equal(model.scores(like.values), line.predict_proba(frame))


def test_columns_the_model_does_not_know_are_ignored_aloud_and_missing_ones_refused():
    frame = pd.DataFrame(X, columns=["u", "v", "w", "x"])
    line = LogisticRegression().fit(frame[["u", "v", "w"]], TWO)
    model = wrap(line, like=Inputs(X, kind="tabular", features=("u", "v", "w", "x")))
    assert model.notes == ("The model does not read the columns ['x']; they get no credit.",)
    np.testing.assert_array_equal(model.scores(X), line.predict_proba(frame[["u", "v", "w"]]))
    with pytest.raises(InputError, match=r"Missing: \['w'\]"):
        wrap(line, like=Inputs(X[:, :2], kind="tabular", features=("u", "v")))


def mixed() -> tuple[pd.DataFrame, Inputs]:
    codes = RNG.integers(0, 3, 90)
    labels = ("red", "green", "blue")
    frame = pd.DataFrame({"size": X[:, 0], "color": np.array(labels)[codes], "weight": X[:, 1]})
    values = np.stack([X[:, 0], codes, X[:, 1]], axis=1)
    rows = Inputs(
        values,
        kind="tabular",
        features=("size", "color", "weight"),
        categories={"color": labels},
        name="goods",
    )
    return frame, rows


def test_a_pipeline_on_a_frame_with_text_gets_its_labels_back():
    frame, rows = mixed()
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["color"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(frame, frame["color"] == "red")
    model = wrap(pipeline, like=rows)
    np.testing.assert_array_equal(model.scores(rows.values), pipeline.predict_proba(frame))
    assert model.name == "LogisticRegression"
    assert model.outputs == ("False", "True")


def test_a_pipeline_on_text_says_that_it_needs_rows_like_those_it_was_fitted_on():
    frame, _ = mixed()
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["color"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(frame, TWO)
    with pytest.raises(ModelError, match=r"a row of ones.*Give like=inputs"):
        wrap(pipeline)


def test_boosting_on_a_frame_with_categories_gets_them_back():
    frame, rows = mixed()
    frame["color"] = frame["color"].astype("category")
    boosting = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")
    boosting.fit(frame, frame["color"] == "red")
    model = wrap(boosting, like=rows)
    np.testing.assert_array_equal(
        model.scores(rows.values)[:, 0], boosting.decision_function(frame)
    )
    np.testing.assert_allclose(
        model.trees().scores(rows.values), model.scores(rows.values), rtol=1e-12, atol=1e-12
    )


def test_a_search_is_its_best_estimator():
    search = GridSearchCV(DecisionTreeRegressor(random_state=0), {"max_depth": [1, 3]}, cv=2)
    model = wrap(search.fit(X, X[:, 0]))
    assert model.name == "DecisionTreeRegressor"
    assert model.trees is not None
    np.testing.assert_array_equal(model.scores(X)[:, 0], search.predict(X))


def test_rows_of_a_wrong_kind_or_arguments_for_torch_are_refused():
    bayes = GaussianNB().fit(X, TWO)
    with pytest.raises(InputError, match="read tables"):
        wrap(bayes, kind="image")
    with pytest.raises(InputError, match="preprocess and output are for torch modules and ONNX"):
        wrap(bayes, preprocess=np.log)


def test_predicted_means_the_only_logit_of_two_classes():
    model = wrap(GradientBoostingClassifier(n_estimators=3).fit(X, TWO))
    assert Target.predicted().weights(model, model.scores(X)).tolist() == [[1.0]] * 90


def test_the_digest_changes_with_the_fit_and_not_with_a_prediction():
    def digest(**changes):
        return wrap(RandomForestClassifier(3, random_state=0, **changes).fit(X, TWO)).digest

    assert digest() == digest() != ""
    assert digest() != digest(max_depth=2)
    model = wrap(LogisticRegression().fit(X, TWO))
    model.scores(X)
    assert wrap(model.native).digest == model.digest
    model.native.coef_ += 1e-12
    assert wrap(model.native).digest != model.digest


def test_quick_estimators_take_more_rows_at_once_than_those_that_measure_distances():
    from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng(0)
    rows, classes = rng.normal(size=(40, 3)), np.arange(40) % 2
    quick = [
        RandomForestClassifier(3),
        DecisionTreeClassifier(),
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ]
    slow = [
        KNeighborsClassifier(),
        SVR(kernel="linear"),
        BaggingClassifier(KNeighborsClassifier(), 2),
        VotingClassifier(
            [("a", KNeighborsClassifier()), ("b", DecisionTreeClassifier())], voting="soft"
        ),
    ]
    for estimators, batch in ((quick, 32_768), (slow, 4096)):
        for estimator in estimators:
            assert wrap(estimator.fit(rows, classes)).batch == batch, estimator
    assert wrap(quick[0], batch=7).batch == 7
