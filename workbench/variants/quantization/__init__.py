"""Copies with fewer bits: simulated, and real ones in int8 and int4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.variants.quantization.cast import cast
    from workbench.variants.quantization.onnx_int8 import quantize_onnx
    from workbench.variants.quantization.pt2e import answered_by, is_static, quantize_static
    from workbench.variants.quantization.quantize import fake_quantize
    from workbench.variants.quantization.quantize_record import without_gradient
    from workbench.variants.quantization.torchao_linear import quantize_dynamic, quantize_weights
    from workbench.variants.quantization.twin import shared_copy
else:
    open_door(__name__)

__all__ = [
    "answered_by",
    "cast",
    "fake_quantize",
    "is_static",
    "quantize_dynamic",
    "quantize_onnx",
    "quantize_static",
    "quantize_weights",
    "shared_copy",
    "without_gradient",
]
