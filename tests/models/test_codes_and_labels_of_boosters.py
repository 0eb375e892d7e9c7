"""Codes never reach a booster that expects labels, nor labels one that expects codes: equal, or refused."""

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

import workbench as wb
from workbench import data, methods
from workbench.errors import WorkbenchError

RNG = np.random.default_rng(1)
N = 240
TOWNS = ["Turin", "Oslo", "Zurich", "Bonn"]
FRAME = pd.DataFrame(
    {
        "town": pd.Categorical(RNG.choice(TOWNS, N), TOWNS),
        "age": np.round(RNG.normal(size=N), 2),
        "kids": RNG.integers(0, 4, N),
        "smokes": RNG.random(N) < 0.4,
        "grade": pd.Categorical(RNG.choice([9, 1, 5], N), [9, 1, 5]),
    }
)
Y = (
    FRAME["town"].map({"Turin": 3.0, "Oslo": -2.0, "Zurich": 0.0, "Bonn": 1.0}).astype(float)
    + FRAME["grade"].map({9: -3.0, 1: 2.0, 5: 0.0}).astype(float) * (FRAME["age"] > 0)
    + FRAME["kids"] * FRAME["smokes"]
)
HOLES = FRAME.mask(RNG.random(FRAME.shape) < 0.15).astype(
    {"town": FRAME.town.dtype, "grade": FRAME.grade.dtype, "kids": float, "smokes": float}
)

XGB = {"n_estimators": 8, "enable_categorical": True, "n_jobs": 1}
LGB = {"n_estimators": 8, "verbose": -1, "min_child_samples": 3, "num_threads": 1}
CAT = {"iterations": 8, "verbose": 0, "allow_writing_files": False, "thread_count": 1}


def for_catboost(frame):
    return frame.astype({"town": object, "grade": int})


LIBRARIES = {
    "XGBoost": (lambda frame, **more: xgboost.XGBRegressor(**XGB, **more).fit(frame, Y), FRAME),
    "XGBoost, one-hot splits": (
        lambda frame: xgboost.XGBRegressor(max_cat_to_onehot=9, **XGB).fit(frame, Y),
        FRAME,
    ),
    "XGBoost, missing values": (lambda frame: xgboost.XGBRegressor(**XGB).fit(frame, Y), HOLES),
    "LightGBM": (lambda frame: lightgbm.LGBMRegressor(**LGB).fit(frame, Y), FRAME),
    "LightGBM, missing values": (
        lambda frame: lightgbm.LGBMRegressor(**LGB).fit(frame, Y),
        HOLES,
    ),
    "CatBoost": (
        lambda frame: catboost.CatBoostRegressor(**CAT).fit(
            frame, Y, cat_features=["town", "grade"]
        ),
        for_catboost(FRAME),
    ),
}


def relabeled(column, order):
    """The same labels as a category with another order."""
    return pd.Categorical(column.astype(object), order)


def codes_of(towns):
    return towns.astype(object).map(TOWNS.index, na_action="ignore")


DISGUISES = {
    "as in the fit": lambda f: f,
    "columns reversed": lambda f: f[f.columns[::-1]],
    "a column more": lambda f: f.assign(more=1.0)[["more", *f.columns]],
    "labels sorted, as from a CSV": lambda f: f.assign(town=relabeled(f.town, sorted(TOWNS))),
    "labels as text": lambda f: f.assign(town=f.town.astype(object)),
    "labels as an ordered category": lambda f: f.assign(
        town=pd.Categorical(f.town.astype(object), TOWNS[::-1], ordered=True)
    ),
    "labels and one never seen": lambda f: f.assign(town=relabeled(f.town, ["Aarau", *TOWNS])),
    "codes for labels": lambda f: f.assign(town=codes_of(f.town).astype(float)),
    "codes as a category": lambda f: f.assign(
        town=pd.Categorical(codes_of(f.town), range(4))
    ),
    "numbers for labels that are numbers": lambda f: f.assign(grade=f.grade.astype(float)),
    "labels that are numbers, sorted": lambda f: f.assign(grade=relabeled(f.grade, [1, 5, 9])),
    "labels that are numbers, as text": lambda f: f.assign(
        grade=f.grade.astype(object).map({1: "1", 5: "5", 9: "9"})
    ),
    "whole numbers as others": lambda f: f.assign(kids=f.kids.astype("float32")),
    "nullable whole numbers": lambda f: f.assign(kids=f.kids.astype("Int64")),
    "whole numbers as a category": lambda f: f.assign(kids=f.kids.astype("category")),
    "truth as numbers": lambda f: f.assign(smokes=f.smokes.astype(float)),
    "truth as text": lambda f: f.assign(smokes=f.smokes.astype(object).map({True: "yes", False: "no"})),
    "all at once": lambda f: f.assign(
        town=relabeled(f.town, sorted(TOWNS)), grade=relabeled(f.grade, [5, 9, 1])
    )[f.columns[[3, 1, 4, 0, 2]]],
}  # fmt: skip
MUST_WORK = (
    "as in the fit", "columns reversed", "a column more", "labels sorted, as from a CSV",
    "labels as text", "labels that are numbers, sorted", "whole numbers as others", "all at once",
)  # fmt: skip


