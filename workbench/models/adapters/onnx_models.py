"""An ONNX model: its `ModelProto`, its bytes or a session of ONNX Runtime."""

from __future__ import annotations

import sys
from typing import Any

from workbench.core import Model
from workbench.models.arguments import Wrapping
from workbench.models.columns import check_numbers


class OnnxModels:
    """ONNX models in one of their forms."""

    what = "an ONNX model"
    reads = ("preprocess", "output")
    order = 4

    def recognizes(self, native: object) -> bool:
        """Whether it is an ONNX model; any bytes count as one, and are checked when they are wrapped."""
        onnx, runtime = sys.modules.get("onnx"), sys.modules.get("onnxruntime")
        if isinstance(native, bytes | bytearray | memoryview):
            return True
        if onnx is not None and isinstance(native, onnx.ModelProto):
            return True
        return runtime is not None and isinstance(native, runtime.InferenceSession)

    def wrap(self, native: Any, wrapping: Wrapping) -> Model:
        """See `onnx_model`."""
        from workbench.models.onnx import onnx_model

        wrapping = wrapping.named("ONNX model")
        check_numbers(wrapping.like, wrapping.name)
        return onnx_model(native, wrapping)
