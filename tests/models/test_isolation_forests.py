"""The trees of an isolation forest add up to the length of a row's path, which can be asked for."""

import numpy as np
import pandas as pd
import pytest
import shap
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import workbench as wb
from tests.every_coalition import absent_from_background, shapley
from workbench import data, methods, variants
from workbench.errors import IncompatibleError

RNG = np.random.default_rng(4)
FRAME = pd.DataFrame({name: RNG.normal(size=160) for name in "abcd"})
ROWS = data.table(FRAME[:5], background=FRAME[40:52])
PATHS = ["mean path length"]


def forest(**given):
    return IsolationForest(n_estimators=12, random_state=0, **given)


def length(fitted, frame):
    """Path lengths from scikit-learn's own trees, one row and one tree at a time."""
    array = frame.to_numpy(np.float32)

    def below(n):
        if n <= 2:
            return float(n == 2)
        return 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n

    found = np.zeros(len(array))
    for member, columns in zip(fitted.estimators_, fitted.estimators_features_, strict=True):
        seen = np.ascontiguousarray(array[:, columns])
        leaves = member.tree_.apply(seen)
        splits = np.asarray(member.tree_.decision_path(seen).sum(axis=1)).ravel() - 1
        found += splits + [below(n) for n in member.tree_.n_node_samples[leaves]]
    return found / len(fitted.estimators_)


FORESTS = {
    "all columns": {},
    "half the columns": {"max_features": 0.5},
    "few rows": {"max_samples": 7, "bootstrap": True},
    "one row": {"max_samples": 1},
    "two rows": {"max_samples": 2, "contamination": 0.1},
}


@pytest.mark.parametrize("kind", FORESTS)
def test_the_path_length_and_its_credit_are_those_of_the_forests_own_trees(kind):
    fitted = forest(**FORESTS[kind]).fit(FRAME)
    model = wb.wrap(fitted, outputs=PATHS, like=ROWS)
    assert (model.outputs, model.scale) == (("mean path length",), "raw")
    assert model.unit == "mean path length in splits"
    # float64 sums, through a logarithm
    np.testing.assert_allclose(
        model.scores(ROWS.values)[:, 0], length(fitted, FRAME[:5]), atol=1e-12
    )
    result = wb.explain(model, ROWS, methods.TreeSHAP())
    for row in range(5):

        def score(cells):
            return length(fitted, pd.DataFrame(cells))

        cells = FRAME.to_numpy()
        worth = absent_from_background(score, cells[row], cells[40:52])
        np.testing.assert_allclose(result.values[row], shapley(worth)[:, 0], atol=1e-12)  # float64
    np.testing.assert_allclose(result.gap, 0, atol=1e-12)


@pytest.mark.parametrize("kind", ["all columns", "half the columns"])
def test_shap_gives_the_same_credit(kind):
    fitted = forest(**FORESTS[kind]).fit(FRAME.to_numpy())
    like = data.table(FRAME[:5], background=FRAME[40:52])
    model = wb.wrap(fitted, outputs=PATHS, like=like)
    own = wb.explain(model, like, methods.TreeSHAP(feature_perturbation="tree_path_dependent"))
    peer = shap.TreeExplainer(fitted).shap_values(FRAME[:5].to_numpy())
    np.testing.assert_allclose(own.values, peer, atol=1e-5)  # shap adds in single precision


def test_missing_values_take_their_side_of_each_split():
    holes = FRAME.mask(RNG.random(FRAME.shape) < 0.15)
    fitted = forest().fit(holes)
    rows = data.table(holes[:5], background=holes[40:52])
    model = wb.wrap(fitted, outputs=PATHS, like=rows)
    result = wb.explain(model, rows, methods.TreeSHAP())
    wanted = wb.explain(model, rows, methods.ExactShapley())
    np.testing.assert_allclose(result.values, wanted.values, atol=1e-12)  # float64


def test_behind_steps_the_view_shows_the_trees():
    fitted = make_pipeline(StandardScaler(), forest(max_features=3)).fit(FRAME)
    model = wb.wrap(fitted, outputs=PATHS, like=ROWS)
    assert "transformed_view" in model.absent["trees"]
    seen = pd.DataFrame(fitted[0].transform(FRAME[:5]))
    np.testing.assert_allclose(
        model.scores(ROWS.values)[:, 0], length(fitted[-1], seen), atol=1e-12
    )
    view, rows = variants.transformed_view(model, ROWS)
    assert view.unit == model.unit
    wanted = wb.explain(model, ROWS, methods.ExactShapley())
    found = wb.explain(view, rows, methods.TreeSHAP())
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-12)  # float64


def test_the_anomaly_score_has_no_trees_and_says_what_has():
    model = wb.wrap(forest().fit(FRAME), like=ROWS)
    with pytest.raises(IncompatibleError, match=r"outputs=\['mean path length'\]"):
        wb.explain(model, ROWS, methods.TreeSHAP())


def test_both_scores_of_one_forest_are_not_compared():
    fitted = forest().fit(FRAME)
    both = (
        wb.wrap(fitted, name="score", like=ROWS),
        wb.wrap(fitted, name="length", like=ROWS, outputs=PATHS),
    )
    results = [wb.explain(model, ROWS, methods.ExactShapley()) for model in both]
    np.testing.assert_array_equal(results[1].output, both[1].scores(ROWS.values)[:, 0])
    with pytest.raises((IncompatibleError, wb.errors.InputError)):
        wb.compare(results, reference="score")


def test_other_judges_have_no_path_length():
    with pytest.raises(IncompatibleError, match="OneClassSVM"):
        wb.wrap(OneClassSVM().fit(FRAME), outputs=PATHS, like=ROWS)


def test_an_own_score_of_a_subclass_is_not_read_from_its_trees():
    class Own(IsolationForest):
        def score_samples(self, X):
            return -(0.5 ** np.asarray(X)[:, 0].clip(0, 9))

    fitted = Own(n_estimators=5, random_state=0).fit(FRAME)
    assert wb.wrap(fitted, outputs=PATHS, like=ROWS).trees is None
