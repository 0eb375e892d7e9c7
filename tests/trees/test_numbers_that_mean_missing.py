"""TreeSHAP where a number such as -999, or zero, stands for a missing value: held against enumeration."""

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy.sparse import csr_matrix
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeRegressor

from tests.every_coalition import absent_from_background, shapley
from workbench import ensembles, methods
from workbench.core import Inputs, Target
from workbench.data import table
from workbench.models.wrapping import wrap
from workbench.study.run import explain

RNG = np.random.default_rng(3)
X = np.round(RNG.normal(size=(300, 4)), 1)  # rounded: zeros among them
GONE = RNG.random(X.shape) < 0.25
Y = X[:, 0] * X[:, 1] + X[:, 2] + 2 * GONE[:, 1] - GONE[:, 2] * X[:, 0]
HOLES = np.where(GONE, np.nan, X)
QUIET = {"n_estimators": 10, "verbose": -1, "min_child_samples": 5, "num_threads": 1}


def with_gaps(number):
    return np.where(GONE, number, X)


def enumerated(score, row, background):
    """The Shapley values of one row by asking the library for every coalition: the definition."""
    return shapley(absent_from_background(score, row, background))[:, 0]


def xgb(missing):
    native = xgboost.XGBRegressor(n_estimators=10, max_depth=4, missing=missing, n_jobs=1)
    return native.fit(with_gaps(missing), Y), missing


def lgb(**settings):
    return lightgbm.LGBMRegressor(**QUIET, **settings).fit(with_gaps(0.0), Y), 0.0


def cat(mode):
    native = catboost.CatBoostRegressor(
        iterations=10, verbose=0, allow_writing_files=False, thread_count=1, nan_mode=mode
    )
    return native.fit(with_gaps(np.nan), Y)


