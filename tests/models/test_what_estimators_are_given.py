"""Who gets a frame and who an array is found by trying: the library's own scores, or a sentence."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

import workbench as wb
from workbench import data, ensembles, methods
from workbench.errors import InputError, ModelError

RNG = np.random.default_rng(0)
N = 120
KINDS = ("low", "mid", "high")
FRAME = pd.DataFrame(
    {
        "count": RNG.integers(0, 4, N),
        "visits": pd.array(RNG.integers(0, 4, N), dtype="Int64"),
        "smokes": pd.array(RNG.random(N) > 0.5, dtype="boolean"),
        "risk": pd.Categorical(RNG.choice(KINDS, N), categories=KINDS, ordered=True),
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 700, N), unit="D"),
        "band": pd.cut(RNG.random(N), [0, 0.3, 0.6, 1]),
        "dose": RNG.normal(size=N).astype("float32"),
    }
)
FRAME.loc[0, "when"] = pd.NaT
FRAME.loc[1, "visits"] = pd.NA
FRAME.loc[2, "smokes"] = pd.NA
SICK = ((FRAME["count"] == 2) ^ (FRAME["dose"] > 0)).astype(int)


class Features(TransformerMixin, BaseEstimator):
    """A user's own first step: it reads types that only the frame has, and keeps no names."""

    def fit(self, frame, _=None):
        return self

    def transform(self, frame):
        return np.c_[
            frame["count"] & 1,
            frame["visits"].fillna(9).astype(float),
            frame["smokes"].fillna(False).astype(float),
            frame["risk"] >= "mid",
            frame["when"].dt.month.fillna(0),
            frame["band"].cat.codes,
            frame["count"].astype(str).eq("2"),
            frame["dose"],
        ].astype(float)


def forest():
    return RandomForestClassifier(5, random_state=0)


def typed():
    return make_pipeline(Features(), forest())


INSIDE = {
    "a first step of one's own": typed,
    "a function as first step": lambda: make_pipeline(
        FunctionTransformer(Features().transform), forest()
    ),
    "calibrated": lambda: CalibratedClassifierCV(typed(), cv=2),
    "with a tuned threshold": lambda: TunedThresholdClassifierCV(typed(), cv=2),
    "voting": lambda: VotingClassifier([("one", typed())], voting="soft"),
    "stacked": lambda: StackingClassifier([("one", typed())], cv=2),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_frames_types_reach_the_step_that_reads_them(name):
    fitted = INSIDE[name]().fit(FRAME, SICK)
    rows = data.table(FRAME[:9], background=FRAME[20:23])
    model = wb.wrap(fitted, like=rows)
    np.testing.assert_array_equal(model.scores(rows.values), fitted.predict_proba(FRAME[:9]))
    result = wb.explain(model, rows[:1], methods.ExactShapley(), wb.Target(1))
    ends = fitted.predict_proba(FRAME[:1])[0, 1], fitted.predict_proba(FRAME[20:23])[:, 1].mean()
    np.testing.assert_allclose([result.output[0], result.base[0]], ends, rtol=1e-12)
    np.testing.assert_allclose(result.gap, 0, atol=1e-12)  # float64


def test_a_transformed_target_gets_the_frame_too():
    fitted = TransformedTargetRegressor(
        make_pipeline(Features(), RandomForestRegressor(5, random_state=0)),
        transformer=StandardScaler(),
    ).fit(FRAME, FRAME["dose"].astype(float))
    rows = data.table(FRAME[:9])
    found = wb.wrap(fitted, like=rows).scores(rows.values)
    np.testing.assert_array_equal(found[:, 0], fitted.predict(FRAME[:9]))


ADULT = pd.DataFrame(
    {0: RNG.normal(size=N), 1: RNG.choice(["Rome", "Oslo"], N), 2: RNG.choice(["a", "b"], N)}
)


@pytest.mark.parametrize("encoder", [OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder()])
@pytest.mark.parametrize("cells", [lambda frame: frame, lambda frame: frame.to_numpy(object)])
def test_columns_called_by_numbers_keep_these_names_and_an_array_of_objects_its_labels(
    encoder, cells
):
    fitted = make_pipeline(
        make_column_transformer((encoder, [1, 2]), remainder="passthrough"), LogisticRegression()
    ).fit(cells(ADULT), SICK)
    rows = data.table(ADULT[:6])
    found = wb.wrap(fitted, like=rows).scores(rows.values)
    np.testing.assert_array_equal(found, fitted.predict_proba(cells(ADULT[:6])))


def test_a_step_that_reads_texts_gets_the_one_column():
    texts = pd.Series([" ".join(RNG.choice(["good", "bad", "late", "fast"], 3)) for _ in range(N)])
    fitted = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, SICK)
    rows = data.table(texts.to_frame("text")[:6])
    found = wb.wrap(fitted, like=rows).scores(rows.values)
    np.testing.assert_array_equal(found, fitted.predict_proba(texts[:6]))


