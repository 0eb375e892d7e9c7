"""Files of boosters and ONNX give the model that was saved, and the record of their intake."""

import hashlib
import importlib.metadata
import os
import re
from itertools import chain

import catboost
import lightgbm
import numpy as np
import pytest
import safetensors.torch
import torch
import xgboost
from torch import nn

from tests.boosters_at_hand import FRAME, THREE, TWO, X, Z
from tests.hostile.seeds import onnx_graph
from workbench import Target, explain, methods
from workbench.core import FileReport, Inputs
from workbench.errors import InputError, MissingDependency
from workbench.models import load, wrap
from workbench.models.intake import versions


def rows() -> Inputs:
    return Inputs(X[:6], kind="tabular", background=X[6:16])


def test_xgboost_files_give_the_estimator_that_was_saved_with_its_best_round(tmp_path):
    live = xgboost.XGBClassifier(n_estimators=30, max_depth=2, n_jobs=1, early_stopping_rounds=2)
    live.fit(X[:120], THREE[:120], eval_set=[(X[120:], THREE[120:])], verbose=False)
    assert live.best_iteration < 29
    for suffix in ("json", "ubj"):
        live.save_model(tmp_path / f"m.{suffix}")
        model = load(tmp_path / f"m.{suffix}", like=rows())
        np.testing.assert_array_equal(model.scores(X), wrap(live).scores(X))
        assert (model.name, model.digest) == ("m", wrap(live).digest)
        assert "10 trees" not in model.file.checks
    again = explain(model, rows(), methods.TreeSHAP(), Target(1))
    first = explain(wrap(live), rows(), methods.TreeSHAP(), Target(1))
    np.testing.assert_array_equal(again.values, first.values)


def test_a_bare_xgboost_booster_and_a_pruned_one_come_back(tmp_path):
    settings = {"max_depth": 4, "gamma": 2.0, "nthread": 1}
    live = xgboost.train(settings, xgboost.DMatrix(X, Z), num_boost_round=5)
    live.save_model(tmp_path / "m.ubj")
    model = load(tmp_path / "m.ubj")
    np.testing.assert_array_equal(model.scores(X), wrap(live).scores(X))
    assert any(check.startswith("5 trees walked") for check in model.file.checks)