MODELS = {
    "XGBoost, missing=-999": lambda: xgb(-999.0),
    "XGBoost, missing=0": lambda: xgb(0.0),
    "XGBoost, missing=0.1, which no float32 is": lambda: xgb(0.1),
    "LightGBM, zero_as_missing": lambda: lgb(zero_as_missing=True),
    "LightGBM, zeros that are zeros": lambda: lgb(),
    "LightGBM, use_missing=False": lambda: lgb(use_missing=False, zero_as_missing=True),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_library_asked_for_every_coalition(name):
    native, number = MODELS[name]()
    seen = with_gaps(number)
    rows = Inputs(seen[:4], kind="tabular", background=seen[40:52])
    model = wrap(native)
    found = explain(model, rows, methods.TreeSHAP(), Target(0))
    wanted = [enumerated(native.predict, row, seen[40:52]) for row in seen[:4]]
    assert (seen[:4] == number).any()
    np.testing.assert_allclose(found.values, wanted, atol=2e-6)  # XGBoost sums in float32
    np.testing.assert_array_equal(found.output, native.predict(seen[:4]).astype(np.float64))


TAKING_NAN = {
    "XGBoost": lambda: xgb(np.nan)[0],
    "XGBoost, missing=-999": lambda: xgb(-999.0)[0],
    "LightGBM": lambda: lightgbm.LGBMRegressor(**QUIET).fit(with_gaps(np.nan), Y),
    "LightGBM, zero_as_missing": lambda: lgb(zero_as_missing=True)[0],
    "LightGBM, use_missing=False": lambda: lightgbm.LGBMRegressor(use_missing=False, **QUIET).fit(HOLES, Y),
    "CatBoost, Min": lambda: cat("Min"),
    "CatBoost, Max": lambda: cat("Max"),
    "histograms": lambda: HistGradientBoostingRegressor(max_iter=10).fit(with_gaps(np.nan), Y),
    "histograms, none missing in the fit": lambda: HistGradientBoostingRegressor(max_iter=10).fit(X, Y),
    "forest, none missing in the fit": lambda: RandomForestRegressor(5, random_state=0).fit(X, Y),
    "forest": lambda: RandomForestRegressor(5, max_depth=4, random_state=0).fit(with_gaps(np.nan), Y),
    "extra trees": lambda: ExtraTreesRegressor(5, max_depth=4, random_state=0).fit(with_gaps(np.nan), Y),
    "tree": lambda: DecisionTreeRegressor(max_depth=5).fit(with_gaps(np.nan), Y),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", TAKING_NAN)
def test_nan_in_rows_and_background_goes_where_the_library_sends_it(name):
    native, seen = TAKING_NAN[name](), with_gaps(np.nan)
    rows = Inputs(seen[:4], kind="tabular", background=seen[40:52])
    assert np.isnan(rows.values).any()
    found = explain(wrap(native), rows, methods.TreeSHAP(), Target(0))
    wanted = [enumerated(native.predict, row, seen[40:52]) for row in seen[:4]]
    np.testing.assert_allclose(found.values, wanted, atol=2e-6)  # XGBoost sums in float32
    np.testing.assert_allclose(found.output, native.predict(seen[:4]), rtol=1e-15)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("name", ["LightGBM", "CatBoost, Min", "histograms"])
def test_infinity_is_a_number_beyond_every_threshold(name):
    native, seen = TAKING_NAN[name](), with_gaps(np.nan)
    seen[:2, 0], seen[40, 1] = [np.inf, -np.inf], np.inf
    rows = Inputs(seen[:2], kind="tabular", background=seen[40:52])
    found = explain(wrap(native), rows, methods.TreeSHAP(), Target(0))
    wanted = [enumerated(native.predict, row, seen[40:52]) for row in seen[:2]]
    np.testing.assert_allclose(found.values, wanted, atol=1e-12)


def test_rows_that_look_like_a_sparse_matrix_get_a_note():
    dense = (RNG.random((300, 5)) < 0.3) * 1.0
    y = dense[:, 0] - dense[:, 1] * dense[:, 2]
    rows = Inputs(dense[:9], kind="tabular", background=dense[50:60])
    of_sparse = xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(csr_matrix(dense), y)
    of_dense = xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(dense, y)
    assert any("absent entries" in note for note in wrap(of_sparse, like=rows).notes)
    assert not any("absent entries" in note for note in wrap(of_dense, like=rows).notes)
    as_fitted = np.where(dense[:9] == 0, np.nan, dense[:9])
    np.testing.assert_array_equal(
        wrap(of_sparse).scores(as_fitted)[:, 0], of_sparse.predict(csr_matrix(dense[:9]))
    )


def test_a_number_is_missing_for_the_member_that_says_so_alone():
    gone, _ = xgb(-999.0)
    seen = with_gaps(-999.0)
    forest = RandomForestRegressor(5, max_depth=4, random_state=0).fit(seen, Y)
    rows = Inputs(seen[:3], kind="tabular", background=seen[40:50])
    alike = ensembles.vote([wrap(gone, name="a"), wrap(gone, name="b")])
    together = explain(alike, rows, methods.TreeSHAP(), Target(0))
    alone = explain(wrap(gone), rows, methods.TreeSHAP(), Target(0))
    np.testing.assert_allclose(together.values, alone.values, atol=1e-12)
    mixed = ensembles.vote([wrap(gone, name="a"), wrap(forest, name="b")])
    wanted = [
        (enumerated(gone.predict, row, seen[40:50]) + enumerated(forest.predict, row, seen[40:50]))
        / 2
        for row in seen[:3]
    ]
    found = explain(mixed, rows, methods.TreeSHAP(), Target(0))
    np.testing.assert_allclose(found.values, wanted, atol=2e-6)


@pytest.mark.parametrize("number", [0.0, 1.0, -999.0])
@pytest.mark.parametrize("order", ["bca", "abc"])
def test_a_number_for_missing_values_is_told_from_the_codes_of_the_rows(number, order):
    frame = pd.DataFrame(
        {
            "town": pd.Categorical(RNG.choice(list("abc"), 300), list("bca")),
            "dose": np.round(RNG.normal(size=300)),
        }
    )
    native = xgboost.XGBRegressor(
        n_estimators=5, enable_categorical=True, missing=number, max_cat_to_onehot=1, n_jobs=1
    ).fit(frame, frame["town"].cat.codes * 2 + frame["dose"])
    seen = frame.assign(town=pd.Categorical(frame["town"].astype(object), list(order)))
    rows = table(seen[:9], background=seen[50:60])
    model = wrap(native, like=rows)
    found = explain(model, rows, methods.TreeSHAP(), Target(0))
    np.testing.assert_array_equal(found.output, native.predict(frame[:9]).astype(np.float64))
    asked = explain(model, rows, methods.ExactShapley(), Target(0))
    np.testing.assert_allclose(found.values, asked.values, atol=2e-6)  # XGBoost sums in float32
