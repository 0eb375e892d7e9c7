"""CatBoost's models: the trees that are read give CatBoost's own margins and contributions."""

import catboost
import numpy as np
import pandas as pd
import pytest

from tests.boosters_at_hand import (
    FRAME,
    HOLES,
    THREE,
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
    "iterations": 9,
    "depth": 4,
    "random_seed": 0,
    "thread_count": 1,
    "verbose": 0,
    "allow_writing_files": False,
}


def classifier(**more):
    return catboost.CatBoostClassifier(**{**FEW, **more})


def regressor(**more):
    return catboost.CatBoostRegressor(**{**FEW, **more})


def margin(native, rows):
    return native.predict(rows, prediction_type="RawFormulaVal").reshape(len(rows), -1)


CASES = {
    "two classes": (classifier(), TWO),
    "three classes": (classifier(), THREE),
    "one against the rest": (classifier(loss_function="MultiClassOneVsAll"), THREE),
    "labels": (classifier(loss_function="MultiLogloss"), np.stack([TWO, Y > 1, Y < -1], 1) + 0),
    "a number": (regressor(), Y),
    "several numbers": (regressor(loss_function="MultiRMSE"), np.stack([Y, -Y, Y**2], 1)),
    "depthwise": (regressor(grow_policy="Depthwise"), Y),
    "lossguide": (regressor(grow_policy="Lossguide", max_leaves=7), Y),
    "lossguide of three": (classifier(grow_policy="Lossguide", max_leaves=7), THREE),
    "missing as largest": (regressor(nan_mode="Max"), Y),
    "counts": (regressor(loss_function="Poisson"), np.exp(Y)),
    "tweedie": (regressor(loss_function="Tweedie:variance_power=1.5"), np.exp(Y)),
    "absolute": (regressor(loss_function="MAE"), Y),
    "uncertainty": (regressor(loss_function="RMSEWithUncertainty"), Y),
    "rates": (catboost.CatBoost({**FEW, "loss_function": "CrossEntropy"}), TWO),
    "plain": (catboost.CatBoost({**FEW, "loss_function": "RMSE"}), Y),
    "no average": (regressor(boost_from_average=False), Y),
    "ordered": (regressor(boosting_type="Ordered"), Y),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rows", [X, HOLES], ids=["whole", "with holes"])
def test_the_trees_add_up_to_catboosts_margin(case, rows):
    native, y = CASES[case]
    native.fit(rows, y)
    model = wrap(native)
    trees = model.trees()
    for seen in (rows, HOLES, np.zeros((1, 5)), edges_of(trees, rows)):
        np.testing.assert_allclose(model.scores(seen), margin(native, seen), **CLOSE)
        np.testing.assert_allclose(trees.scores(seen), margin(native, seen), **CLOSE)


NOT_SYMMETRIC = ("depthwise", "lossguide", "lossguide of three")


@pytest.mark.parametrize("case", [case for case in CASES if case not in NOT_SYMMETRIC])
def test_path_dependent_tree_shap_gives_catboosts_own_contributions(case):
    native, y = CASES[case]
    native.fit(X, y)
    model = wrap(native)
    own = native.get_feature_importance(catboost.Pool(X[:20]), type="ShapValues")
    own = own.reshape(20, -1, X.shape[1] + 1)
    for output in range(own.shape[1]):
        values, base = path_dependent(model, X[:20], output)
        np.testing.assert_allclose(values, own[:, output, :-1], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(base, own[:, output, -1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("case", NOT_SYMMETRIC)
def test_trees_that_are_not_symmetric_have_the_shapley_values_of_the_definition(case):
    # CatBoost 1.2.10 is no referee here: its own contributions do not even sum to its prediction.
    native, y = CASES[case]
    native.fit(X[:, :3], y)
    model = wrap(native)
    for output in range(len(model.outputs)):
        values, base = path_dependent(model, X[:4, :3], output)
        found = np.stack([enumerated(model.trees(), row)[:, output] for row in X[:4, :3]])
        np.testing.assert_allclose(values, found, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(
            values.sum(axis=1) + base, margin(native, X[:4, :3])[:, output], rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize(
    "native", [classifier(), classifier(loss_function="MultiClassOneVsAll")], ids=["plain", "ova"]
)
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_logits_are_what_predict_proba_is_made_of(native, y):
    if y is TWO:
        native = classifier(auto_class_weights="Balanced")
    labels = np.array(["low", "mid", "top"])[y]
    native.fit(X, labels)
    model, probable = wrap(native), wrap(native, scale="probability")
    assert model.scale == "logit"
    assert model.outputs == tuple(native.classes_[1:] if y is TWO else native.classes_)
    assert probable.outputs == tuple(native.classes_)
    np.testing.assert_allclose(probable.scores(X), native.predict_proba(X), rtol=0, atol=1e-12)
    assert probable.trees is None
    assert "add up in scale 'logit'" in probable.notes[-1]


def test_early_stopping_has_cut_the_model():
    native = classifier(iterations=80, learning_rate=0.9, early_stopping_rounds=5)
    native.fit(X[:120], TWO[:120], eval_set=(X[120:], TWO[120:]))
    model = wrap(native)
    assert len(model.trees().trees) == native.best_iteration_ + 1 < 80
    np.testing.assert_allclose(model.trees().scores(X), margin(native, X), **CLOSE)


def test_a_scale_and_bias_set_by_hand_count():
    native = regressor().fit(X, Y)
    native.set_scale_and_bias(3.0, -7.0)
    np.testing.assert_allclose(wrap(native).trees().scores(X), margin(native, X), **CLOSE)


def test_branches_without_training_rows_keep_covers_that_add_up():
    for case in ("two classes", "lossguide", "three classes"):
        native, y = CASES[case]
        for tree in wrap(native.fit(X, y)).trees().trees:
            inner = tree.left >= 0
            assert (tree.cover[inner] > 0).all()
            below = tree.cover[tree.left[inner]] + tree.cover[tree.right[inner]]
            np.testing.assert_allclose(tree.cover[inner], below, rtol=1e-9)  # 1e-12th for none


def test_categories_have_no_trees_but_predict_by_label():
    native = regressor(cat_features=["town"]).fit(FRAME.assign(town=FRAME["town"].astype(str)), Z)
    mixed = FRAME.assign(town=FRAME["town"].cat.reorder_categories(sorted(TOWNS)))
    for frame in (FRAME, mixed[["town", "dose", "age"]]):
        inputs = table(frame)
        model = wrap(native, like=inputs)
        own = native.predict(FRAME.assign(town=FRAME["town"].astype(str)))[:, None]
        np.testing.assert_allclose(model.scores(inputs.values), own, **CLOSE)
        assert model.trees is None
        assert "statistics of the categories" in model.notes[-1]
        assert "TreeSHAP is not offered" in model.notes[-1]
    with pytest.raises(InputError, match="give like=inputs"):
        wrap(native)


def test_columns_are_found_by_name_and_made_up_names_are_not_kept():
    frame = pd.DataFrame(X, columns=list("abcde"))
    native = regressor().fit(frame, Y)
    assert wrap(native).features == tuple("abcde")
    assert wrap(regressor().fit(X, Y)).features == ()
    like = Inputs(X[:, [3, 1, 4, 0, 2]], kind="tabular", features=tuple("dbeac"))
    model = wrap(native, like=like)
    np.testing.assert_allclose(
        model.trees().scores(like.values), native.predict(frame)[:, None], **CLOSE
    )


def test_predictions_with_a_link_are_explained_as_the_sums_under_it():
    for case in ("counts", "tweedie"):
        native, y = CASES[case]
        model = wrap(native.fit(X, y))
        assert model.scale == "raw"
        assert "logarithm of what predict gives" in model.notes[1]
        np.testing.assert_allclose(np.exp(model.scores(X)[:, 0]), native.predict(X), rtol=1e-12)


def test_an_unfitted_model_is_refused_and_one_digest_means_the_same_scores():
    with pytest.raises(InputError, match="has not been fitted"):
        wrap(regressor())
    first, again = wrap(regressor().fit(X, Y)), wrap(regressor().fit(X, Y))
    assert first.digest == again.digest != ""
    assert first.digest != wrap(regressor(iterations=8).fit(X, Y)).digest
