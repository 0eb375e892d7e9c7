"""Rounds of XGBoost, LightGBM and CatBoost as members: their margins add up to the library's own."""

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

import workbench as wb
from tests.boosters_at_hand import THREE, TWO, X, Y
from workbench import methods, variants
from workbench.core import Inputs

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
    model = variants.unpack(fitted)
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
    model = variants.unpack(fitted, blocks=4)
    result = wb.explain(model, inputs(), methods.TreeSHAP())
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # sums of leaves
    assert [p.model for p in result.parts][:2] == ["rounds 1 to 3", "rounds 4 to 5"]
