"""Every awkward frame × every way a model may read it: the model's own scores bit by bit, or a sentence.

And shuffled frames, which mean the same and look otherwise: equal, or refused.
"""

import numpy as np
import pandas as pd
import polars
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import workbench as wb
from workbench import data
from workbench.errors import IncompatibleError, InputError, ModelError

# The fit and the model's own scores say so; there is nothing to do about it.
pytestmark = pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns")
REFUSED = (InputError, IncompatibleError, ModelError)
RNG = np.random.default_rng(4)
N = 60
NUMBER = RNG.normal(size=N)
TOWNS = ("Rome", "Oslo", "Bonn")
TOWN = RNG.choice(TOWNS, N)
GRADE = RNG.choice([1, 2, 5, 9], N)
Y = NUMBER + 2 * (TOWN == "Oslo") + GRADE


def beside(column):
    return pd.DataFrame({"x": NUMBER, "it": column})


FRAMES = {
    "missing": beside(np.where(RNG.random(N) < 0.2, np.nan, GRADE)),
    "text": beside(TOWN),
    "text and None": beside(pd.Series(np.where(TOWN == "Bonn", None, TOWN), dtype=object)),
    "categories": beside(pd.Categorical(TOWN, categories=TOWNS)),
    "ordered": beside(pd.Categorical(TOWN, categories=TOWNS, ordered=True)),
    "grades": beside(pd.Categorical(GRADE)),
    "grades backwards": beside(pd.Categorical(GRADE, categories=[9, 5, 2, 1])),
    "whole": beside(GRADE),
    "whole, nullable": beside(pd.array(np.where(GRADE == 9, None, GRADE), dtype="Int64")),
    "boolean": beside(GRADE > 2),
    "boolean, nullable": beside(pd.array(np.where(GRADE == 9, None, GRADE > 2), dtype="boolean")),
    "dates": beside(pd.Timestamp("2024-01-31") + pd.to_timedelta(30 * GRADE, unit="D")),
    "spans": beside(pd.to_timedelta(GRADE, unit="h")),
    "intervals": beside(pd.cut(GRADE, [0, 1, 4, 10])),
    "labels twice": beside(pd.Series(GRADE > 2).map({True: 1.0, False: 0.0}).astype("category")),
    "single": beside(GRADE.astype("float32")),
    "numbers for names": beside(GRADE).set_axis([0, 1], axis=1),
    "sparse": beside(pd.arrays.SparseArray(GRADE.astype(float), fill_value=0.0)),
}


def as_text(frame):
    """A score that shows every type: two frames that print alike have the same one."""
    cells = frame.iloc[:, 1].astype(str)
    return (
        np.array([sum(map(ord, cell)) for cell in cells], dtype=float) + frame.iloc[:, 0].to_numpy()
    )


class ReadsText(BaseEstimator):
    def predict(self, frame):
        return as_text(frame)


class Predictor:
    """No estimator of scikit-learn: an object with predict."""

    def predict(self, frame):
        return as_text(frame)


def text_pipeline(frame):
    steps = FunctionTransformer(lambda given: np.c_[as_text(given), given.iloc[:, 0]])
    return make_pipeline(steps, Ridge()).fit(frame, Y)


def one_hot(frame):
    numbers, others = list(frame.columns[:1]), list(frame.columns[1:])
    steps = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), others), ("passthrough", numbers)
    )
    return make_pipeline(steps, RandomForestRegressor(4, random_state=0)).fit(frame, Y)


def forest(frame):
    return RandomForestRegressor(4, random_state=0).fit(frame, Y)


def histograms(frame):
    return HistGradientBoostingRegressor(
        max_iter=5, min_samples_leaf=3, categorical_features="from_dtype"
    ).fit(frame, Y)


def on_array(frame):
    return RandomForestRegressor(4, random_state=0).fit(frame.to_numpy(), Y)


def on_codes(frame):
    if not isinstance(frame.dtypes.iloc[1], pd.CategoricalDtype):
        raise TypeError("no positions")
    return RandomForestRegressor(4, random_state=0).fit(np.c_[frame.iloc[:, 0], codes_of(frame)], Y)


def codes_of(frame):
    return frame.iloc[:, 1].cat.codes


ONE = {"outputs": ["s"], "scale": "raw"}
READERS = {  # how it is fitted, its own scores of a frame, and what wrap is told
    "own estimator": (lambda frame: ReadsText(), lambda own, frame: own.predict(frame), {}),
    "step that reads text": (text_pipeline, lambda own, frame: own.predict(frame), {}),
    "one-hot Pipeline": (one_hot, lambda own, frame: own.predict(frame), {}),
    "forest": (forest, lambda own, frame: own.predict(frame), {}),
    "histograms": (histograms, lambda own, frame: own.predict(frame), {}),
    "forest of an array": (on_array, lambda own, frame: own.predict(frame.to_numpy()), {}),
    "forest of positions": (on_codes, None, {}),
    "function of frames": (
        lambda frame: as_text,
        lambda own, frame: own(frame),
        {**ONE, "frames": True},
    ),
    "function": (lambda frame: as_text, lambda own, frame: own(frame), ONE),
    "predict object": (lambda frame: Predictor(), lambda own, frame: own.predict(frame), ONE),
}


