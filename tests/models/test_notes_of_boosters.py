"""What is told of a boosted model's unit: the logarithm where there is one, and nowhere else."""

from __future__ import annotations

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

import workbench as wb
from tests.boosters_at_hand import THREE, TWO, X, Y

COUNTS = np.exp(np.clip(Y, -1, 1))
SMALL = {
    "xgboost": {"n_estimators": 3},
    "lightgbm": {"n_estimators": 3, "verbose": -1, "n_jobs": 1},
    "catboost": {
        "iterations": 3,
        "verbose": False,
        "thread_count": 1,
        "allow_writing_files": False,
    },
}


def regressor(library: str, **more):
    kind = {
        "xgboost": xgboost.XGBRegressor,
        "lightgbm": lightgbm.LGBMRegressor,
        "catboost": catboost.CatBoostRegressor,
    }[library]
    return kind(**SMALL[library], **more)


def classifier(library: str):
    kind = {
        "xgboost": xgboost.XGBClassifier,
        "lightgbm": lightgbm.LGBMClassifier,
        "catboost": catboost.CatBoostClassifier,
    }[library]
    return kind(**SMALL[library])


POISSON = {
    "xgboost": {"objective": "count:poisson"},
    "lightgbm": {"objective": "poisson"},
    "catboost": {"loss_function": "Poisson"},
}


@pytest.mark.parametrize("library", SMALL)
def test_a_logarithm_is_told_where_predict_takes_its_inverse_and_nowhere_else(library):
    def told(native):
        return [note for note in wb.wrap(native).notes if "logarithm" in note]

    assert told(regressor(library).fit(X, Y)) == []
    assert told(classifier(library).fit(X, TWO)) == []
    counts = regressor(library, **POISSON[library]).fit(X, COUNTS)
    (note,) = told(counts)
    assert "the sums of the trees, the logarithm of what predict gives" in note
    np.testing.assert_allclose(
        np.exp(wb.wrap(counts).scores(X)[:, 0]), counts.predict(X), rtol=1e-4  # float32
    )  # fmt: skip


@pytest.mark.parametrize("library", SMALL)
def test_a_plain_regression_says_nothing_of_margins_or_links(library):
    said = " ".join(wb.wrap(regressor(library).fit(X, Y)).notes)
    for words in ("predict gives", "in that unit", "function of yours"):
        assert words not in said


def test_what_predict_does_besides_is_told_by_its_name():
    hinge = xgboost.XGBClassifier(**SMALL["xgboost"], objective="binary:hinge").fit(X, TWO)
    assert any("predict gives their sign" in note for note in wb.wrap(hinge).notes)
    root = lightgbm.LGBMRegressor(**SMALL["lightgbm"], reg_sqrt=True).fit(X, Y)
    assert any("predict gives a function of them" in note for note in wb.wrap(root).notes)


@pytest.mark.parametrize("library", SMALL)
def test_logits_are_called_by_their_classes_and_one_logit_by_the_second(library):
    def named(classes):
        return wb.wrap(classifier(library).fit(X, classes)).outputs

    assert named(TWO) == ("1",)
    assert named(THREE) == ("0", "1", "2")
    if library != "xgboost":  # which takes whole numbers alone
        assert named(np.array(["no", "yes"])[TWO]) == ("yes",)
        assert named(np.array(["a", "b", "c"])[THREE]) == ("a", "b", "c")
