"""Rows behind a Pipeline's preprocessing, and who is one player there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)

from workbench import data
from workbench.errors import IncompatibleError, InputError


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 40
    return pd.DataFrame(
        {
            "age": rng.normal(50, 10, n),
            "a": rng.choice(["x", "b_c"], n),
            "a_b": rng.choice(["c", "d", "e"], n),  # a=b_c and a_b=c make the same one-hot name
            "owner": rng.random(n) < 0.5,
            "dose": rng.normal(0, 1, n),
        }
    )


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(40) % 2


def fitted(frame, labels, *steps):
    return make_pipeline(*steps, Ridge()).fit(frame, labels)


def test_one_hot_columns_are_one_player_and_others_stay_alone(frame, labels):
    steps = ColumnTransformer(
        [
            ("labels", OneHotEncoder(), ["a_b", "a"]),
            ("scaled", StandardScaler(), ["dose"]),
        ],
        remainder="passthrough",
    )
    pipeline = fitted(frame, labels, steps)
    rows = data.transformed(pipeline, data.table(frame))
    players, names = rows.players()
    assert names == ("a_b", "a", "scaled__dose", "remainder__age", "remainder__owner")
    assert players.tolist() == [0, 0, 0, 1, 1, 2, 3, 4]
    np.testing.assert_array_equal(rows.values, np.asarray(steps.transform(frame), dtype=float))
    np.testing.assert_allclose(
        pipeline[-1].predict(rows.values), pipeline.predict(frame), rtol=1e-12
    )  # the same numbers through the same last step


def test_the_background_goes_through_the_same_steps(frame, labels):
    pipeline = fitted(
        frame, labels, ColumnTransformer([("l", OneHotEncoder(), ["a"])], remainder="drop")
    )
    rows = data.table(frame, background=frame[5:8])
    np.testing.assert_array_equal(
        data.transformed(pipeline, rows).background, data.transformed(pipeline, rows).values[5:8]
    )


def test_names_that_collide_do_not_confuse_whose_column_is_whose(frame, labels):
    encoder = OneHotEncoder(drop="if_binary", min_frequency=2)
    steps = ColumnTransformer(
        [("l", make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), ["a", "a_b"])]
    )
    rows = data.transformed(fitted(frame, labels, steps), data.table(frame))
    assert dict(rows.groups) == {"a_b": (1, 2, 3)}  # two labels of "a" with one dropped: one column


def test_blocks_are_taken_in_the_order_they_are_laid_out(frame, labels):
    steps = ColumnTransformer(
        [
            ("kept", "passthrough", [4]),
            ("gone", "drop", [0]),
            ("none", StandardScaler(), []),
            (
                "labels",
                OneHotEncoder(sparse_output=True),
                make_column_selector(dtype_exclude="number"),
            ),
        ],
        sparse_threshold=1.0,
    )
    pipeline = fitted(frame, labels, steps)
    assert sparse.issparse(pipeline[:-1].transform(frame))
    rows = data.transformed(pipeline, data.table(frame))
    assert rows.players()[1] == ("kept__dose", "a", "a_b", "owner")


@pytest.mark.parametrize(
    "columns",
    [slice("a", "a_b"), slice(1, 3), [False, True, True, False, False], [-4, -3], np.array([1, 2])],
    ids=["slice of names", "slice of positions", "mask", "from the end", "array"],
)
def test_columns_may_be_chosen_in_every_way_scikit_learn_allows(frame, labels, columns):
    pipeline = fitted(frame, labels, ColumnTransformer([("l", OneHotEncoder(), columns)]))
    rows = data.transformed(pipeline, data.table(frame))
    assert {name: len(members) for name, members in rows.groups.items()} == {"a": 2, "a_b": 3}


def test_a_column_made_from_several_stays_on_its_own(frame, labels):
    numbers = FeatureUnion([("main", PCA(1)), ("spline", SplineTransformer(3, degree=1))])
    steps = ColumnTransformer(
        [
            ("n", numbers, ["age", "dose"]),
            ("p", PolynomialFeatures(2, include_bias=False), ["age", "dose"]),
        ]
    )
    rows = data.transformed(fitted(frame, labels, steps), data.table(frame))
    # age: 3 splines, itself and its square; age x dose and the principal component belong to both.
    assert {name: len(members) for name, members in rows.groups.items()} == {"age": 5, "dose": 5}
    assert len(rows.players()[1]) == 4


def test_words_of_a_text_column_are_one_player(labels):
    frame = pd.DataFrame({"note": ["a red cat", "a dog"] * 20, "age": np.arange(40.0)})
    steps = ColumnTransformer([("w", CountVectorizer(), "note"), ("k", "passthrough", ["age"])])
    rows = data.transformed(fitted(frame, labels, steps), data.table(frame))
    assert dict(rows.groups) == {"note": (0, 1, 2)}


def test_selection_after_encoding_keeps_the_players(frame, labels):
    steps = ColumnTransformer([("l", OneHotEncoder(), ["a", "a_b"]), ("n", "passthrough", ["age"])])
    pipeline = fitted(frame, labels, steps, SelectKBest(k=5))
    rows = data.transformed(pipeline, data.table(frame))
    kept = pipeline[1].get_support()
    owners = np.array(["a", "a", "a_b", "a_b", "a_b", "n__age"])[kept]
    players, names = rows.players()
    grouped = [name if name in ("a", "a_b") else None for name in np.array(names)[players]]
    for owner, name in zip(owners, grouped, strict=True):
        assert name in (owner, None)


def test_a_group_of_raw_columns_stays_one_player(frame, labels):
    steps = ColumnTransformer([("l", OneHotEncoder(), ["a", "a_b"]), ("n", "passthrough", ["age"])])
    raw = data.table(frame, groups={"letters": ("a", "a_b")})
    rows = data.transformed(fitted(frame, labels, steps), raw)
    assert dict(rows.groups) == {"letters": (0, 1, 2, 3, 4)}


def test_output_as_pandas_frames_is_read_too(frame, labels):
    steps = ColumnTransformer([("n", StandardScaler(), ["age", "dose"])]).set_output(
        transform="pandas"
    )
    assert data.transformed(fitted(frame, labels, steps), data.table(frame)).values.shape == (40, 2)


def test_what_cannot_be_transformed_gets_a_sentence(frame, labels):
    rows = data.table(frame)
    with pytest.raises(IncompatibleError, match="Ridge"):
        data.transformed(Ridge(), rows)
    with pytest.raises(IncompatibleError, match="with 1 step"):
        data.transformed(Pipeline([("m", Ridge())]), rows)
    with pytest.raises(InputError, match="not fitted"):
        data.transformed(make_pipeline(StandardScaler(), Ridge()), rows)
    steps = ColumnTransformer([("n", StandardScaler(), ["age", "dose"])])
    with pytest.raises(InputError, match="dose"):
        data.transformed(fitted(frame, labels, steps), data.table(frame[["age", "a"]]))
    nameless = FunctionTransformer(lambda table: np.ones((len(table), 1)))
    with pytest.raises(InputError, match="get_feature_names_out"):
        data.transformed(fitted(frame, labels, nameless), rows)


def test_the_pipeline_is_left_as_it_was(frame, labels):
    steps = ColumnTransformer([("l", OneHotEncoder(), ["a", "a_b"])])
    pipeline = fitted(frame, labels, steps)
    encoder = pipeline[0].named_transformers_["l"]
    data.transformed(pipeline, data.table(frame))
    assert encoder.feature_names_in_.tolist() == ["a", "a_b"]
