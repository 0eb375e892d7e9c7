"""The size of models whose weights are not torch's: their file, and the numbers in it."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core import Size, Trees
from workbench.models.tabular import final_step

_SPLIT_BITS = 64 + 32 + 2 * 32  # a threshold, a feature, two children


def stored_size(native: object, trees: Trees | None) -> Size | None:
    """The size of an ONNX model, a booster or a scikit-learn estimator; None for anything else."""
    data = _onnx_bytes(native)
    if data is not None:
        return _onnx_size(data)
    file_bytes = _file_bytes(native)
    if file_bytes is None:
        return None
    if trees is not None:
        return _trees_size(trees, file_bytes)
    arrays = _fitted_arrays(native)
    if not arrays:
        return None
    return Size(
        file_bytes,
        sum(8 * array.nbytes for array in arrays),
        sum(int(np.count_nonzero(array)) for array in arrays),
        sum(array.size for array in arrays),
    )


def _file_bytes(native: Any) -> int | None:
    """The length of the file that the library (skops, for scikit-learn) would write."""
    library = type(native).__module__.split(".")[0]
    if library == "xgboost":
        booster = native.get_booster() if hasattr(native, "get_booster") else native
        return len(booster.save_raw("ubj"))
    if library == "lightgbm":
        booster = getattr(native, "booster_", native)
        return len(booster.model_to_string().encode())
    if library == "catboost":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.cbm"
            native.save_model(str(path))
            return path.stat().st_size
    if not hasattr(native, "get_params") or importlib.util.find_spec("skops") is None:
        return None
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        return len(skops.io.dumps(native))
    except UnsupportedTypeException:
        return None


def _trees_size(trees: Trees, file_bytes: int) -> Size:
    """Splits and leaves; leaves with few different values count as a table and an index into it."""
    splits = sum(int((tree.left >= 0).sum()) for tree in trees.trees)
    values = np.concatenate([tree.values[tree.left < 0] for tree in trees.trees])
    thresholds = np.concatenate([tree.threshold[tree.left >= 0] for tree in trees.trees])
    kinds = len(np.unique(values))
    index = max(1, int(np.ceil(np.log2(kinds))))
    leaf_bits = min(64 * values.size, 64 * kinds + index * values.size)
    return Size(
        file_bytes,
        _SPLIT_BITS * splits + leaf_bits,
        int(np.count_nonzero(values)) + int(np.count_nonzero(thresholds)),
        values.size + splits,
    )


def _fitted_arrays(native: Any) -> list[np.ndarray[Any, Any]]:
    """The weights of a linear model or a neural network of scikit-learn."""
    final, _ = final_step(native)
    found: list[np.ndarray[Any, Any]] = []
    for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
        held = getattr(final, name, None)
        if held is not None:
            found += [np.asarray(one) for one in (held if isinstance(held, list) else [held])]
    return found


def _onnx_bytes(native: Any) -> bytes | None:
    if isinstance(native, bytes):
        return native
    if hasattr(native, "SerializeToString") and hasattr(native, "graph"):
        return bytes(native.SerializeToString())
    return None


def _onnx_size(data: bytes) -> Size | None:
    """Initializers; those that hold scales and zero points count as bits but not as weights."""
    if importlib.util.find_spec("onnx") is None:
        return None
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(data).graph
    scales = {
        name
        for node in graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        for name in node.input[1:]
    }
    packed = nonzeros = parameters = 0
    for one in graph.initializer:
        values = numpy_helper.to_array(one)
        packed += 8 * values.nbytes
        if one.name not in scales and one.data_type not in (
            onnx.TensorProto.INT64,
            onnx.TensorProto.STRING,
        ):  # shapes and axes are whole numbers of 64 bits
            parameters += values.size
            nonzeros += int(np.count_nonzero(values))
    return Size(len(data), packed, nonzeros, parameters)