class Lenient(TransformerMixin, BaseEstimator):
    """Reads a frame by name and an array by position: both work, and say different things."""

    def fit(self, rows, _=None):
        return self

    def transform(self, rows):
        if isinstance(rows, pd.DataFrame):
            return rows[["dose", "age"]].to_numpy()
        return np.asarray(rows)


def test_a_step_that_takes_both_and_answers_differently_must_be_told_which():
    frame = pd.DataFrame({"age": RNG.normal(size=N), "dose": RNG.normal(size=N)})
    rows = data.table(frame[:5])
    fitted = make_pipeline(Lenient(), LogisticRegression()).fit(frame, frame["dose"] > 0)
    with pytest.raises(InputError, match=r"scores differ.*frames=True.*frames=False"):
        wb.wrap(fitted, like=rows)
    own = wb.wrap(fitted, like=rows, frames=True).scores(rows.values)
    np.testing.assert_array_equal(own, fitted.predict_proba(frame[:5]))
    other = wb.wrap(fitted, like=rows, frames=False).scores(rows.values)
    np.testing.assert_array_equal(other, fitted.predict_proba(frame[:5].to_numpy(copy=True)))


GRADES = pd.DataFrame(
    {"grade": pd.Categorical(RNG.choice([1, 2, 5, 9], N)), "dose": RNG.normal(size=N)}
)
LABELS = GRADES.astype(float).to_numpy()
CODES = np.c_[GRADES["grade"].cat.codes, GRADES["dose"]]
ON_ARRAYS = {
    "forest": (forest, "predict_proba"),
    "regression": (LogisticRegression, "predict_proba"),
    "sets": (
        lambda: HistGradientBoostingClassifier(categorical_features=[0], max_iter=5),
        "decision_function",
    ),
}


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_labels_that_are_numbers_are_refused_until_it_is_said_what_the_array_held(name):
    make, ask = ON_ARRAYS[name]
    rows = data.table(GRADES[:8], background=GRADES[20:30])
    for fitted_on in (LABELS, CODES):
        with pytest.raises(
            InputError, match=r"it cannot be told which of the two it reads.*frames=False"
        ):
            wb.wrap(make().fit(fitted_on, SICK), like=rows)
    fitted = make().fit(LABELS, SICK)
    model = wb.wrap(fitted, like=rows, frames=False)
    own = getattr(fitted, ask)(LABELS[:8])
    np.testing.assert_array_equal(model.scores(rows.values), own.reshape(8, -1))
    assert "reach the model as these numbers" in model.notes[0]
    if model.trees is not None:
        target = wb.Target(len(model.outputs) - 1)
        trees = wb.explain(model, rows, methods.TreeSHAP(), target)
        exact = wb.explain(model, rows, methods.ExactShapley(), target)
        np.testing.assert_allclose(trees.values, exact.values, atol=1e-12)  # float64