@pytest.fixture(scope="module")
def fitted():
    made = {}
    for name, (fit, frame) in LIBRARIES.items():
        native = fit(frame)
        made[name] = native, frame, native.predict(frame[:20]).astype(np.float64)
    return made


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("like", [True, False], ids=["like", "without like"])
@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("name", LIBRARIES)
def test_scores_are_the_librarys_own_or_the_rows_are_refused(fitted, name, disguise, like):
    native, frame, own = fitted[name]
    seen = DISGUISES[disguise](frame)
    try:
        rows = data.table(seen[:20], background=seen[40:50])
        model = wb.wrap(native, like=rows if like else None)
        found = wb.explain(model, rows, methods.ExactShapley(), wb.Target(0))
    except WorkbenchError:
        assert not (like and disguise in MUST_WORK)
        return
    np.testing.assert_array_equal(found.output, own)
    if model.trees is not None:
        trees = wb.explain(model, rows, methods.TreeSHAP(), wb.Target(0))
        np.testing.assert_allclose(trees.values, found.values, atol=5e-6)  # float32 sums


@pytest.mark.parametrize("ending", ["json", "ubj"])
@pytest.mark.parametrize("like", [True, False], ids=["like", "without like"])
@pytest.mark.parametrize("ascii_only", [True, False], ids=["ASCII", "beyond ASCII"])
def test_a_file_of_xgboost_on_rows_of_a_csv(tmp_path, ending, like, ascii_only):
    # XGBoost cuts labels beyond ASCII short when it writes them.
    town = FRAME["town"].cat.rename_categories({} if ascii_only else {"Zurich": "Zürich"})
    frame = FRAME.assign(town=town)
    native = LIBRARIES["XGBoost"][0](frame)
    native.save_model(tmp_path / f"model.{ending}")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    read = pd.read_csv(tmp_path / "rows.csv").astype({"town": "category", "grade": "category"})
    rows = data.table(read[:20], background=read[40:50])
    try:
        model = wb.load(tmp_path / f"model.{ending}", like=rows if like else None)
        found = wb.explain(model, rows, methods.TreeSHAP(), wb.Target(0))
    except WorkbenchError:
        assert not (like and ascii_only)
        return
    np.testing.assert_array_equal(found.output, native.predict(frame[:20]).astype(np.float64))


@pytest.mark.parametrize("name", ["XGBoost", "LightGBM", "CatBoost"])
def test_a_booster_fitted_on_an_array_says_which_positions_it_gets_for_labels(name):
    made = {
        "XGBoost": lambda: xgboost.XGBRegressor(n_estimators=3, n_jobs=1),
        "LightGBM": lambda: lightgbm.LGBMRegressor(**LGB),
        "CatBoost": lambda: catboost.CatBoostRegressor(**CAT),
    }
    read = data.table(FRAME[["town", "age"]].astype({"town": object}))
    native = made[name]().fit(read.values, Y)
    model = wb.wrap(native, like=read)
    np.testing.assert_array_equal(model.scores(read.values)[:, 0], native.predict(read.values))
    assert any("{'Bonn': 0, 'Oslo': 1, 'Turin': 2}" in note for note in model.notes)
    with pytest.raises(
        WorkbenchError, match="positions"
    ):  # labels that are numbers look like codes
        wb.wrap(made[name]().fit(FRAME[["grade", "age"]].astype(float).to_numpy(), Y),
                like=data.table(FRAME[["grade", "age"]]))  # fmt: skip
