"""Fewer trees: what the libraries themselves say after so many rounds, and rounded leaves."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import workbench as wb
from workbench import data, methods, variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.variants.record import rows_to_try

BREAST, PROGRESS = data.breast_cancer("train"), data.diabetes("train")
THREE = np.digitize(PROGRESS.y, [100, 200])


def xgboost_model(**given):
    import xgboost

    return xgboost.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1, **given)


def lightgbm_model(**given):
    import lightgbm

    return lightgbm.LGBMClassifier(n_estimators=8, num_leaves=7, n_jobs=1, verbose=-1, **given)


def catboost_model(**given):
    import catboost

    return catboost.CatBoostClassifier(
        n_estimators=8, depth=3, verbose=0, allow_writing_files=False, thread_count=1, **given
    )


MODELS = {
    "forest": lambda: RandomForestClassifier(8, random_state=0).fit(BREAST.values, BREAST.y),
    "extra trees": lambda: ExtraTreesRegressor(8, max_depth=5, random_state=0).fit(
        PROGRESS.values, PROGRESS.y
    ),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=8).fit(PROGRESS.values, THREE),
    "boosted regression": lambda: GradientBoostingRegressor(n_estimators=8, subsample=0.5).fit(
        PROGRESS.values, PROGRESS.y
    ),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=8).fit(PROGRESS.values, THREE),
    "histogram regression": lambda: HistGradientBoostingRegressor(max_iter=8).fit(
        PROGRESS.values, PROGRESS.y
    ),
    "XGBoost": lambda: xgboost_model().fit(BREAST.values, BREAST.y),
    "XGBoost, three classes": lambda: xgboost_model().fit(PROGRESS.values, THREE),
    "XGBoost's Booster": lambda: xgboost_model().fit(BREAST.values, BREAST.y).get_booster(),
    "LightGBM": lambda: lightgbm_model().fit(BREAST.values, BREAST.y),
    "LightGBM, three classes": lambda: lightgbm_model().fit(PROGRESS.values, THREE),
    "LightGBM's Booster": lambda: lightgbm_model().fit(BREAST.values, BREAST.y).booster_,
    "CatBoost": lambda: catboost_model().fit(BREAST.values, BREAST.y),
    "CatBoost, three classes": lambda: catboost_model().fit(PROGRESS.values, THREE),
}


def staged(native, rows, kept):
    """What the library says after so many trees, by its own means."""
    kind = f"{type(native).__module__.split('.')[0]}.{type(native).__name__}"
    if kind == "sklearn.RandomForestClassifier":
        return np.mean([tree.predict_proba(rows) for tree in native.estimators_[:kept]], axis=0)
    if kind == "sklearn.ExtraTreesRegressor":
        return np.mean([tree.predict(rows) for tree in native.estimators_[:kept]], axis=0)
    if kind.startswith("sklearn."):
        stages = getattr(native, "staged_decision_function", None) or native.staged_predict
        return list(stages(rows))[kept - 1]
    if kind == "xgboost.Booster":
        import xgboost

        return native.predict(xgboost.DMatrix(rows), output_margin=True, iteration_range=(0, kept))
    if kind.startswith("xgboost."):
        return native.predict(rows, output_margin=True, iteration_range=(0, kept))
    if kind == "lightgbm.Booster":
        return native.predict(rows, raw_score=True, num_iteration=kept)
    if kind.startswith("lightgbm."):
        return native.booster_.predict(rows, raw_score=True, num_iteration=kept)
    return native.predict(rows, prediction_type="RawFormulaVal", ntree_end=kept)


def rows_of(native) -> Inputs:
    width = getattr(native, "n_features_in_", None)
    if width is None:
        width = native.num_features() if hasattr(native, "num_features") else native.num_feature()
    return BREAST if width == 30 else PROGRESS


@pytest.mark.parametrize("kind", MODELS)
def test_the_first_half_says_what_the_library_says_after_so_many(kind):
    native = MODELS[kind]()
    rows = rows_of(native)
    model = wb.wrap(native, name="whole")
    before = model.scores(rows.values)
    half = variants.fewer_trees(model, 0.5, rows=rows)
    expected = np.reshape(staged(native, rows.values, 4), (len(rows), -1))
    # XGBoost sums in single precision; the others add the same doubles in the same order.
    tolerance = 1e-6 if "XGBoost" in kind else 1e-12
    np.testing.assert_allclose(half.scores(rows.values), expected, rtol=0, atol=tolerance * 300)
    assert np.array_equal(model.scores(rows.values), before)
    assert (half.variant.touched, half.variant.layers) == (4, 8)
    assert half.variant.changed
    assert half.name in ("whole, 4 trees", "whole, 4 rounds")
    assert half.variant.description.startswith("the first 4 of 8")
    assert (half.outputs, half.scale, half.shape) == (model.outputs, model.scale, model.shape)
    assert half.variant.size.parameters < half.variant.original_size.parameters
    result = wb.explain(half, rows[:2], methods.TreeSHAP())
    assert np.abs(result.gap).max() < (1e-4 if "XGBoost" in kind else 1e-9)  # single precision
    assert len(half.trees().trees) * 2 == len(model.trees().trees)


@pytest.mark.parametrize("kind", MODELS)
def test_rounded_leaves_have_no_more_levels_and_lie_no_further_than_half_a_step(kind):
    native = MODELS[kind]()
    rows = rows_of(native)
    model = wb.wrap(native, name="whole")
    before = model.scores(rows.values)
    rounded = variants.quantize_leaves(model, 3, rows=rows)
    assert np.array_equal(model.scores(rows.values), before)
    was, now = leaves(model), leaves(rounded)
    assert was.shape == now.shape
    levels = np.unique(now[now != 0].round(5))  # one zero more: other outputs' columns
    assert len(levels) <= 8
    if "forest" not in kind:
        step = (was.max() - was.min()) / 7
        assert np.abs(now - was).max() <= step * 0.5 * (1 + 1e-5)  # XGBoost keeps single precision
        assert rounded.variant.changed
    assert rounded.variant.recipe == "quantize_leaves(model, 3)"
    result = wb.explain(rounded, rows[:2], methods.TreeSHAP())
    assert np.abs(result.gap).max() < (1e-4 if "XGBoost" in kind else 1e-9)
    again = variants.quantize_leaves(rounded, 3, rows=rows)
    # Rounding once more moves nothing but the last digits of single precision.
    np.testing.assert_allclose(again.scores(rows.values), rounded.scores(rows.values), rtol=1e-5)


def leaves(model):
    return np.concatenate([tree.values[tree.left < 0].ravel() for tree in model.trees().trees])


def test_frequencies_of_a_leaf_still_add_up_to_one():
    forest = RandomForestClassifier(8, max_depth=3, random_state=0).fit(PROGRESS.values, THREE)
    rounded = variants.quantize_leaves(wb.wrap(forest), 2, rows=PROGRESS)
    values = [tree.tree_.value[:, 0] for tree in rounded.native.estimators_]
    ends = [tree.tree_.children_left < 0 for tree in rounded.native.estimators_]
    found = np.concatenate([value[end] for value, end in zip(values, ends, strict=True)])
    assert set(np.unique(found.round(9))) == {0.0, 0.333333333, 0.666666667, 1.0}
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-15)  # thirds
    assert rounded.variant.changed
    pure = RandomForestClassifier(8, random_state=0).fit(BREAST.values, BREAST.y)
    same = variants.quantize_leaves(wb.wrap(pure), 2)  # every leaf is of one class
    assert same.variant.touched == 0
    assert "Nothing was changed" in same.variant.warnings[0]


def test_a_tree_with_values_of_several_outputs_keeps_their_shape():
    both = np.stack([PROGRESS.y, -2 * PROGRESS.y], axis=1)
    tree = DecisionTreeRegressor(max_depth=3).fit(PROGRESS.values, both)
    rounded = variants.quantize_leaves(wb.wrap(tree), 4, rows=PROGRESS)
    assert rounded.scores(PROGRESS.values).shape == (len(PROGRESS), 2)
    assert rounded.variant.changed


def test_rounds_after_early_stopping_do_not_count():
    held = data.breast_cancer("test")
    fit = {"X": BREAST.values, "y": BREAST.y}
    native = xgboost_model(early_stopping_rounds=2, learning_rate=1.0)
    native.set_params(n_estimators=40)
    native.fit(**fit, eval_set=[(held.values, held.y)], verbose=False)
    best = native.best_iteration + 1
    assert best < native.get_booster().num_boosted_rounds()
    model = wb.wrap(native)
    whole = variants.fewer_trees(model, 1.0, rows=BREAST)
    assert whole.variant.change == 0
    assert whole.variant.description == f"the first {best} of {best} rounds"
    half = variants.fewer_trees(model, 0.5, rows=BREAST)
    kept = max(1, round(best / 2))
    expected = native.predict(BREAST.values, output_margin=True, iteration_range=(0, kept))
    assert np.array_equal(half.scores(BREAST.values)[:, 0], expected)
    rounded = variants.quantize_leaves(model, 16, rows=BREAST)
    assert rounded.variant.change < 1e-3  # 16 bits of at most a few logits, over so many rounds

    native = lightgbm_model(learning_rate=1.0).set_params(n_estimators=40)
    import lightgbm

    stop = lightgbm.early_stopping(2, verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 4.7 has another word for eval_set, 4.5 only this one
        native.fit(**fit, eval_set=[(held.values, held.y)], callbacks=[stop])
    best = native.best_iteration_
    assert 0 < best < 40
    model = wb.wrap(native)
    whole = variants.fewer_trees(model, 1.0, rows=BREAST)
    assert (whole.variant.change, whole.variant.layers) == (0, best)
    assert variants.quantize_leaves(model, 16, rows=BREAST).variant.change < 1e-3


def test_a_model_fitted_on_a_frame_with_categories_keeps_reading_labels():
    frame = pd.DataFrame(
        {
            "color": pd.Categorical(["red", "blue", "green", "blue"] * 30),
            "size": np.arange(120.0) % 7,
        }
    )
    wanted = ((frame["color"] == "red") | (frame["size"] > 4)).astype(int)
    rows = data.table(frame)
    native = HistGradientBoostingClassifier(max_iter=6, categorical_features="from_dtype")
    model = wb.wrap(native.fit(frame, wanted), name="hist", like=rows)
    half = variants.fewer_trees(model, 0.5)
    expected = list(native.staged_decision_function(frame))[2]
    assert np.array_equal(half.scores(rows.values)[:, 0], expected)
    assert half.features == ("color", "size")
    tried = rows_to_try(
        model, None
    )  # the rows it was wrapped for: noise would hold codes of no label
    assert set(tried[:, 0]) == {0.0, 1.0, 2.0}


def test_saved_copies_are_loaded_bit_by_bit(tmp_path):
    import skops.io

    fitted = RandomForestClassifier(6, max_depth=3, random_state=0)
    model = wb.wrap(fitted.fit(BREAST.values, BREAST.y))
    for number, copy in enumerate(
        [variants.fewer_trees(model, 0.5), variants.quantize_leaves(model, 3)]
    ):
        path = tmp_path / f"{number}.skops"
        skops.io.dump(copy.native, path)
        assert np.array_equal(wb.load(path).scores(BREAST.values), copy.scores(BREAST.values))


def test_at_least_one_tree_stays():
    fitted = RandomForestClassifier(6, random_state=0).fit(BREAST.values, BREAST.y)
    assert len(variants.fewer_trees(wb.wrap(fitted), 0.01).native.estimators_) == 1


@pytest.mark.parametrize("share", [0, -0.5, 1.5, True, "half", float("nan")])
def test_shares_out_of_range_are_refused(share):
    fitted = RandomForestClassifier(3, random_state=0).fit(BREAST.values, BREAST.y)
    with pytest.raises(InputError, match="above 0 and at most 1"):
        variants.fewer_trees(wb.wrap(fitted), share)


@pytest.mark.parametrize("bits", [0, 17, 2.5, True])
def test_bits_out_of_range_are_refused(bits):
    fitted = DecisionTreeClassifier(random_state=0).fit(BREAST.values, BREAST.y)
    with pytest.raises(InputError, match="1 … 16"):
        variants.quantize_leaves(wb.wrap(fitted), bits)


def test_single_trees_linear_boosters_and_leaves_that_are_no_values_are_refused():
    tree = DecisionTreeClassifier(random_state=0).fit(BREAST.values, BREAST.y)
    with pytest.raises(IncompatibleError, match="wraps a DecisionTreeClassifier"):
        variants.fewer_trees(wb.wrap(tree), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XGBoost is about to drop gblinear
        line = xgboost_model(booster="gblinear").set_params(max_depth=None)
        line.fit(BREAST.values, BREAST.y)
        model = wb.wrap(line)
        with pytest.raises(IncompatibleError, match="linear model"):
            variants.fewer_trees(model, 0.5)
        with pytest.raises(IncompatibleError, match="has none"):
            variants.quantize_leaves(model, 4)
    linear = lightgbm_model(linear_tree=True).fit(BREAST.values, BREAST.y)
    with pytest.raises(IncompatibleError, match="linear_tree=False"):
        variants.quantize_leaves(wb.wrap(linear), 4)
