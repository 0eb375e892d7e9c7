"""Parsed trees, walked plainly, give the model's own scores."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from tests.boosters_at_hand import FRAME, TOWN, TOWNS, Z
from workbench.core import Inputs, Trees
from workbench.data import table
from workbench.models import wrap

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5))
Y = X[:, 0] + X[:, 1] * X[:, 2] + 0.1 * RNG.normal(size=120)
TWO, THREE = (Y > 0).astype(int), np.digitize(Y, [-0.5, 0.5])
FEW = {"random_state": 0, "max_depth": 3}


def walked(trees: Trees, rows: np.ndarray) -> np.ndarray:
    """Offset plus the leaves each row falls into, one comparison at a time."""
    scores = np.tile(trees.offset, (len(rows), 1))
    for i, row in enumerate(rows.astype(trees.dtype)):
        for tree in trees.trees:
            node = 0
            while tree.left[node] != -1:
                value = row[tree.feature[node]]
                left = tree.missing_left[node] if np.isnan(value) else value <= tree.threshold[node]
                node = tree.left[node] if left else tree.right[node]
            scores[i] += tree.values[node]
    return scores


CASES = [
    (DecisionTreeClassifier(**FEW), THREE),
    (DecisionTreeRegressor(**FEW), Y),
    (ExtraTreeRegressor(**FEW), Y),
    (RandomForestClassifier(7, **FEW), TWO),
    (RandomForestClassifier(7, class_weight="balanced", **FEW), THREE),
    (RandomForestClassifier(7, **FEW), np.stack([TWO, THREE], axis=1)),
    (RandomForestRegressor(7, **FEW), np.stack([Y, -Y, Y**2], axis=1)),
    (ExtraTreesClassifier(7, **FEW), THREE),
    (ExtraTreesRegressor(7, **FEW), Y),
    (GradientBoostingClassifier(n_estimators=7, **FEW), TWO),
    (GradientBoostingClassifier(n_estimators=7, **FEW), THREE),
    (GradientBoostingClassifier(n_estimators=7, init="zero", **FEW), THREE),
    (GradientBoostingClassifier(n_estimators=7, loss="exponential", **FEW), TWO),
    (GradientBoostingRegressor(n_estimators=7, loss="huber", **FEW), Y),
    (HistGradientBoostingClassifier(max_iter=7, **FEW), TWO),
    (HistGradientBoostingClassifier(max_iter=7, **FEW), THREE),
    (HistGradientBoostingRegressor(max_iter=7, loss="absolute_error", **FEW), Y),
]


@pytest.mark.parametrize(("estimator", "y"), CASES, ids=lambda case: type(case).__name__)
def test_the_sum_of_trees_is_the_models_score(estimator, y):
    model = wrap(
        estimator.fit(X, y),
        scale="logit" if "Boosting" in str(estimator) and "Classifier" in str(estimator) else None,
    )
    scores = model.scores(X)
    trees = model.trees()
    assert trees.offset.shape == (scores.shape[1],)
    np.testing.assert_allclose(walked(trees, X), scores, rtol=0, atol=1e-9)  # other summing order


@pytest.mark.parametrize(("estimator", "y"), CASES, ids=lambda case: type(case).__name__)
def test_covers_add_up_from_the_leaves_to_the_root(estimator, y):
    for tree in wrap(estimator.fit(X, y)).trees().trees:
        inner = tree.left >= 0
        below = tree.cover[tree.left[inner]] + tree.cover[tree.right[inner]]
        np.testing.assert_allclose(tree.cover[inner], below, rtol=1e-12)


@pytest.mark.parametrize("kind", [RandomForestRegressor, HistGradientBoostingRegressor])
def test_rows_on_a_threshold_go_where_the_library_sends_them(kind):
    model = wrap(kind(**FEW).fit(X, Y))
    trees = model.trees()
    inner = trees.trees[0].left >= 0
    edges = trees.trees[0].threshold[inner]
    rows = np.repeat(X[:1], 3 * len(edges), axis=0)
    for i, (edge, feature) in enumerate(zip(edges, trees.trees[0].feature[inner], strict=True)):
        rows[3 * i : 3 * i + 3, feature] = [edge, np.nextafter(edge, 9), np.nextafter(edge, -9)]
    np.testing.assert_allclose(walked(trees, rows), model.scores(rows), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", [HistGradientBoostingRegressor, RandomForestRegressor])
def test_missing_values_follow_the_branch_the_library_learned(kind):
    holes = X.copy()
    holes[RNG.random(X.shape) < 0.2] = np.nan
    model = wrap(kind(**FEW).fit(holes, Y))
    np.testing.assert_allclose(walked(model.trees(), holes), model.scores(holes), rtol=0, atol=1e-9)


def test_trees_speak_of_the_columns_of_the_rows_not_of_the_fit():
    frame = pd.DataFrame(X, columns=list("abcde"))
    forest = RandomForestRegressor(3, **FEW).fit(frame, Y)
    like = Inputs(X[:, [3, 1, 4, 0, 2]], kind="tabular", features=tuple("dbeac"))
    model = wrap(forest, like=like)
    np.testing.assert_allclose(
        walked(model.trees(), like.values), forest.predict(frame)[:, None], rtol=0, atol=1e-9
    )


def test_boosting_fitted_on_a_frame_keeps_its_trees():
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = wrap(GradientBoostingClassifier(n_estimators=3, **FEW).fit(frame, THREE))
    np.testing.assert_allclose(walked(model.trees(), X), model.scores(X), rtol=0, atol=1e-9)


def test_the_trees_are_read_once():
    model = wrap(RandomForestRegressor(3, **FEW).fit(X, Y))
    assert model.trees() is model.trees()


@pytest.mark.parametrize(
    ("estimator", "y", "scale", "why"),
    [
        (RandomForestClassifier(3, **FEW), TWO, "logit", "add up in scale 'probability'"),
        (GradientBoostingClassifier(n_estimators=3), TWO, "probability", "add up in scale 'logit'"),
        (
            GradientBoostingClassifier(n_estimators=3, init=LogisticRegression()),
            TWO,
            None,
            "starts from another model",
        ),
        (
            HistGradientBoostingRegressor(max_iter=3, loss="poisson"),
            np.exp(Y),
            None,
            "exponential of the sum",
        ),
        (
            make_pipeline(StandardScaler(), RandomForestClassifier(3)),
            TWO,
            None,
            "change the columns",
        ),
    ],
    ids=["forest logit", "boosting probability", "init", "poisson", "scaled"],
)
def test_where_trees_do_not_add_up_there_are_none_and_a_note_says_why(estimator, y, scale, why):
    model = wrap(estimator.fit(X, y), scale=scale)
    assert model.trees is None
    assert any(why in note and "TreeSHAP is not offered" in note for note in model.notes)


def test_a_pipeline_whose_steps_change_nothing_keeps_its_trees():
    pipeline = make_pipeline("passthrough", RandomForestRegressor(3, **FEW)).fit(X, Y)
    np.testing.assert_allclose(
        walked(wrap(pipeline).trees(), X), pipeline.predict(X)[:, None], rtol=0, atol=1e-9
    )


def test_models_that_are_no_sum_of_trees_have_none_and_no_note():
    for estimator in (AdaBoostClassifier(n_estimators=3), LogisticRegression()):
        model = wrap(estimator.fit(X, TWO))
        assert model.trees is None
        assert model.notes == ()


CATEGORIES = {"max_iter": 7, "max_depth": 4, "min_samples_leaf": 5, "random_state": 0}


def test_histogram_boosting_splits_categories_by_label_whatever_their_order():
    native = HistGradientBoostingRegressor(categorical_features="from_dtype", **CATEGORIES)
    native.fit(FRAME, Z)
    other = FRAME["town"].cat.set_categories(["Kyiv", *TOWNS[::-1], "Zürich"])
    mixed = FRAME.assign(town=other)[["dose", "town", "age"]]
    mixed.loc[:5, "town"] = "Kyiv"  # not known from training: goes where missing values go
    for frame in (FRAME, mixed):
        inputs = table(frame)
        model = wrap(native, like=inputs)
        trees = model.trees()
        assert any(tree.goes_left for tree in trees.trees)
        own = native.predict(frame[["age", "town", "dose"]])[:, None]
        np.testing.assert_allclose(model.scores(inputs.values), own, rtol=0, atol=1e-12)
        np.testing.assert_allclose(trees.scores(inputs.values), own, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_histogram_boosting_splits_categories_of_an_array_by_their_number(kind):
    rows = np.stack([FRAME["age"], 3.0 * TOWN + 2, FRAME["dose"], TOWN % 3], axis=1)
    rows[::9, 1], rows[::7, 0] = np.nan, np.nan
    y = np.digitize(Z, [-1, 1]) if kind is HistGradientBoostingClassifier else Z
    native = kind(categorical_features=[1, 3], **CATEGORIES).fit(rows, y)
    strange = rows[:6].copy()
    strange[:, 1] = [0.0, 3.0, 24.0, 99.0, -1.0, np.nan]
    model = wrap(native)
    for seen in (rows, strange):
        np.testing.assert_allclose(
            model.trees().scores(seen), model.scores(seen), rtol=0, atol=1e-12
        )


def test_categories_and_other_columns_keep_their_covers():
    native = HistGradientBoostingRegressor(categorical_features="from_dtype", **CATEGORIES)
    inputs = table(FRAME)
    for tree in wrap(native.fit(FRAME, Z), like=inputs).trees().trees:
        landed = np.bincount(tree.leaves(inputs.values), minlength=len(tree.left))
        leaf = tree.left < 0
        np.testing.assert_array_equal(tree.cover[leaf], landed[leaf])  # no row left out of training


def test_categories_that_are_no_codes_are_refused_with_the_reason():
    rows = np.stack([FRAME["age"], TOWN + 0.5], axis=1)
    native = HistGradientBoostingRegressor(categorical_features=[1], **CATEGORIES)
    model = wrap(native.fit(rows, Z))
    assert model.trees is None
    assert "must be whole numbers from 0" in model.notes[-1]
    assert "TreeSHAP is not offered" in model.notes[-1]


@pytest.mark.parametrize("kind", [HistGradientBoostingRegressor, RandomForestRegressor])
def test_labels_that_are_numbers_reach_thresholds_as_their_numbers(kind):
    frame = FRAME.assign(town=10.0 * TOWN)
    native = kind(**FEW).fit(frame, Z)
    inputs = table(frame.assign(town=pd.Categorical(frame["town"], 10.0 * np.arange(7, -1, -1))))
    model = wrap(native, like=inputs)
    np.testing.assert_allclose(
        model.trees().scores(inputs.values), native.predict(frame)[:, None], rtol=0, atol=1e-9
    )
