"""The view of a Pipeline has the Pipeline's scores, whatever its last step adds up to, or there is none."""

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import PoissonRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import workbench as wb
from tests.trees.test_numbers_that_mean_missing import enumerated
from workbench import data, methods, variants
from workbench.errors import IncompatibleError, InputError, ModelError

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "town": RNG.choice(list("abcde"), 300),
        "age": np.round(RNG.normal(size=300), 1),
    }
)
COUNTS = RNG.poisson(np.exp(FRAME.age + (FRAME.town == "a")))
SICK = ((FRAME.town == "b") ^ (FRAME.age > 0.5)).astype(int)
ROWS = data.table(FRAME[:6], background=FRAME[40:50])
FEW = {"n_estimators": 8, "n_jobs": 1}
QUIET = {"n_estimators": 8, "verbose": -1, "num_threads": 1}
CAT = {"iterations": 8, "verbose": 0, "allow_writing_files": False, "thread_count": 1}


def fitted(last, y, *, dense=False, after=()):
    steps = make_column_transformer(
        (OneHotEncoder(sparse_output=not dense), ["town"]),
        remainder="passthrough",
        sparse_threshold=0 if dense else 1,
    )
    return make_pipeline(steps, *after, last).fit(FRAME, y)


def boosters_of_counts():
    return {
        "XGBoost, poisson": xgboost.XGBRegressor(objective="count:poisson", **FEW),
        "XGBoost, gamma": xgboost.XGBRegressor(objective="reg:gamma", **FEW),
        "XGBoost, tweedie": xgboost.XGBRegressor(objective="reg:tweedie", **FEW),
        "LightGBM, poisson": lightgbm.LGBMRegressor(objective="poisson", **QUIET),
        "LightGBM, gamma": lightgbm.LGBMRegressor(objective="gamma", **QUIET),
        "LightGBM, tweedie": lightgbm.LGBMRegressor(objective="tweedie", **QUIET),
        "LightGBM, square roots": lightgbm.LGBMRegressor(reg_sqrt=True, **QUIET),
        "CatBoost, Poisson": catboost.CatBoostRegressor(loss_function="Poisson", **CAT),
        "histograms, poisson": HistGradientBoostingRegressor(loss="poisson", max_iter=8),
    }


def test_what_is_absent_in_sparse_rows_is_missing_for_xgboost_in_the_view_too():
    pipeline = fitted(xgboost.XGBClassifier(**FEW), SICK)
    booster = pipeline[-1]
    sparse = pipeline[:-1].transform(FRAME[:6])
    own = booster.predict(sparse, output_margin=True)
    assert np.abs(own - booster.predict(sparse.toarray(), output_margin=True)).max() > 1
    view, seen = variants.transformed_view(wb.wrap(pipeline, like=ROWS, scale="logit"), ROWS)
    np.testing.assert_array_equal(view.scores(seen.values)[:, 0], own.astype(np.float64))
    assert "absent entries" in view.notes[-2]
    found = wb.explain(view, seen, methods.TreeSHAP(), wb.Target(0))

    def asked(rows):
        return booster.predict(scipy.sparse.csr_matrix(rows), output_margin=True)

    wanted = [enumerated(asked, row, seen.background) for row in seen.values[:2]]
    np.testing.assert_allclose(found.values[:2], wanted, atol=3e-6)  # XGBoost sums in float32


def test_stored_zeros_beside_absent_entries_are_refused_for_xgboost():
    def with_zeros(rows):
        made = rows.tocsr().copy()
        made.data[:2] = 0
        return made

    stored = FunctionTransformer(with_zeros, feature_names_out="one-to-one")
    pipeline = fitted(xgboost.XGBClassifier(**FEW), SICK, after=[stored])
    with pytest.raises(InputError, match="stored zeros for zeros"):
        variants.transformed_view(wb.wrap(pipeline, like=ROWS), ROWS)


def test_a_booster_inside_another_estimator_that_reads_sparse_rows_otherwise_has_no_view():
    pipeline = fitted(CalibratedClassifierCV(xgboost.XGBClassifier(**FEW), cv=2), SICK)
    with pytest.raises(ModelError, match="the Pipeline's own scores"):
        variants.transformed_view(wb.wrap(pipeline, like=ROWS), ROWS)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", boosters_of_counts())
@pytest.mark.parametrize("dense", [True, False])
def test_the_view_of_a_booster_of_counts_is_in_counts(name, dense):
    if name.startswith("histograms") and not dense:
        with pytest.raises(TypeError, match="dense data is required"):
            fitted(boosters_of_counts()[name], COUNTS + 1)
        return
    pipeline = fitted(boosters_of_counts()[name], COUNTS + 1, dense=dense)
    model = wb.wrap(pipeline, like=ROWS)
    view, seen = variants.transformed_view(model, ROWS)
    np.testing.assert_array_equal(view.scores(seen.values)[:, 0], pipeline.predict(FRAME[:6]))
    assert (view.scale, view.unit, view.trees) == (model.scale, model.unit, None)
    assert "TreeSHAP is not offered" in view.absent["trees"]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_logarithm_and_counts_are_not_compared_though_both_are_raw():
    numbers = FRAME[["age"]].to_numpy()
    rows = wb.Inputs(numbers[:5], kind="tabular", background=numbers[50:60])
    margin = wb.wrap(boosters_of_counts()["XGBoost, poisson"].fit(numbers, COUNTS), name="margin")
    other = wb.wrap(boosters_of_counts()["LightGBM, poisson"].fit(numbers, COUNTS), name="other")
    counts = wb.wrap(PoissonRegressor().fit(numbers, COUNTS), name="counts")
    assert (margin.scale, margin.unit) == ("raw", "logarithm of the prediction")
    assert (counts.scale, counts.unit) == ("raw", "")
    study = wb.Study((margin, counts, other), (methods.ExactShapley(),), rows, (wb.Target(0),))
    results = list(wb.run(study))
    assert results[0].unit == "raw (logarithm of the prediction)"
    assert wb.compare([results[0], results[2]], reference="margin").rows
    with pytest.raises(IncompatibleError, match=r"raw \(logarithm of the prediction\)"):
        wb.compare(results, reference="margin")
    with pytest.raises(IncompatibleError, match="members in one unit"):
        wb.ensembles.vote([margin, counts])