def test_a_lightgbm_file_with_categories_and_linear_leaves_comes_back(tmp_path):
    settings = {"num_leaves": 6, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    live = lightgbm.train(settings, lightgbm.Dataset(FRAME, Z), num_boost_round=4)
    live.save_model(tmp_path / "m.txt")
    codes = np.column_stack([FRAME.age, FRAME.town.cat.codes, FRAME.dose])
    np.testing.assert_array_equal(load(tmp_path / "m.txt").scores(codes), wrap(live).scores(codes))
    settings["linear_tree"] = True
    live = lightgbm.train(settings, lightgbm.Dataset(X, Z), num_boost_round=4)
    live.save_model(tmp_path / "linear.txt")
    np.testing.assert_array_equal(load(tmp_path / "linear.txt").scores(X), wrap(live).scores(X))


def test_a_catboost_file_comes_back(tmp_path):
    live = catboost.CatBoostClassifier(
        iterations=5, depth=3, verbose=0, allow_writing_files=False, thread_count=1
    ).fit(X, TWO)
    live.save_model(str(tmp_path / "m.cbm"))
    model = load(tmp_path / "m.cbm", scale="probability", outputs=["no", "yes"])
    np.testing.assert_array_equal(model.scores(X), wrap(live, scale="probability").scores(X))
    assert model.outputs == ("no", "yes")


def test_an_onnx_file_comes_back_and_is_explained(tmp_path):
    (tmp_path / "m.onnx").write_bytes(onnx_graph().SerializeToString())
    model = load(tmp_path / "m.onnx", outputs=["no", "yes"])
    live = wrap(onnx_graph(), outputs=["no", "yes"])
    np.testing.assert_array_equal(model.scores(X), live.scores(X))
    result = explain(model, rows(), methods.ExactShapley(), Target(1))
    np.testing.assert_allclose(result.gap, 0, atol=1e-6)  # the runtime adds in float32
    assert model.file.versions.keys() == {"onnx", "onnxruntime"}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.half = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.half(self.body(x))


def test_the_record_says_what_was_found_and_what_was_checked(tmp_path):
    state = Net().state_dict()
    state["half.bias"] = state["half.bias"].to(torch.bfloat16)
    safetensors.torch.save_file(state, tmp_path / "blob")
    torch.save(state, tmp_path / "net.pt")
    (tmp_path / "net.safetensors").symlink_to(tmp_path / "blob")
    one = load(tmp_path / "net.safetensors", architecture=Net, outputs=["a", "b"]).file
    assert one.sha256 == hashlib.sha256((tmp_path / "blob").read_bytes()).hexdigest()
    assert (one.file, one.format) == ("net.safetensors, a link to blob", "safetensors")
    assert one.bytes == os.path.getsize(tmp_path / "blob")
    assert (dict(one.dtypes), one.parameters) == ({"BF16": 1, "F32": 3}, 3 * 4 + 4 + 4 * 2 + 2)
    assert one.not_finite == ()
    assert dict(one.versions) == {
        name: importlib.metadata.version(name) for name in ("torch", "safetensors")
    }
    assert any("without holes or overlaps" in check for check in one.checks)
    two = load(tmp_path / "net.pt", architecture=Net, outputs=["a", "b"]).file
    assert (dict(two.dtypes), two.parameters) == ({"BFloat16": 1, "Float": 3}, one.parameters)
    assert any("pickle followed without running it" in check for check in two.checks)
    assert two.quarantine == ""


def test_a_report_is_a_table_of_words():
    counts = {"dtypes": {"Float": 2}, "parameters": 7, "not_finite": ("a",)}
    report = FileReport(
        "m.pt", "torch zip", "ab", 1234, **counts, checks=("walked",), versions={"torch": "2"}
    )
    words = dict(report.to_rows())
    assert words["size"] == "1,234 bytes"
    assert (words["tensors"], words["parameters"]) == ("2 Float", "7")
    assert words["NaN or infinite"] == "a"
    assert (words["checked"], words["read by"]) == ("walked", "torch 2")


@pytest.mark.parametrize(
    ("library", "found"),
    [("torch", "2.9.1"), ("skops", "0.12.0"), ("onnx", "1.20.1"), ("xgboost", "2.1.4")],
)
def test_a_library_below_the_floor_reads_nothing_and_the_reason_is_told(
    monkeypatch, library, found
):
    monkeypatch.setattr(versions.metadata, "version", lambda wheel: found)
    oldest, why = versions.FLOORS[library]
    needed = f"needs {library} {oldest} or newer, but {found} is installed"
    with pytest.raises(MissingDependency, match=re.escape(needed)) as caught:
        versions.checked_version(library, "Reading 'a'")
    assert why in str(caught.value)


def test_the_floors_are_those_of_the_package_itself():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    asked = [*chain(project["dependencies"], *project["optional-dependencies"].values())]
    for library, (oldest, _) in versions.FLOORS.items():
        given = [one for one in asked if one.startswith((f"{library}>=", f"{library}-cpu>="))]
        assert given, library
        assert all(one.split(">=")[1].split(",")[0] == oldest for one in given), library


def test_a_whole_model_takes_no_architecture_and_no_preprocessing(tmp_path):
    xgboost.XGBRegressor(n_estimators=1).fit(X, Z).save_model(tmp_path / "m.json")
    with pytest.raises(InputError, match="holds a whole model, so it needs no architecture"):
        load(tmp_path / "m.json", architecture=Net)
    with pytest.raises(InputError, match="preprocess and output are for torch modules and ONNX"):
        load(tmp_path / "m.json", preprocess=lambda rows: rows)
