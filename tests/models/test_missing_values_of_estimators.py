"""Who takes missing values gets them; of the others a sentence names rows, columns and the step."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import workbench as wb
from tests.every_coalition import absent_from_background, shapley
from workbench import data, methods
from workbench.errors import ModelError

RNG = np.random.default_rng(3)
N = 120
FULL = pd.DataFrame({name: RNG.normal(size=N) for name in "abc"})
HOLES = FULL.mask(RNG.random(FULL.shape) < 0.25)
HOLES.iloc[0, 1] = np.nan
SICK = (FULL["a"] + FULL["b"] > 0).astype(int)
TAKEN = {
    "forest": lambda: RandomForestClassifier(5, random_state=0),
    "tree": lambda: DecisionTreeClassifier(max_depth=3),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
    "imputer and indicator": lambda: make_pipeline(
        SimpleImputer(add_indicator=True), RandomForestClassifier(5, random_state=0)
    ),
}


@pytest.mark.parametrize("cells", ["frame", "array"])
@pytest.mark.parametrize("name", TAKEN)
def test_who_takes_missing_values_gets_them_and_is_explained_exactly(name, cells):
    def given(values):
        return pd.DataFrame(values, columns=list("abc")) if cells == "frame" else np.array(values)

    fitted = TAKEN[name]().fit(given(HOLES), SICK)
    rows = data.table(HOLES[:4], background=HOLES[30:36])
    model = wb.wrap(fitted, like=rows)

    def score(values):
        if model.scale == "logit":
            return fitted.decision_function(given(values))
        return fitted.predict_proba(given(values))[:, 1]

    target = wb.Target(len(model.outputs) - 1)
    np.testing.assert_array_equal(model.scores(rows.values)[:, -1], score(HOLES[:4].to_numpy()))
    chosen = [methods.ExactShapley(), *([methods.TreeSHAP()] if model.trees else [])]
    games = absent_from_background(score, HOLES.to_numpy()[0], HOLES[30:36].to_numpy())
    truth = shapley(games)[:, 0]
    for method in chosen:
        found = wb.explain(model, rows[:1], method, target)
        np.testing.assert_allclose(found.values[0], truth, atol=1e-12)  # float64
    assert len(chosen) == (1 if name == "imputer and indicator" else 2)


REFUSING = {
    "regression": (LogisticRegression, "which LogisticRegression refuses"),
    "machine": (SVC, "which SVC refuses"),
    "behind a step": (
        lambda: make_pipeline(StandardScaler(), Ridge()),
        "which its step 'ridge' refuses",
    ),
    "inside a search": (
        lambda: GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1.0]}),
        "which its step 'ridge' refuses",
    ),
}


@pytest.mark.parametrize("cells", [lambda frame: frame, np.asarray])
@pytest.mark.parametrize("name", REFUSING)
def test_who_refuses_them_is_named_with_rows_and_columns(name, cells):
    make, who = REFUSING[name]
    fitted = make().fit(cells(FULL), SICK)
    full = data.table(FULL[:4], background=FULL[30:33])
    model = wb.wrap(fitted, like=full)
    holed = full.values.copy()
    holed[2, 1] = np.nan
    with pytest.raises(ModelError, match=rf"1 of 4 rows \(first: row 2\).*columns \['b'\], {who}"):
        model.scores(holed)
    method = methods.ExactShapley()
    with pytest.raises(ModelError, match=rf"columns \['b'\], {who}"):
        wb.explain(model, data.table(full.to_frame(holed), like=full), method, wb.Target(0))
    like = data.table(full.to_frame(holed)[2:3], background=FULL[30:33])

    def wrapped_for_it():
        return wb.explain(wb.wrap(fitted, like=like), like, method, wb.Target(0))

    with pytest.raises(ModelError, match=rf"columns \['b'\], {who}"):
        wrapped_for_it()


def test_infinity_is_refused_by_its_own_name_and_taken_where_the_model_takes_it():
    endless = FULL[:4].copy()
    endless.iloc[1, 2] = np.inf
    endless.iloc[3, 0] = np.nan  # which the forest takes: it is not to blame
    rows = data.table(endless, background=FULL[30:33])
    forest = wb.wrap(
        RandomForestClassifier(5, random_state=0).fit(HOLES, SICK), like=data.table(FULL)
    )
    with pytest.raises(
        ModelError, match=r"1 of 4 rows \(first: row 1\).*columns \['c'\].*infinity"
    ):
        forest.scores(rows.values)
    fitted = HistGradientBoostingClassifier(max_iter=5).fit(HOLES, SICK)
    found = wb.wrap(fitted, like=rows).scores(rows.values)
    np.testing.assert_array_equal(found[:, 0], fitted.decision_function(endless))
