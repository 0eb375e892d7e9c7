"""Outliers, clusters, own estimators: who counts as a model is found by what it gives, not by its type."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.cluster import DBSCAN, Birch, KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, OneClassSVM

import workbench as wb
from workbench import data, methods
from workbench.errors import IncompatibleError, InputError, ModelError

RNG = np.random.default_rng(1)
N = 90
FRAME = pd.DataFrame({name: RNG.normal(size=N) for name in "abcd"})
SICK = (FRAME["a"] + FRAME["b"] > 0).astype(int)
ROWS = data.table(FRAME[:6], background=FRAME[20:24])

OUTLIERS = {
    "isolation forest": lambda: IsolationForest(n_estimators=20, random_state=0),
    "one-class machine": OneClassSVM,
    "envelope": lambda: EllipticEnvelope(random_state=0),
    "behind a step": lambda: make_pipeline(
        StandardScaler(), IsolationForest(n_estimators=20, random_state=0)
    ),
}


@pytest.mark.parametrize("name", OUTLIERS)
def test_an_outlier_detector_answers_with_the_score_that_its_verdict_rests_on(name):
    fitted = OUTLIERS[name]().fit(FRAME)
    model = wb.wrap(fitted, like=ROWS)
    assert (model.outputs, model.scale) == (("anomaly score",), "raw")
    np.testing.assert_array_equal(model.scores(ROWS.values)[:, 0], fitted.score_samples(FRAME[:6]))
    assert "the lower, the more unusual" in model.notes[0]
    result = wb.explain(model, ROWS[:1], methods.ExactShapley())
    np.testing.assert_allclose(result.gap, 0, atol=1e-12)  # float64
    with pytest.raises(InputError, match="is no classifier"):
        wb.wrap(fitted, like=ROWS, scale="probability")


def test_the_limit_in_the_note_is_where_the_verdict_changes():
    fitted = IsolationForest(n_estimators=20, random_state=0, contamination=0.2).fit(FRAME)
    model = wb.wrap(fitted, like=ROWS)
    inside = model.scores(FRAME.to_numpy())[:, 0] >= fitted.offset_
    np.testing.assert_array_equal(inside, fitted.predict(FRAME) == 1)
    assert f"(at {fitted.offset_:.4g})" in model.notes[0]


def test_a_local_outlier_factor_needs_novelty():
    array = FRAME.to_numpy(copy=True)
    fitted = LocalOutlierFactor(novelty=True).fit(array)
    found = wb.wrap(fitted, like=ROWS).scores(ROWS.values)
    np.testing.assert_array_equal(found[:, 0], fitted.score_samples(array[:6]))
    with pytest.raises(IncompatibleError, match="novelty=True"):
        wb.wrap(LocalOutlierFactor().fit(array), like=ROWS)


def test_an_isolation_forests_trees_are_no_sum_and_that_is_said():
    model = wb.wrap(IsolationForest(n_estimators=20, random_state=0).fit(FRAME), like=ROWS)
    assert "which is no sum over them" in model.absent["trees"]
    with pytest.raises(IncompatibleError, match="mean depth"):
        wb.explain(model, ROWS, methods.TreeSHAP())


@pytest.mark.parametrize(
    "make", [lambda: KMeans(3, n_init=1, random_state=0), lambda: Birch(n_clusters=3)]
)
def test_clusters_answer_with_the_distance_to_each_of_them(make):
    fitted = make().fit(FRAME)
    model = wb.wrap(fitted, like=ROWS)
    np.testing.assert_array_equal(model.scores(ROWS.values), fitted.transform(FRAME[:6]))
    assert model.outputs[:2] == ("distance to cluster 0", "distance to cluster 1")


def test_mixtures_and_densities_answer_in_their_own_unit():
    mixture, density = GaussianMixture(2, random_state=0).fit(FRAME), KernelDensity().fit(FRAME)
    model = wb.wrap(mixture, like=ROWS)
    assert (model.outputs, model.scale) == (("component 0", "component 1"), "probability")
    np.testing.assert_array_equal(model.scores(ROWS.values), mixture.predict_proba(FRAME[:6]))
    found = wb.wrap(density, like=ROWS)
    assert (found.outputs, found.scale) == (("log density",), "raw")
    np.testing.assert_array_equal(found.scores(ROWS.values)[:, 0], density.score_samples(FRAME[:6]))


@pytest.mark.parametrize(
    ("native", "why"),
    [
        (DBSCAN().fit(FRAME), "gives the numbers of its clusters"),
        (PCA().fit(FRAME), "gives changed columns alone"),
        (make_pipeline(StandardScaler(), PCA()).fit(FRAME), "gives changed columns alone"),
        (make_pipeline(StandardScaler()).fit(FRAME), "gives changed columns alone"),
    ],
)
def test_what_gives_no_scores_is_refused_in_a_sentence(native, why):
    with pytest.raises(IncompatibleError, match=why):
        wb.wrap(native, like=ROWS)


class OldOrder(BaseEstimator, ClassifierMixin):
    def fit(self, rows, labels):
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, rows):
        p = 1 / (1 + np.exp(-np.asarray(rows, dtype=float)[:, 0]))
        return np.c_[1 - p, p]


class OldRegressor(BaseEstimator, RegressorMixin):
    def fit(self, rows, values):
        return self

    def predict(self, rows):
        return np.asarray(rows, dtype=float)[:, 0] * 2


class NoMixin(BaseEstimator):
    predict = OldRegressor.predict


class Blend(ClassifierMixin, BaseEstimator):
    """A blend that keeps no attribute with an underscore at its end."""

    def __init__(self, models=()):
        self.models = models

    def fit(self, rows, labels):
        self.fitted = [model.fit(rows, labels) for model in self.models]
        return self

    def predict_proba(self, rows):
        return np.mean([model.predict_proba(rows) for model in self.fitted], axis=0)


@pytest.mark.parametrize("cells", [lambda frame: frame, lambda frame: np.ascontiguousarray(frame)])
def test_an_estimator_of_ones_own_needs_no_tags_and_no_underscores(cells):
    given = cells(FRAME)
    old = OldOrder().fit(given, SICK)
    blend = Blend([LogisticRegression(), RandomForestClassifier(4, random_state=0)]).fit(
        given, SICK
    )
    for fitted in (old, blend):
        model = wb.wrap(fitted, like=ROWS)
        assert model.scale == "probability"
        # 1e-12: BLAS adds a frame's columns in another order than an array's.
        own = fitted.predict_proba(cells(FRAME[:6]))
        np.testing.assert_allclose(model.scores(ROWS.values), own, rtol=1e-12)
    for native in (OldRegressor().fit(given, SICK), NoMixin()):
        model = wb.wrap(native, like=ROWS)
        assert (model.scale, model.outputs) == ("raw", ("prediction",))
        np.testing.assert_array_equal(model.scores(ROWS.values)[:, 0], 2 * FRAME["a"][:6])


def test_what_was_not_fitted_is_refused():
    with pytest.raises(InputError, match="Call fit first"):
        wb.wrap(IsolationForest(), like=ROWS)
    with pytest.raises(ModelError, match="no attribute 'fitted'"):
        wb.wrap(Blend([LogisticRegression()]), like=ROWS)


def test_dummies_several_questions_and_machines_without_probabilities():
    constant = DummyClassifier().fit(FRAME, SICK)
    np.testing.assert_array_equal(
        wb.wrap(constant, like=ROWS).scores(ROWS.values), constant.predict_proba(FRAME[:6])
    )
    several = MultiOutputClassifier(LogisticRegression()).fit(FRAME, np.c_[SICK, FRAME["c"] > 0])
    np.testing.assert_array_equal(
        wb.wrap(several, like=ROWS).scores(ROWS.values),
        np.concatenate(several.predict_proba(FRAME[:6]), axis=1),
    )
    with pytest.raises(IncompatibleError, match="needs predict_proba"):
        wb.wrap(SVC().fit(FRAME, SICK), like=ROWS, scale="probability")
