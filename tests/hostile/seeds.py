"""One small valid file of every format that is read, made by the library itself, and what reads it."""

from __future__ import annotations

import io
from functools import cache

import numpy as np

COLUMNS = 5
X = np.random.default_rng(3).normal(size=(80, COLUMNS))
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
SUFFIX = {
    "safetensors": ".safetensors",
    "torch zip": ".pt",
    "skops": ".skops",
    "XGBoost JSON": ".json",
    "XGBoost UBJSON": ".ubj",
    "LightGBM": ".txt",
    "CatBoost": ".cbm",
    "ONNX": ".onnx",
}


def network():
    """Two layers and a normalization: weights of several shapes, and a whole number."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(COLUMNS, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


@cache
def seed(format: str) -> bytes:
    """The file's bytes; the same in every run."""
    return _MADE[format]()


def _safetensors() -> bytes:
    import safetensors.torch

    words = {"outputs": '["no", "yes"]', "scale": "logit", "name": "seed", "kind": "tabular"}
    return safetensors.torch.save(network().state_dict(), metadata=words)


def _torch_zip() -> bytes:
    import torch

    written = io.BytesIO()
    torch.save(network().state_dict(), written)
    return written.getvalue()


def _skops() -> bytes:
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    return skops.io.dumps(RandomForestClassifier(2, max_depth=2, random_state=0).fit(X, Y))


def xgboost_model():
    import xgboost

    return xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(X, Y)


def _xgboost_json() -> bytes:
    return bytes(xgboost_model().get_booster().save_raw("json"))


def _xgboost_ubj() -> bytes:
    return bytes(xgboost_model().get_booster().save_raw("ubj"))


def _lightgbm() -> bytes:
    import lightgbm

    settings = {"objective": "binary", "num_leaves": 4, "min_data_in_leaf": 5, "verbose": -1}
    settings |= {"num_threads": 1, "deterministic": True}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, Y), num_boost_round=3)
    return booster.model_to_string().encode()


def _catboost() -> bytes:
    import tempfile
    from pathlib import Path

    import catboost

    model = catboost.CatBoostClassifier(
        iterations=3, depth=2, verbose=0, allow_writing_files=False, thread_count=1, random_seed=0
    ).fit(X, Y)
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(f"{folder}/model.cbm")
        return (Path(folder) / "model.cbm").read_bytes()


def onnx_graph():
    """A linear layer and a softmax."""
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    weights = numpy_helper.from_array(draw.normal(size=(COLUMNS, 2)).astype(np.float32), "w")
    bias = numpy_helper.from_array(draw.normal(size=2).astype(np.float32), "b")
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["z"]),
            helper.make_node("Softmax", ["z"], ["p"], axis=1),
        ],
        "seed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", COLUMNS])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 2])],
        [weights, bias],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9)


def _onnx() -> bytes:
    return onnx_graph().SerializeToString()


_MADE = {
    "safetensors": _safetensors,
    "torch zip": _torch_zip,
    "skops": _skops,
    "XGBoost JSON": _xgboost_json,
    "XGBoost UBJSON": _xgboost_ubj,
    "LightGBM": _lightgbm,
    "CatBoost": _catboost,
    "ONNX": _onnx,
}
