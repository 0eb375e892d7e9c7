"""A category is its label: other orders of labels and columns give the same reasons, or a sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import workbench as wb
from workbench import data, ensembles, methods, variants
from workbench.core import Inputs
from workbench.errors import InputError, ModelError

TERMS = ("year", "month", "day")  # in the order of the fit; another one's is that of the alphabet
GRADES = (5, 1, 9, 2)
RNG = np.random.default_rng(3)
N = 240
FRAME = pd.DataFrame(
    {
        "term": pd.Categorical(RNG.choice(TERMS, N), categories=TERMS),
        "tenure": RNG.integers(0, 60, N).astype(float),
        "grade": pd.Categorical(RNG.choice(GRADES, N), categories=GRADES),
        "price": RNG.normal(60.0, 15.0, N),
    }
)
CHURN = (
    ((FRAME.term == "month") & (FRAME.tenure < 30))
    | (FRAME.grade.astype(int) > 4) & (FRAME.price > 60)
).astype(int)
QUIET = {"iterations": 12, "verbose": 0, "allow_writing_files": False, "random_seed": 0}


def shuffled(frame=FRAME):
    """The same rows as a file would give them: other orders of labels and of columns."""
    other = frame.assign(
        term=frame["term"].cat.reorder_categories(sorted(TERMS)),
        grade=frame["grade"].cat.reorder_categories(sorted(GRADES)),
    )
    return other[["price", "grade", "term", "tenure"]]


def rows_of(frame):
    return data.table(frame[:6], background=frame[40:60])


def by_name(result):
    order = np.argsort(result.inputs.features)
    return result.values[:, order]


def xgb():
    return xgboost.XGBClassifier(n_estimators=12, max_depth=3, enable_categorical=True)


def lgbm():
    return lightgbm.LGBMClassifier(
        n_estimators=12, min_child_samples=5, min_data_per_group=1, cat_smooth=1.0, verbose=-1
    )


def cat():
    return catboost.CatBoostClassifier(**QUIET, cat_features=["term", "grade"])


def hist():
    return HistGradientBoostingClassifier(max_iter=12, categorical_features="from_dtype")


def pipeline(encoder):
    return make_pipeline(
        make_column_transformer((encoder, ["term", "grade"]), remainder="passthrough"),
        RandomForestClassifier(12, random_state=0),
    )


MADE = {
    "XGBoost": (xgb, lambda own, x: own.predict(x, output_margin=True), True),
    "LightGBM": (lgbm, lambda own, x: own.predict(x, raw_score=True), True),
    "CatBoost": (cat, lambda own, x: own.predict(x, prediction_type="RawFormulaVal"), False),
    "histogram boosting": (hist, lambda own, x: own.decision_function(x), True),
    "a Pipeline, one-hot": (
        lambda: pipeline(OneHotEncoder()), lambda own, x: own.predict_proba(x)[:, 1], False
    ),
    "a Pipeline, ordinal": (
        lambda: pipeline(OrdinalEncoder()), lambda own, x: own.predict_proba(x)[:, 1], False
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    return {name: make().fit(FRAME, CHURN) for name, (make, _, _) in MADE.items()}


@pytest.mark.parametrize("name", MADE)
def test_other_orders_of_labels_and_columns_give_the_same_scores_and_reasons(name, fitted):
    _, own, has_trees = MADE[name]
    expected = own(fitted[name], FRAME[:6])
    found = []
    for frame in (FRAME, shuffled()):
        rows = rows_of(frame)
        model = wb.wrap(fitted[name], like=rows)
        target = wb.Target(len(model.outputs) - 1)
        chosen = [methods.ExactShapley(), *([methods.TreeSHAP()] if has_trees else [])]
        results = [wb.explain(model, rows, method, target) for method in chosen]
        for one in results:
            # 1e-5: XGBoost adds in float32.
            np.testing.assert_allclose(one.output, expected, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(
                one.values.sum(axis=1), one.output - one.base, rtol=1e-4, atol=1e-4
            )
        found.append([by_name(one) for one in results])
    for first, other in zip(*found, strict=True):
        np.testing.assert_allclose(first, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MADE)
def test_rows_of_another_order_than_it_was_wrapped_for_are_refused(name, fitted):
    model = wb.wrap(fitted[name], like=rows_of(FRAME))
    for other in (
        replace(rows_of(FRAME), categories={**rows_of(FRAME).categories, "term": sorted(TERMS)}),
        rows_of(FRAME[[*FRAME]].assign(term=FRAME["term"].cat.reorder_categories(sorted(TERMS)))),
        replace(rows_of(FRAME), categories={"grade": GRADES}),
    ):
        with pytest.raises(InputError, match=r"in column 'term' it reads positions in \['year'"):
            wb.explain(model, other, methods.PermutationSHAP(), wb.Target(0))
    again = data.table(shuffled(), like=rows_of(FRAME))  # labels get their positions again
    assert np.array_equal(model.scores(again.values[:6]), model.scores(rows_of(FRAME).values))


def saved(name, native, folder):
    path = folder / {"XGBoost": "m.json", "UBJSON": "m.ubj", "LightGBM": "m.txt"}[name]
    (native.booster_ if name == "LightGBM" else native).save_model(path)
    return path


@pytest.mark.parametrize("name", ["XGBoost", "UBJSON", "LightGBM"])
def test_a_file_keeps_the_labels_and_rows_of_another_order_are_refused_or_mapped(
    name, fitted, tmp_path
):
    native = fitted["XGBoost" if name == "UBJSON" else name]
    path = saved(name, native, tmp_path)
    frame = FRAME[[*FRAME]].assign(term=FRAME["term"].cat.reorder_categories(sorted(TERMS)))
    expected = MADE["XGBoost" if name == "UBJSON" else name][1](native, FRAME[:6])
    alone = wb.load(path)
    assert dict(alone.categories) == {"term": TERMS, "grade": GRADES}
    right = wb.explain(alone, rows_of(FRAME), methods.TreeSHAP(), wb.Target(0))
    np.testing.assert_allclose(right.output, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(InputError, match=r"load it with like=rows"):
        wb.explain(alone, rows_of(frame), methods.TreeSHAP(), wb.Target(0))
    plain = replace(rows_of(FRAME), categories={})
    with pytest.raises(InputError, match="but the rows hold plain numbers"):
        wb.explain(alone, plain, methods.TreeSHAP(), wb.Target(0))
    rows = rows_of(shuffled())
    mapped = wb.explain(wb.load(path, like=rows), rows, methods.TreeSHAP(), wb.Target(0))
    np.testing.assert_allclose(by_name(mapped), by_name(right), rtol=1e-4, atol=1e-4)


def test_codes_whose_labels_an_older_xgboost_did_not_keep_are_refused(fitted, tmp_path):
    stored = json.loads(bytes(fitted["XGBoost"].get_booster().save_raw("json")))
    del stored["learner"]["gradient_booster"]["model"]["cats"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match="XGBoost kept only the codes of column 'term'"):
        wb.load(path, like=rows_of(FRAME))
    numbers = rows_of(FRAME.drop(columns="term").assign(term=FRAME["term"].cat.codes)[[*FRAME]])
    with pytest.raises(InputError, match="only the codes of column 'grade'"):  # 5, 1, 9, 2 or 0..3?
        wb.load(path, like=numbers)
    codes = replace(rows_of(FRAME), categories={})
    model = wb.load(path, like=codes)
    expected = fitted["XGBoost"].predict(FRAME[:6], output_margin=True)[:, None]
    np.testing.assert_allclose(model.scores(codes.values), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(InputError, match="reads plain numbers, but the rows hold positions"):
        wb.explain(model, rows_of(FRAME), methods.TreeSHAP(), wb.Target(0))


def test_plain_numbers_in_a_column_of_labels_are_refused_when_wrapped_too(fitted):
    for name, sentence in (
        ("XGBoost", r"fitted on labels \['year', 'month', 'day'\] in column 'term'"),
        (
            "LightGBM",
            "LightGBM does not say which of the labels it kept are those of column 'grade'",
        ),  # of two sets, whose is gone?
    ):
        with pytest.raises(InputError, match=sentence):
            wb.wrap(fitted[name], like=replace(rows_of(FRAME), categories={"grade": GRADES}))
        with pytest.raises(InputError, match="fitted on labels"):
            wb.wrap(fitted[name], like=replace(rows_of(FRAME), categories={}))


NUMBERS = FRAME[["grade", "tenure"]]
ARRAY = NUMBERS.astype(float).to_numpy()
ON_ARRAYS = {
    "XGBoost": lambda: xgb(),
    "XGBoost, sets": lambda: xgb().set_params(feature_types=["c", "q"]),
    "LightGBM": lambda: lgbm(),
    "histogram boosting, sets": lambda: HistGradientBoostingClassifier(categorical_features=[0]),
    "forest": lambda: RandomForestClassifier(12, random_state=0),
    "regression": lambda: LogisticRegression(),
    "a Pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
}


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_a_model_fitted_on_an_array_may_read_labels_that_are_numbers_or_their_positions(name):
    native = ON_ARRAYS[name]().fit(ARRAY, CHURN)  # on 5, 1, 9, 2; the rows hold 0, 1, 2, 3
    rows = rows_of(NUMBERS)
    with pytest.raises(InputError, match="it cannot be told which of the two it reads"):
        wb.wrap(native, like=rows)
    with pytest.raises(InputError, match="reads plain numbers, but the rows hold positions in"):
        wb.explain(wb.wrap(native), rows, methods.ExactShapley(), wb.Target(0))
    plain = data.table(NUMBERS.astype(float)[:6], background=NUMBERS.astype(float)[40:60])
    found = wb.explain(wb.wrap(native, like=plain), plain, methods.ExactShapley(), wb.Target(0))
    own = wb.wrap(native).scores(ARRAY[:6])
    np.testing.assert_allclose(found.output, own[:, 0], rtol=1e-6)


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_of_text_an_array_can_hold_positions_alone_and_those_of_like_are_kept(name):
    one = FRAME[["term", "tenure"]]
    rows = rows_of(one)
    native = ON_ARRAYS[name]().fit(data.table(one).values, CHURN)
    words = {}
    if "LightGBM" not in name and "XGBoost" not in name:  # it must be said of an estimator
        with pytest.raises(ModelError, match=r"columns \['term'\] hold labels.*frames=False"):
            wb.wrap(native, like=rows)
        words = {"frames": False}
    silent, told = wb.wrap(native), wb.wrap(native, like=rows, **words)
    for model, notes in ((silent, 1), (told, 0)):
        found = wb.explain(model, rows, methods.ExactShapley(), wb.Target(0))
        assert sum("does not say which labels" in note for note in found.notes) == notes
    other = rows_of(one.assign(term=one["term"].cat.reorder_categories(sorted(TERMS))))
    with pytest.raises(InputError, match=r"in column 'term' it reads positions in \['year'"):
        wb.explain(told, other, methods.ExactShapley(), wb.Target(0))


def test_a_function_of_arrays_is_refused_where_labels_are_numbers_too():
    rows = rows_of(NUMBERS)
    said = {"outputs": ["s"], "scale": "raw"}
    with pytest.raises(InputError, match=r"positions 0\.\.3 of the labels \[5, 1, 9, 2\]"):
        wb.wrap(lambda x: x[:, 0], like=rows, **said)
    bare = wb.wrap(lambda x: x[:, 0], **said)
    with pytest.raises(InputError, match=r"but the rows hold positions in \[5, 1, 9, 2\]"):
        wb.explain(bare, rows, methods.ExactShapley())
    model = wb.wrap(lambda frame: frame["grade"].to_numpy(float), like=rows, frames=True, **said)
    np.testing.assert_array_equal(model.scores(rows.values)[:, 0], ARRAY[:6, 0])
    truth = rows_of(NUMBERS.assign(grade=ARRAY[:, 0] > 4))
    positions = wb.wrap(lambda x: x[:, 0], like=truth, **said)  # False is 0 and True is 1
    np.testing.assert_array_equal(positions.scores(truth.values)[:, 0], ARRAY[:6, 0] > 4)


def test_members_that_take_the_same_numbers_for_other_labels_make_no_ensemble(fitted):
    columns = [*shuffled()]
    one, other = rows_of(FRAME[columns]), rows_of(shuffled())
    first, second = wb.wrap(fitted["XGBoost"], like=one), wb.wrap(fitted["LightGBM"], like=other)
    with pytest.raises(InputError, match=r"in column 'grade'.*\[5, 1, 9, 2\].*\[1, 2, 5, 9\]"):
        ensembles.vote([first, second])
    with pytest.raises(InputError, match="same like=rows"):
        ensembles.vote([first], like=other)
    vote = ensembles.vote([first, wb.wrap(fitted["LightGBM"], like=one)])
    assert vote.categories == first.categories
    with pytest.raises(InputError, match="it reads positions in"):
        wb.explain(vote, other, methods.TreeSHAP(), wb.Target(0))


@pytest.mark.parametrize(
    "copy",
    [lambda m: variants.fewer_trees(m, 0.5), lambda m: variants.quantize_leaves(m, 8)],
    ids=["fewer trees", "rounded leaves"],
)
@pytest.mark.parametrize("name", ["XGBoost", "LightGBM", "histogram boosting"])
def test_copies_of_trees_keep_the_labels(name, copy, fitted):
    one, other = rows_of(FRAME), rows_of(shuffled())
    made = [copy(wb.wrap(fitted[name], like=rows)) for rows in (one, other)]
    found = [
        by_name(wb.explain(m, rows, methods.TreeSHAP(), wb.Target(0)))
        for m, rows in zip(made, (one, other), strict=True)
    ]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-4)
    with pytest.raises(InputError, match="it reads positions in"):
        wb.explain(made[0], data.table(shuffled()[[*FRAME]]), methods.TreeSHAP(), wb.Target(0))
    with pytest.raises(InputError, match="must mean what it reads"):
        variants.fewer_trees(made[0], 0.5, rows=data.table(shuffled()[[*FRAME]]))


def test_a_background_given_as_a_frame_is_not_taken_by_place():
    rows = rows_of(NUMBERS)  # its labels are numbers: 5 is not the sixth of them
    np.testing.assert_array_equal(rows.with_background(NUMBERS[:6]).background, rows.values)
    numbers = data.table(FRAME[["tenure", "price"]])
    swapped = numbers.with_background(FRAME[["price", "tenure"]])
    np.testing.assert_array_equal(swapped.background, numbers.values)
    kept = numbers.with_background(FRAME[["tenure", "price"]][:3])
    np.testing.assert_array_equal(kept.background, numbers.values[:3])


@pytest.mark.parametrize("code", [-1.0, 3.0, 0.5])
def test_what_is_no_position_of_a_label_is_refused(code):
    known = {"kind": "tabular", "features": ("term",), "categories": {"term": TERMS}}
    with pytest.raises(InputError, match=rf"row 1 holds {code:g}"):
        Inputs([[0.0], [code]], **known)
    with pytest.raises(InputError, match=rf"background row 0 holds {code:g}"):
        Inputs([[0.0]], **known, background=[[code]])