@pytest.mark.parametrize("make", [forest, LogisticRegression])
def test_text_never_reaches_a_model_of_numbers_as_positions_unless_that_is_said(make):
    frame = pd.DataFrame(
        {"city": RNG.choice(["Rome", "Oslo", "Bonn"], N), "dose": RNG.normal(size=N)}
    )
    rows = data.table(frame)
    fitted = make().fit(rows.values, SICK)
    with pytest.raises(ModelError, match=r"columns \['city'\] hold labels.*frames=False"):
        wb.wrap(fitted, like=rows)
    said = wb.wrap(fitted, like=rows, frames=False)
    np.testing.assert_array_equal(said.scores(rows.values), fitted.predict_proba(rows.values))
    assert "positions in ['Bonn', 'Oslo', 'Rome']" in said.notes[0]


def test_a_copy_is_given_what_its_model_was_given():
    from workbench import variants

    rows = data.table(GRADES[:8], background=GRADES[20:30])
    model = wb.wrap(forest().fit(LABELS, SICK), like=rows, frames=False)
    fewer = variants.fewer_trees(model, 0.6)
    kept = model.native.estimators_[:3]
    own = np.mean([tree.predict_proba(LABELS[:8].astype(np.float32)) for tree in kept], axis=0)
    np.testing.assert_allclose(
        fewer.scores(rows.values), own, rtol=1e-12
    )  # a mean in another order


def test_trees_of_a_forest_that_was_fitted_on_labels_get_labels():
    rows = data.table(GRADES[:8], background=GRADES[20:30])
    fitted = forest().fit(LABELS, SICK)
    model = wb.wrap(fitted, like=rows, frames=False)
    members = ensembles.unpack(model, like=rows)
    np.testing.assert_allclose(
        members.scores(rows.values), fitted.predict_proba(LABELS[:8]), rtol=1e-12
    )
    first = members.combination.members[0].scores(rows.values)
    np.testing.assert_array_equal(first, fitted.estimators_[0].predict_proba(LABELS[:8]))


def test_members_of_an_ensemble_get_dates_and_labels_as_the_ensemble_does():
    pieces = [
        ("one", typed()),
        ("two", make_pipeline(Features(), LogisticRegression(max_iter=999))),
    ]
    fitted = VotingClassifier(pieces, voting="soft").fit(FRAME, SICK)
    rows = data.table(FRAME[:9], background=FRAME[20:23])
    model = ensembles.unpack(fitted, like=rows)
    assert [column.dtype for column in model.columns] == [column.dtype for column in rows.columns]
    np.testing.assert_allclose(
        model.scores(rows.values), fitted.predict_proba(FRAME[:9]), rtol=1e-12
    )
    result = wb.explain(model, rows[:1], methods.ExactShapley(), wb.Target(1))
    np.testing.assert_allclose(result.gap, 0, atol=1e-12)  # float64


def test_members_that_read_dates_and_numbers_in_one_column_make_no_ensemble():
    dated = data.table(FRAME[["when", "dose"]][:9])
    number = data.table(FRAME[["when", "dose"]].assign(when=1.0)[:9])

    def month(frame):
        return pd.to_datetime(frame["when"]).dt.month.fillna(0)

    one = wb.wrap(month, like=dated, frames=True, outputs=["s"], scale="raw", name="one")
    two = wb.wrap(month, like=number, frames=True, outputs=["s"], scale="raw", name="two")
    with pytest.raises(
        InputError, match="in column 'when' member 'one' reads dates and member 'two' plain"
    ):
        ensembles.vote([one, two])


class KeepsNames(Lenient):
    """Hands a frame on as a frame, so that the model behind it keeps names."""

    def transform(self, rows):
        return rows[["dose", "age"]] if isinstance(rows, pd.DataFrame) else np.asarray(rows)


@pytest.mark.parametrize("cells", [lambda frame: frame, lambda frame: frame.to_numpy(copy=True)])
def test_a_step_behind_that_keeps_names_or_none_shows_what_the_fit_was_given(cells):
    frame = pd.DataFrame({"age": RNG.normal(size=N), "dose": RNG.normal(size=N)})
    fitted = make_pipeline(KeepsNames(), forest()).fit(cells(frame), frame["dose"] > 0)
    rows = data.table(frame[:5])
    found = wb.wrap(fitted, like=rows).scores(rows.values)
    np.testing.assert_array_equal(found, fitted.predict_proba(cells(frame[:5])))
