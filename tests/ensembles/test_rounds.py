"""Rounds of XGBoost, LightGBM and CatBoost as members: their margins add up to the library's own."""

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

import workbench as wb
from tests.boosters_at_hand import THREE, TWO, X, Y
from workbench import ensembles, methods
from workbench.core import Inputs
from workbench.errors import InputError

MADE = {
    "XGBoost": lambda: xgboost.XGBClassifier(n_estimators=6, max_depth=3),
    "LightGBM": lambda: lightgbm.LGBMClassifier(n_estimators=6, num_leaves=6, verbose=-1),
    "CatBoost": lambda: catboost.CatBoostClassifier(
        iterations=6, depth=3, verbose=False, allow_writing_files=False
    ),
}


def inputs() -> Inputs:
    return Inputs(X[:3], kind="tabular", background=X[50:57])


@pytest.mark.parametrize("library", list(MADE))
@pytest.mark.parametrize("classes", [TWO, THREE], ids=["two classes", "three classes"])
def test_every_round_is_a_member_and_their_values_add_up(library, classes):
    fitted = MADE[library]().fit(X, classes)
    whole = wb.wrap(fitted)
    model = ensembles.unpack(fitted)
    assert model.scale == "logit"
    assert model.outputs == whole.outputs
    members = model.combination.members
    if library != "CatBoost":  # whose trees hold all outputs at once
        assert [m.name for m in members] == [f"round {i}" for i in range(1, 7)]
    # XGBoost and CatBoost add up in float32
    np.testing.assert_allclose(model.scores(X), whole.scores(X), atol=1e-5)
    for output in range(len(model.outputs)):
        result = wb.explain(model, inputs(), methods.TreeSHAP(), wb.Target(output))
        together = wb.explain(whole, inputs(), methods.TreeSHAP(), wb.Target(output))
        np.testing.assert_allclose(result.values, together.values, atol=1e-12)  # the same leaves
        summed = sum(part.values for part in result.parts)
        np.testing.assert_allclose(result.values, summed, atol=1e-12)
        assert len(result.parts) == len(members)


def test_blocks_of_rounds_add_up_too_and_a_regressor_has_rounds():
    fitted = xgboost.XGBRegressor(n_estimators=9, max_depth=3).fit(X, Y)
    model = ensembles.unpack(fitted, blocks=4)
    result = wb.explain(model, inputs(), methods.TreeSHAP())
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # sums of leaves
    assert [p.model for p in result.parts][:2] == ["rounds 1 to 3", "rounds 4 to 5"]


@pytest.mark.parametrize("classes", [TWO, THREE], ids=["two classes", "three classes"])
def test_a_round_of_several_trees_is_one_member(classes):
    fitted = xgboost.XGBClassifier(n_estimators=3, num_parallel_tree=2, max_depth=2).fit(X, classes)
    model = ensembles.unpack(fitted)
    members = model.combination.members
    assert [m.name for m in members] == ["round 1", "round 2", "round 3"]
    first = fitted.get_booster()[0:1].predict(xgboost.DMatrix(X), output_margin=True)
    begun = members[0].scores(X) + model.combination.intercept
    np.testing.assert_allclose(begun, first.reshape(len(X), -1), atol=1e-5)  # float32 sums
    with pytest.raises(InputError, match=r"has 3 rounds, so blocks must lie in 1\.\.3, not 4"):
        ensembles.unpack(fitted, blocks=4)


def test_a_forest_grown_in_one_round_is_taken_apart_by_trees():
    fitted = xgboost.XGBRFRegressor(n_estimators=5, max_depth=3).fit(X, Y)
    model = ensembles.unpack(fitted)
    assert [m.name for m in model.combination.members] == [f"tree {i}" for i in range(1, 6)]
    np.testing.assert_allclose(
        model.scores(X)[:, 0], fitted.predict(X), atol=1e-5
    )  # XGBoost adds up in float32
