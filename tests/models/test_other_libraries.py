"""Models of libraries the workbench does not know: imbalanced-learn, statsmodels, skorch; polars frames."""

import numpy as np
import pandas as pd
import polars
import pytest
import statsmodels.api as statsmodels
import statsmodels.formula.api as formulas
import torch
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier

import workbench as wb
from workbench import data, methods
from workbench.errors import ModelError

RNG = np.random.default_rng(2)
N = 90
FRAME = pd.DataFrame({name: RNG.normal(size=N) for name in "abc"})
TOWNS = FRAME[["a"]].assign(town=RNG.choice(["Rome", "Oslo"], N))
SICK = ((FRAME["a"] + RNG.normal(size=N)) > 0.3).astype(int)
ROWS = data.table(FRAME[:6], background=FRAME[20:26])


def test_a_sampler_does_nothing_when_scores_are_asked_for():
    sampled = RandomOverSampler(random_state=0), RandomForestClassifier(5, random_state=0)
    fitted = make_pipeline(*sampled).fit(FRAME, SICK)
    model = wb.wrap(fitted, like=ROWS)
    np.testing.assert_array_equal(model.scores(ROWS.values), fitted.predict_proba(FRAME[:6]))
    trees = wb.explain(model, ROWS, methods.TreeSHAP(), wb.Target(1))
    exact = wb.explain(model, ROWS, methods.ExactShapley(), wb.Target(1))
    np.testing.assert_allclose(trees.values, exact.values, atol=1e-12)  # float64
    scaled = make_pipeline(StandardScaler(), *sampled).fit(FRAME, SICK)
    assert wb.wrap(scaled, like=ROWS).trees is None


def test_a_forest_that_only_fits_otherwise_shows_its_trees():
    fitted = BalancedRandomForestClassifier(
        5, random_state=0, sampling_strategy="all", replacement=True, bootstrap=False
    ).fit(FRAME, SICK)
    model = wb.wrap(fitted, like=ROWS)
    np.testing.assert_array_equal(model.scores(ROWS.values), fitted.predict_proba(FRAME[:6]))
    np.testing.assert_allclose(
        model.trees().scores(ROWS.values), fitted.predict_proba(FRAME[:6]), atol=1e-12
    )


class OtherScores(RandomForestClassifier):
    def predict_proba(self, X):
        return super().predict_proba(X) ** 2


def test_a_forest_that_scores_otherwise_does_not():
    fitted = OtherScores(5, random_state=0).fit(FRAME, SICK)
    assert wb.wrap(fitted, like=ROWS).trees is None


def test_a_formula_gets_its_frame_by_trying():
    fitted = formulas.logit("sick ~ a + C(town)", TOWNS.assign(sick=SICK)).fit(disp=0)
    rows = data.table(TOWNS[:6], background=TOWNS[20:26])
    words = {"outputs": ["p"], "scale": "probability", "like": rows}
    for model in (wb.wrap(fitted, **words), wb.wrap(fitted, **words, frames=True)):
        np.testing.assert_array_equal(model.scores(rows.values)[:, 0], fitted.predict(TOWNS[:6]))
        result = wb.explain(model, rows, methods.ExactShapley())
        np.testing.assert_allclose(result.output, fitted.predict(TOWNS[:6]), rtol=1e-12)
    line = statsmodels.OLS(SICK, FRAME).fit()
    model = wb.wrap(line, like=ROWS, outputs=["p"], scale="raw")
    np.testing.assert_allclose(model.scores(ROWS.values)[:, 0], line.predict(FRAME[:6]), rtol=1e-12)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(3, 2)

    def forward(self, rows):
        return self.line(rows)


def test_a_network_of_skorch_gets_single_precision_by_trying():
    torch.manual_seed(0)
    single = FRAME.to_numpy(np.float32, copy=True)
    loss = torch.nn.CrossEntropyLoss
    fitted = NeuralNetClassifier(Net, criterion=loss, max_epochs=2, verbose=0, train_split=None)
    with pytest.raises(ModelError, match="not initialized"):
        wb.wrap(NeuralNetClassifier(Net, criterion=loss), like=ROWS)
    fitted.fit(single, SICK.to_numpy(np.int64))
    model = wb.wrap(fitted, like=ROWS)
    assert (model.scale, model.outputs) == ("probability", ("0", "1"))
    np.testing.assert_array_equal(model.scores(ROWS.values), fitted.predict_proba(single[:6]))


def test_a_frame_of_polars_reaches_a_model_as_the_frame_of_pandas_it_was_fitted_on():
    frame = pd.DataFrame({"a": FRAME["a"], "n": RNG.integers(0, 5, N)})
    fitted = LogisticRegression().fit(frame, SICK)
    rows = data.table(
        polars.DataFrame({"a": frame["a"].to_numpy(), "n": frame["n"].to_numpy()})[:6]
    )
    found = wb.wrap(fitted, like=rows).scores(rows.values)
    np.testing.assert_array_equal(found, fitted.predict_proba(frame[:6]))
