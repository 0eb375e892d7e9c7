"""ONNX files: what their graph states, and a session that computes scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.models.onnx.session import onnx_model
else:
    open_door(__name__)

__all__ = [
    "onnx_model",
]
