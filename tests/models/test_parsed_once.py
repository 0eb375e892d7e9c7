"""What a booster's library writes is parsed once per wrap, however often its trees are asked for."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import workbench as wb
from tests.hostile.seeds import seed
from workbench.models.intake.native_files import read_native
from workbench.models.intake.reading import File
from workbench.models.intake.structure import faults
from workbench.models.tabular import lightgbm_text
from workbench.models.tabular import xgboost as xgboost_trees

X = np.random.default_rng(2).normal(size=(80, 4))
Y = X[:, 0] - X[:, 1] * X[:, 2]


def read_twice(native):
    """The trees of a booster, asked for twice; once wrapped."""
    model = wb.wrap(native)
    return model.trees(), model.trees()


@pytest.fixture
def parsed(monkeypatch):
    """What was parsed as XGBoost's JSON."""
    texts = []

    def loads(text):
        texts.extend([text] if isinstance(text, bytes) else [])  # a base score is a text of its own
        return json.loads(text)

    monkeypatch.setattr(xgboost_trees, "json", SimpleNamespace(loads=loads))
    return texts


def test_xgboosts_json_is_parsed_once(parsed):
    import xgboost

    read_twice(xgboost.XGBRegressor(n_estimators=3, max_depth=2).fit(X, Y))
    assert len(parsed) == 1


@pytest.mark.parametrize("format", ["XGBoost JSON", "XGBoost UBJSON"])
def test_a_file_of_xgboosts_is_checked_and_read_from_one_parse(parsed, format):
    file = File(Path("model"), seed(format), format, "00" * 32)
    native = read_native(file)
    (said,) = faults(native, file)
    assert said.endswith("none in a circle")
    wb.wrap(native)
    assert len(parsed) == 1


def test_a_booster_that_was_trained_further_after_its_check_is_read_as_it_is_now(parsed):
    import xgboost

    data = xgboost.DMatrix(X, label=Y)
    booster = xgboost.train({"max_depth": 2}, data, num_boost_round=2)
    file = File(Path("model.json"), bytes(booster.save_raw("json")), "XGBoost JSON", "00" * 32)
    faults(booster, file)
    booster.update(data, 2)
    assert len(wb.wrap(booster).trees().trees) == 3
    assert len(parsed) == 2


def test_each_table_of_lightgbms_text_becomes_numbers_once(monkeypatch):
    import lightgbm

    counts, real = Counter(), lightgbm_text._numbers

    def numbers(text, kind):
        counts[id(text)] += bool(text)
        kept.append(text)  # so that no other text gets its id
        return real(text, kind)

    kept: list[str] = []
    monkeypatch.setattr(lightgbm_text, "_numbers", numbers)
    read_twice(lightgbm.LGBMRegressor(n_estimators=3, num_leaves=5, verbose=-1).fit(X, Y))
    assert len(counts) > 3 * 5
    assert max(counts.values()) == 1


def test_catboost_writes_its_model_once(monkeypatch):
    import catboost

    counts, real = Counter(), catboost.CatBoostRegressor.save_model

    def save_model(self, path, **more):
        counts[more["format"]] += 1
        return real(self, path, **more)

    monkeypatch.setattr(catboost.CatBoostRegressor, "save_model", save_model)
    few = {"iterations": 3, "depth": 2, "verbose": False, "allow_writing_files": False}
    read_twice(catboost.CatBoostRegressor(**few).fit(X, Y))
    assert counts == {"json": 1}