def fitted_on(make, frame):
    """The object, or None where its own library refuses such a frame in the fit."""
    try:
        return make(frame)
    except (TypeError, ValueError):
        return None


def own_scores(ask, native, frame):
    try:
        return np.asarray(ask(native, frame), dtype=float)
    except (TypeError, ValueError):
        return None


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", FRAMES)
def test_scores_of_an_awkward_frame_are_the_models_own_or_a_sentence(name, reader):
    make, ask, words = READERS[reader]
    frame = FRAMES[name]
    native = fitted_on(make, frame)
    if native is None:
        return  # there is no such model
    rows = data.table(frame[:7])
    try:
        found = wb.wrap(native, like=rows, **words).scores(rows.values)[:, 0]
    except REFUSED:
        assert reader in ALLOWED_TO_REFUSE or own_scores(ask, native, frame[:7]) is None
        return
    if ask is None:  # fitted on positions: right only where these are those of the fit
        given = np.c_[frame.iloc[:, 0], codes_of(frame)][:7]
        np.testing.assert_array_equal(found, native.predict(given))
        return
    np.testing.assert_array_equal(found, own_scores(ask, native, frame[:7]))


# What such a model was fitted on cannot be told from its rows: a frame, its cells or its positions.
ALLOWED_TO_REFUSE = ("forest of positions", "forest of an array", "function", "predict object")


def in_another_order(frame):
    if not isinstance(frame.columns[0], str):
        return frame  # a model keeps no such names
    return frame[list(frame.columns[::-1])]


def with_other_categories(frame):
    changed = frame.copy()
    labels = frame.iloc[:, 1]
    if isinstance(labels.dtype, pd.CategoricalDtype):
        changed.isetitem(1, labels.cat.reorder_categories(list(labels.cat.categories[::-1])))
    return changed


def with_more_categories(frame):
    changed = frame.copy()
    labels = frame.iloc[:, 1]
    if isinstance(labels.dtype, pd.CategoricalDtype) and not hasattr(labels.cat.categories, "left"):
        more = [-1] if labels.cat.categories.dtype.kind in "if" else ["Aix"]
        changed.isetitem(1, labels.cat.set_categories([*more, *labels.cat.categories]))
    return changed


def through_polars(frame):
    if any(not isinstance(name, str) for name in frame.columns):
        return frame
    kind = frame.dtypes.iloc[1]
    if str(kind) not in ("int64", "float64", "bool", "str", "float32"):
        return frame
    return polars.DataFrame({name: frame[name].to_list() for name in frame.columns})


DISGUISES = [in_another_order, with_other_categories, with_more_categories, through_polars]
NAMED = ("one-hot Pipeline", "forest", "histograms")


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("reader", NAMED)
@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_in_disguise_has_the_same_scores_or_is_refused(name, reader, disguise):
    make, ask, words = READERS[reader]
    frame = FRAMES[name]
    native = fitted_on(make, frame)
    if native is None:
        return
    other = data.table(disguise(frame[:7]))
    try:
        found = wb.wrap(native, like=other, **words).scores(other.values)[:, 0]
    except REFUSED:
        return
    np.testing.assert_array_equal(found, own_scores(ask, native, frame[:7]))


@pytest.mark.parametrize("name", ["categories", "grades", "ordered", "grades backwards"])
@pytest.mark.parametrize("reader", ["forest of positions", "forest of an array"])
def test_positions_in_another_order_never_reach_a_model_in_silence(name, reader):
    make, _, _ = READERS[reader]
    native = fitted_on(make, FRAMES[name])
    if native is None:
        return
    for disguise in (lambda frame: frame, with_other_categories, with_more_categories):
        rows = data.table(disguise(FRAMES[name]))
        with pytest.raises(REFUSED):
            wb.wrap(native, like=rows)


@pytest.mark.parametrize("name", ["grades", "grades backwards"])
def test_a_network_and_a_function_of_arrays_are_not_given_positions_of_numbers_in_silence(name):
    rows = data.table(FRAMES[name])
    for native, words in ((torch.nn.Linear(2, 1), {}), (lambda cells: cells[:, 1] * 10, ONE)):
        with pytest.raises(InputError, match="it cannot be told which of the two it reads"):
            wb.wrap(native, like=rows, **words)


def test_one_row_as_a_series_is_the_row_of_its_frame():
    frame = FRAMES["categories"]
    native = one_hot(frame)
    rows = data.table(frame)
    row = data.table(frame.iloc[3], like=rows)
    found = wb.wrap(native, like=rows).scores(row.values)[:, 0]
    np.testing.assert_array_equal(found, native.predict(frame[3:4]))
