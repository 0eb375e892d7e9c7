"""LightGBM's models: the trees that are read give LightGBM's own margins and contributions."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.boosters_at_hand import (
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
from workbench.errors import InputError
from workbench.models import wrap

CLOSE = {"rtol": 1e-9, "atol": 1e-12}  # both in float64, at most summed in another order
FEW = {
    "n_estimators": 9,
    "num_leaves": 9,
    "min_child_samples": 5,
    "random_state": 0,
    "n_jobs": 1,
    "verbose": -1,
}
SETS = {"min_data_per_group": 2, "cat_smooth": 1.0, "cat_l2": 0.0}
FOREST = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}


def classifier(**more):
    return lightgbm.LGBMClassifier(**{**FEW, **more})


def regressor(**more):
    return lightgbm.LGBMRegressor(**{**FEW, **more})


def margin(native, rows):
    """LightGBM's own sum, which a forest's predict divides by the number of its trees."""
    scores = native.predict(rows, raw_score=True).reshape(len(rows), -1)
    return scores / _averaged(native)


def _averaged(native):
    return 9 if getattr(native, "boosting_type", "") == "rf" else 1


CASES = {
    "two classes": (classifier(), TWO),
    "three classes": (classifier(), THREE),
    "one against the rest": (classifier(objective="multiclassova"), THREE),
    "a number": (regressor(), Y),
    "absolute": (regressor(objective="l1"), Y),
    "a forest": (classifier(**FOREST), TWO),
    "a forest of three": (classifier(**FOREST), THREE),
    "a forest of numbers": (regressor(**FOREST), Y),
    "dart": (regressor(boosting_type="dart", drop_rate=0.5), Y),
    "no average": (regressor(boost_from_average=False), Y),
    "counts": (regressor(objective="poisson"), np.exp(Y)),
    "gamma": (regressor(objective="gamma"), np.exp(Y)),
    "tweedie": (regressor(objective="tweedie"), np.exp(Y)),
    "rates": (regressor(objective="cross_entropy"), TWO),
    "square roots": (regressor(reg_sqrt=True), Y),
    "one leaf": (regressor(), np.ones(len(Y))),
    "stumps and one leaf": (regressor(num_leaves=2, min_split_gain=9.0), Y),
    "no missing values": (regressor(use_missing=False), Y),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rows", [X, HOLES], ids=["whole", "with holes"])
def test_the_trees_add_up_to_lightgbms_margin(case, rows):
    native, y = CASES[case]
    native.fit(rows, y)
    model = wrap(native)
    trees = model.trees()
    on_edges = [edges_of(trees, rows)] if case != "one leaf" else []
    for seen in (rows, HOLES, np.zeros((1, 5)), *on_edges):
        np.testing.assert_allclose(model.scores(seen), margin(native, seen), **CLOSE)
        np.testing.assert_allclose(trees.scores(seen), margin(native, seen), **CLOSE)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("case", CASES)
def test_path_dependent_tree_shap_gives_lightgbms_own_contributions(case):
    native, y = CASES[case]
    native.fit(X, y)
    model = wrap(native)
    own = native.predict(X[:20], pred_contrib=True).reshape(20, -1, X.shape[1] + 1)
    own = own / _averaged(native)
    for output in range(own.shape[1]):
        values, base = path_dependent(model, X[:20], output)
        np.testing.assert_allclose(values, own[:, output, :-1], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(base, own[:, output, -1], rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(
    "native",
    [
        classifier(),
        classifier(sigmoid=2.5),
        classifier(boosting_type="dart"),
        classifier(**FOREST),
        classifier(objective="multiclassova", sigmoid=2.0),
    ],
    ids=["plain", "steep", "dart", "forest", "one against the rest"],
)
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_logits_are_the_log_odds_of_predict_proba(native, y):
    labels = np.array(["low", "mid", "top"])[y]
    if "ova" in str(native.objective) and y is TWO:
        native = classifier(is_unbalance=True, sigmoid=0.5)
    native.fit(X, labels)
    model = wrap(native)
    assert model.scale == "logit"
    assert model.outputs == tuple(native.classes_[1:] if y is TWO else native.classes_)
    probable = wrap(native, scale="probability")
    assert probable.outputs == tuple(native.classes_)
    np.testing.assert_allclose(probable.scores(X), native.predict_proba(X), rtol=0, atol=1e-12)
    assert probable.trees is None
    assert "add up in scale 'logit'" in probable.notes[-1]
    np.testing.assert_allclose(model.trees().scores(X), model.scores(X), **CLOSE)


@pytest.mark.parametrize("objective", ["binary", "multiclass", "multiclassova"])
def test_a_booster_without_an_estimator_answers_in_log_odds(objective):
    classes = {} if objective == "binary" else {"num_class": 3}
    settings = {"objective": objective, "verbose": -1, "num_threads": 1, **classes}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, THREE if classes else TWO), 7)
    model = wrap(booster)
    assert (model.scale, model.outputs) == ("logit", ("0", "1", "2") if classes else ("1",))
    np.testing.assert_allclose(model.trees().scores(X), margin(booster, X), **CLOSE)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_early_stopping_ends_where_lightgbms_own_predict_ends():
    native = classifier(n_estimators=80, learning_rate=0.9)
    native.fit(
        X[:120],
        TWO[:120],
        eval_set=[(X[120:], TWO[120:])],
        callbacks=[lightgbm.early_stopping(5, verbose=False)],
    )
    end = native.best_iteration_
    assert end < 80
    assert len(wrap(native).trees().trees) == end
    np.testing.assert_allclose(wrap(native).scores(X), margin(native, X), **CLOSE)


def test_a_booster_that_keeps_more_iterations_answers_with_the_best():
    train = lightgbm.Dataset(X[:120], TWO[:120])
    booster = lightgbm.train(
        {"objective": "binary", "learning_rate": 0.9, "verbose": -1, "num_threads": 1},
        train,
        80,
        valid_sets=[train.create_valid(X[120:], TWO[120:])],
        callbacks=[lightgbm.early_stopping(5, verbose=False)],
        keep_training_booster=True,
    )
    end = booster.best_iteration
    assert end < booster.current_iteration()
    model = wrap(booster)
    assert len(model.trees().trees) == end
    assert f"first {end} of" in model.notes[0]
    np.testing.assert_allclose(model.trees().scores(X), margin(booster, X), **CLOSE)


@pytest.mark.filterwarnings("ignore:categorical_column in param dict is overridden")
@pytest.mark.parametrize("onehot", [1, 100], ids=["sets", "one against the rest"])
def test_categories_are_split_by_code_and_found_by_label(onehot):
    native = regressor(max_cat_to_onehot=onehot, **SETS).fit(FRAME, Z)
    mixed = FRAME.assign(town=FRAME["town"].cat.set_categories(["Kyiv", *sorted(TOWNS), "Zürich"]))
    mixed.loc[:5, "town"] = "Kyiv"  # LightGBM takes a label it does not know for a missing one
    for frame in (FRAME, mixed[["town", "dose", "age"]]):
        inputs = table(frame)
        model = wrap(native, like=inputs)
        assert model.features == tuple(frame.columns)
        trees = model.trees()
        assert any(tree.goes_left for tree in trees.trees)
        own = native.predict(frame[["age", "town", "dose"]])[:, None]
        np.testing.assert_allclose(model.scores(inputs.values), own, **CLOSE)
        np.testing.assert_allclose(trees.scores(inputs.values), own, **CLOSE)
    assert any("Kyiv" in note and "takes them as missing" in note for note in model.notes)


def test_ordered_categories_and_truth_values_are_numbers_for_lightgbm():
    frame = FRAME.assign(
        size=pd.Categorical.from_codes(TOWN % 3, ["S", "M", "L"], ordered=True), new=TOWN > 3
    )
    native = regressor(**SETS).fit(frame, Z)
    mixed = frame.assign(size=frame["size"].cat.reorder_categories(["L", "S", "M"], ordered=True))
    for seen in (frame, mixed):
        inputs = table(seen)
        model = wrap(native, like=inputs)
        np.testing.assert_allclose(
            model.trees().scores(inputs.values), native.predict(frame)[:, None], **CLOSE
        )


def test_categories_without_rows_to_read_are_the_codes_of_the_fit():
    native = regressor(**SETS).fit(FRAME, Z)
    model = wrap(native)
    rows = np.stack([FRAME["age"], TOWN, FRAME["dose"]], axis=1)
    rows[:4, 1] = [np.nan, -1.0, 99.0, 2.5]
    own = native.booster_.predict(rows)[:, None]
    np.testing.assert_allclose(model.trees().scores(rows), own, **CLOSE)
    assert any("['town'] hold categories" in note for note in model.notes)


def test_labels_of_columns_fitted_as_numbers_are_refused_unless_they_are_numbers():
    numbers = FRAME.assign(town=10 * TOWN)
    native = regressor(**SETS).fit(numbers, Z, categorical_feature=["town"])
    own = native.predict(numbers)[:, None]
    labeled = table(numbers.assign(town=pd.Categorical(10 * TOWN)))
    model = wrap(native, like=labeled)
    np.testing.assert_allclose(model.trees().scores(labeled.values), own, **CLOSE)
    with pytest.raises(InputError, match="reads numbers in column 'town'"):
        wrap(native, like=table(FRAME))


def test_covers_and_sets_give_lightgbms_own_contributions_by_enumeration():
    native = regressor(**SETS).fit(FRAME, Z)
    inputs = table(FRAME)
    own = native.predict(FRAME[:4], pred_contrib=True)
    trees = wrap(native, like=inputs).trees()
    found = np.stack([enumerated(trees, row)[:, 0] for row in inputs.values[:4]])
    np.testing.assert_allclose(found, own[:, :-1], rtol=1e-9, atol=1e-9)


def test_path_dependent_tree_shap_of_categories_gives_lightgbms_own_contributions():
    native = regressor(**SETS).fit(FRAME, Z)
    inputs = table(FRAME)
    own = native.predict(FRAME, pred_contrib=True)
    values, base = path_dependent(wrap(native, like=inputs), inputs.values)
    np.testing.assert_allclose(values, own[:, :-1], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(base, own[:, -1], rtol=1e-6, atol=1e-9)


def test_columns_are_found_by_name_and_made_up_names_are_not_kept():
    frame = pd.DataFrame(X, columns=["a", "b c", "d", "e", "f"])
    native = regressor().fit(frame, Y)
    assert wrap(native).features == ("a", "b_c", "d", "e", "f")  # as LightGBM spells them
    assert wrap(regressor().fit(X, Y)).features == ()
    like = Inputs(X[:, [3, 1, 4, 0, 2]], kind="tabular", features=("e", "b c", "f", "a", "d"))
    model = wrap(native, like=like)
    np.testing.assert_allclose(
        model.trees().scores(like.values), native.predict(frame)[:, None], **CLOSE
    )


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_zeros_that_stand_for_missing_values_go_where_lightgbm_sends_them():
    column = np.where(np.abs(X[:, :1]) < 0.4, 0.0, X[:, :1])
    settings = {"zero_as_missing": True, "num_leaves": 2, "n_estimators": 1}
    beyond = (column[:, 0] == 0) | (column[:, 0] > 1.0)  # zeros go where large numbers go
    for y in (column[:, 0] > 0.1, column[:, 0] > -0.1, beyond):
        native = regressor(**settings).fit(column, y)
        seen = np.array([[-2.0], [-1e-300], [0.0], [1e-36], [np.nan], [0.05], [2.0]])
        trees = wrap(native).trees()
        np.testing.assert_allclose(trees.scores(seen), margin(native, seen), **CLOSE)


def test_tiny_numbers_are_zeros_for_lightgbm_and_here():
    rows = np.where(np.abs(X) < 0.7, 0.0, X)
    native = regressor().fit(rows, Y)
    tiny = np.concatenate(
        [
            np.where(rows == 0, value, rows)
            for value in (1e-35, -1e-35, 1.1e-35, -1.1e-35, float(np.float32(-1e-35)), 1e-300)
        ]
    )
    model = wrap(native)
    np.testing.assert_allclose(model.trees().scores(tiny), margin(native, tiny), **CLOSE)


def test_leaves_that_hold_linear_models_are_no_sum_and_a_note_says_why():
    model = wrap(regressor(linear_tree=True).fit(X, Y))
    assert model.trees is None
    assert "linear_tree" in model.notes[-1]
    assert "TreeSHAP is not offered" in model.notes[-1]


def test_predictions_with_a_link_are_explained_as_the_sums_under_it():
    native = regressor(objective="poisson").fit(X, np.exp(Y))
    model = wrap(native)
    assert model.scale == "raw"
    assert "logarithm of what predict gives" in model.notes[1]
    np.testing.assert_allclose(np.exp(model.scores(X)[:, 0]), native.predict(X), rtol=1e-12)
    assert "a function of them" in wrap(regressor(reg_sqrt=True).fit(X, Y)).notes[1]


def test_pipelines_around_a_booster_and_unfitted_ones():
    scaled = wrap(make_pipeline(StandardScaler(), classifier()).fit(X, TWO))
    assert scaled.trees is None
    assert "change the columns before the trees see them" in scaled.notes[-1]
    with pytest.raises(InputError, match="has not been fitted"):
        wrap(regressor())


def test_one_digest_means_the_same_scores():
    first, again = wrap(regressor().fit(X, Y)), wrap(regressor().fit(X, Y))
    assert first.digest == again.digest != ""
    assert first.digest != wrap(regressor(n_estimators=8).fit(X, Y)).digest
