"""XGBoost's models: the trees that are read give XGBoost's own margins and contributions."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.boosters_at_hand import (
    EFFECT,
    FRAME,
    HOLES,
    THREE,
    TOWN,
    TOWNS,
    TWO,
    X,
    Y,
    Z,
    edges_of,
    enumerated,
    path_dependent,
)
from workbench.core import Inputs
from workbench.data import table
from workbench.errors import InputError, ModelError
from workbench.models import wrap
from workbench.models.tabular import xgboost as xgboost_trees

SINGLE = {"rtol": 1e-5, "atol": 1e-5}  # XGBoost adds its trees in float32
FEW = {"n_estimators": 9, "max_depth": 4, "random_state": 0, "n_jobs": 1}
SEVERAL = np.stack([Y, -Y, Y**2], axis=1)


def classifier(**more):
    return xgboost.XGBClassifier(**{**FEW, **more})


def regressor(**more):
    return xgboost.XGBRegressor(**{**FEW, **more})


def margin(native, rows):
    """XGBoost's own sum, by the estimator's own predict."""
    if isinstance(native, xgboost.Booster):
        scores = native.predict(xgboost.DMatrix(rows), output_margin=True)
    else:
        scores = native.predict(rows, output_margin=True)
    return scores.reshape(len(rows), -1)


CASES = {
    "two classes": (classifier(), TWO),
    "three classes": (classifier(), THREE),
    "labels, not classes": (classifier(), np.stack([TWO, Y > 1, Y < -1], axis=1).astype(int)),
    "a number": (regressor(), Y),
    "several numbers": (regressor(), SEVERAL),
    "vector leaves": (regressor(multi_strategy="multi_output_tree"), SEVERAL),
    "quantiles": (regressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9]), Y),
    "a forest": (xgboost.XGBRFClassifier(n_estimators=5, max_depth=3, random_state=0), TWO),
    "a forest of numbers": (xgboost.XGBRFRegressor(n_estimators=5, max_depth=3), Y),
    "boosted forests": (classifier(num_parallel_tree=3), THREE),
    "dart": (regressor(booster="dart", rate_drop=0.5, one_drop=True), Y),
    "pruned": (regressor(tree_method="exact", gamma=3.0), Y),
    "leafwise": (regressor(grow_policy="lossguide", max_leaves=7), Y),
    "a given base": (classifier(base_score=0.2), TWO),
    "weighted classes": (classifier(scale_pos_weight=5.0), TWO),
    "log-odds": (classifier(objective="binary:logitraw"), TWO),
    "hinge": (classifier(objective="binary:hinge"), TWO),
    "rates": (regressor(objective="reg:logistic"), TWO),
    "counts": (regressor(objective="count:poisson"), np.exp(Y)),
    "gamma": (regressor(objective="reg:gamma"), np.exp(Y)),
    "tweedie": (regressor(objective="reg:tweedie"), np.exp(Y)),
    "cox": (regressor(objective="survival:cox"), np.exp(Y)),
    "one leaf": (regressor(n_estimators=2), np.ones(len(Y))),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rows", [X, HOLES], ids=["whole", "with holes"])
def test_the_trees_add_up_to_xgboosts_margin(case, rows):
    native, y = CASES[case]
    native.fit(rows, y)
    model = wrap(native)
    trees = model.trees()
    for seen in (rows, HOLES, X[:1], *([edges_of(trees, rows)] if case != "one leaf" else [])):
        np.testing.assert_allclose(model.scores(seen), margin(native, seen), **SINGLE)
        np.testing.assert_allclose(trees.scores(seen), margin(native, seen), **SINGLE)


@pytest.mark.parametrize("case", [case for case in CASES if case != "vector leaves"])
def test_path_dependent_tree_shap_gives_xgboosts_own_contributions(case):
    native, y = CASES[case]
    native.fit(X, y)
    model = wrap(native)
    own = native.get_booster().predict(xgboost.DMatrix(X[:20]), pred_contribs=True)
    own = own.reshape(20, -1, X.shape[1] + 1)
    for output in range(own.shape[1]):
        values, base = path_dependent(model, X[:20], output)
        # 1e-4: XGBoost divides hessian sums in float32 on the way down, and adds in float32.
        np.testing.assert_allclose(values, own[:, output, :-1], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(base, own[:, output, -1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "multi:softmax"])
def test_a_booster_without_an_estimator_answers_in_log_odds(objective):
    classes = {} if objective.startswith("binary") else {"num_class": 3}
    y = THREE if classes else TWO
    booster = xgboost.train(
        {"objective": objective, "max_depth": 3, "nthread": 1, **classes}, xgboost.DMatrix(X, y), 7
    )
    model = wrap(booster)
    assert (model.name, model.scale) == ("Booster", "logit")
    assert model.outputs == (("0", "1", "2") if classes else ("1",))
    np.testing.assert_allclose(model.trees().scores(X), margin(booster, X), **SINGLE)
    probable = wrap(booster, scale="probability").scores(X)
    assert probable.shape == (len(X), len(np.unique(y)))
    np.testing.assert_array_equal(
        probable.argmax(axis=1),
        model.scores(X).argmax(axis=1) if classes else margin(booster, X)[:, 0] > 0,
    )


@pytest.mark.parametrize("case", ["two classes", "three classes", "labels, not classes"])
def test_probabilities_on_request_are_predict_proba_and_have_no_trees(case):
    native, y = CASES[case]
    model = wrap(native.fit(X, y), scale="probability")
    np.testing.assert_allclose(
        model.scores(X), native.predict_proba(X), rtol=0, atol=1e-6
    )  # float32
    assert model.trees is None
    assert "add up in scale 'logit'" in model.notes[-1]
    assert "TreeSHAP is not offered" in model.notes[-1]


def test_early_stopping_ends_where_xgboosts_own_predict_ends():
    native = classifier(n_estimators=60, learning_rate=0.9, early_stopping_rounds=5)
    native.fit(X[:120], TWO[:120], eval_set=[(X[120:], TWO[120:])], verbose=False)
    end = native.best_iteration + 1
    assert end < native.get_booster().num_boosted_rounds()
    model = wrap(native)
    assert len(model.trees().trees) == end
    assert f"first {end} of" in model.notes[0]
    np.testing.assert_allclose(model.scores(X), margin(native, X), **SINGLE)
    booster = wrap(native.get_booster())
    assert len(booster.trees().trees) == native.get_booster().num_boosted_rounds()
    assert f"wrap(booster[:{end}])" in booster.notes[0]
    assert booster.digest != model.digest
    stopped = wrap(native.get_booster()[:end])
    np.testing.assert_allclose(stopped.scores(X), model.scores(X), **SINGLE)


@pytest.mark.parametrize("onehot", [1, 100], ids=["sets", "one against the rest"])
def test_categories_are_split_by_code_and_found_by_label(onehot):
    native = regressor(enable_categorical=True, max_cat_to_onehot=onehot).fit(FRAME, Z)
    mixed = FRAME.assign(town=FRAME["town"].cat.reorder_categories(sorted(TOWNS)))[
        ["town", "dose", "age"]
    ]
    for frame in (FRAME, mixed):
        inputs = table(frame)
        model = wrap(native, like=inputs)
        assert model.features == tuple(frame.columns)
        trees = model.trees()
        assert any(tree.goes_left for tree in trees.trees)
        own = native.predict(FRAME)[:, None]
        np.testing.assert_allclose(model.scores(inputs.values), own, **SINGLE)
        np.testing.assert_allclose(trees.scores(inputs.values), own, **SINGLE)


def test_categories_without_rows_to_read_are_the_codes_of_the_fit():
    native = regressor(enable_categorical=True).fit(FRAME, Z)
    model = wrap(native)
    rows = np.stack([FRAME["age"], TOWN, FRAME["dose"]], axis=1)
    rows[:9, 1] = np.nan
    holes = FRAME.assign(town=FRAME["town"].where(np.arange(len(FRAME)) >= 9))
    np.testing.assert_allclose(model.trees().scores(rows), native.predict(holes)[:, None], **SINGLE)
    assert any("['town'] hold categories" in note for note in model.notes)


def test_codes_of_an_array_are_categories_too_and_unknown_ones_go_left():
    rows = np.stack([X[:, 0], TOWN], axis=1)
    native = regressor(enable_categorical=True, feature_types=["q", "c"]).fit(rows, EFFECT[TOWN])
    model = wrap(native)
    strange = np.concatenate([rows, [[0.0, 8.0], [0.0, 99.0], [0.0, np.nan]]])
    own = native.get_booster().predict(
        xgboost.DMatrix(strange, feature_types=["q", "c"], enable_categorical=True)
    )
    np.testing.assert_allclose(model.trees().scores(strange), own[:, None], **SINGLE)


def test_numbered_categories_are_found_by_their_number():
    frame = FRAME.assign(town=pd.Categorical(10 * TOWN + 5))
    native = regressor(enable_categorical=True).fit(frame, Z)
    like = table(frame.assign(town=frame["town"].cat.reorder_categories(range(75, 0, -10))))
    model = wrap(native, like=like)
    np.testing.assert_allclose(
        model.trees().scores(like.values), native.predict(frame)[:, None], **SINGLE
    )


def test_labels_beyond_ascii_are_found_in_the_order_of_the_fit_alone():
    towns = ["Zürich", *TOWNS[1:]]
    frame = FRAME.assign(town=FRAME["town"].cat.rename_categories(towns))
    native = regressor(enable_categorical=True).fit(frame, Z)
    like = table(frame)
    model = wrap(native, like=like)
    np.testing.assert_allclose(
        model.trees().scores(like.values), native.predict(frame)[:, None], **SINGLE
    )
    mixed = table(frame.assign(town=frame["town"].cat.reorder_categories(sorted(towns))))
    with pytest.raises(InputError, match="in the order of the fit"):
        wrap(native, like=mixed)  # XGBoost 3.2 itself takes one town for another here


def test_a_label_xgboost_has_not_seen_is_refused_as_xgboost_does():
    native = regressor(enable_categorical=True).fit(FRAME, Z)
    like = table(FRAME.assign(town=FRAME["town"].cat.add_categories("Kyiv")))
    with pytest.raises(InputError, match=r"Kyiv.*has never seen"):
        wrap(native, like=like)


def test_covers_and_sets_give_xgboosts_own_contributions_by_enumeration():
    native = regressor(enable_categorical=True, max_cat_to_onehot=1).fit(FRAME, Z)
    inputs = table(FRAME)
    own = native.get_booster().predict(
        xgboost.DMatrix(FRAME[:4], enable_categorical=True), pred_contribs=True
    )
    trees = wrap(native, like=inputs).trees()
    found = np.stack([enumerated(trees, row)[:, 0] for row in inputs.values[:4]])
    # 1e-4: XGBoost divides hessian sums in float32 on the way down, and adds in float32.
    np.testing.assert_allclose(found, own[:, :-1], rtol=1e-4, atol=1e-4)


def test_path_dependent_tree_shap_of_categories_gives_xgboosts_own_contributions():
    native = regressor(enable_categorical=True, max_cat_to_onehot=1).fit(FRAME, Z)
    inputs = table(FRAME)
    own = native.get_booster().predict(
        xgboost.DMatrix(FRAME, enable_categorical=True), pred_contribs=True
    )
    values, base = path_dependent(wrap(native, like=inputs), inputs.values)
    # 1e-4: XGBoost divides hessian sums in float32 on the way down, and adds in float32.
    np.testing.assert_allclose(values, own[:, :-1], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(base, own[:, -1], rtol=1e-4, atol=1e-4)


def test_columns_are_found_by_name_and_made_up_names_are_not_kept():
    frame = pd.DataFrame(X, columns=list("abcde"))
    native = regressor().fit(frame, Y)
    assert wrap(native).features == tuple("abcde")
    assert wrap(regressor().fit(X, Y)).features == ()
    like = Inputs(X[:, [3, 1, 4, 0, 2]], kind="tabular", features=tuple("dbeac"))
    model = wrap(native, like=like)
    np.testing.assert_allclose(
        model.trees().scores(like.values), native.predict(frame)[:, None], **SINGLE
    )
    with pytest.raises(InputError, match=r"Missing: \['a'"):
        wrap(native, like=Inputs(X, kind="tabular"))
    with pytest.raises(InputError, match="reads 5 columns, but the rows have 3"):
        wrap(regressor().fit(X, Y), like=Inputs(X[:, :3], kind="tabular"))


def test_predictions_with_a_link_are_explained_as_the_sums_under_it():
    for case in ("counts", "gamma", "tweedie"):
        native, y = CASES[case]
        model = wrap(native.fit(X, y))
        assert model.scale == "raw"
        assert "logarithm of what predict gives" in model.notes[1]
        np.testing.assert_allclose(np.exp(model.scores(X)[:, 0]), native.predict(X), rtol=1e-4)
        with pytest.raises(InputError, match="does not classify"):
            wrap(native, scale="probability")


def test_an_objective_of_ones_own_is_explained_in_its_margin():
    def squared(y, scores):
        return scores - y, np.ones(len(y))

    native = regressor(objective=squared).fit(X, Y)
    model = wrap(native)
    assert model.scale == "raw"
    assert "function of yours" in model.notes[1]
    np.testing.assert_allclose(model.trees().scores(X), margin(native, X), **SINGLE)


@pytest.mark.parametrize(
    ("native", "why"),
    [
        (xgboost.XGBRegressor(booster="gblinear", n_estimators=9), "linear model"),
    ],
)
def test_what_is_no_sum_of_trees_has_none_and_a_note_says_why(native, why):
    model = wrap(native.fit(X, Y))
    assert model.trees is None
    assert why in model.notes[-1]
    assert "TreeSHAP is not offered" in model.notes[-1]
    np.testing.assert_allclose(model.scores(X), margin(native, X), **SINGLE)


def test_pipelines_and_searches_around_a_booster():
    search = GridSearchCV(classifier(), {"max_depth": [2]}, cv=2).fit(X, TWO)
    np.testing.assert_allclose(
        wrap(search).trees().scores(X), margin(search.best_estimator_, X), **SINGLE
    )
    kept = make_pipeline("passthrough", classifier()).fit(X, TWO)
    assert wrap(kept).trees is not None
    scaled = wrap(make_pipeline(StandardScaler(), classifier()).fit(X, TWO))
    assert scaled.trees is None
    assert "change the columns before the trees see them" in scaled.notes[-1]


def test_an_unfitted_model_is_refused():
    for native in (regressor(), xgboost.Booster()):
        with pytest.raises(InputError, match="has not been fitted"):
            wrap(native)


def test_one_digest_means_the_same_scores():
    first, again = wrap(regressor().fit(X, Y)), wrap(regressor().fit(X, Y))
    assert first.digest == again.digest != ""
    assert first.digest != wrap(regressor(n_estimators=8).fit(X, Y)).digest


@pytest.mark.parametrize("broken", ["threshold", "missing_left", "values", "offset"])
def test_a_wrong_reading_is_noticed_before_it_explains_anything(broken, monkeypatch):
    read = xgboost_trees._trees

    def wrong(*given):
        trees = read(*given)
        if broken == "offset":
            return replace(trees, offset=trees.offset + 0.01)
        tree = trees.trees[3]
        other = {
            "threshold": np.nextafter(np.float32(tree.threshold), np.float32(9)).astype(float),
            "missing_left": ~tree.missing_left,
            "values": 1.01 * tree.values,
        }[broken]
        return replace(trees, trees=(*trees.trees[:3], replace(tree, **{broken: other})))

    monkeypatch.setattr(xgboost_trees, "_trees", wrong)
    model = wrap(regressor(n_estimators=4).fit(HOLES, Y))
    with pytest.raises(ModelError, match="must add up to what XGBoost answers"):
        model.trees()


def test_the_model_is_left_as_it_was():
    native = regressor().fit(X, Y)
    before = json.loads(bytes(native.get_booster().save_raw("json")))
    wrap(native).trees()
    assert json.loads(bytes(native.get_booster().save_raw("json"))) == before
