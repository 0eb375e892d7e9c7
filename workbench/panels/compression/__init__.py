"""The panel that makes copies of a model and shows how the model's reasons changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.panels.compression.panel import CompressionPanel
else:
    open_door(__name__)

__all__ = [
    "CompressionPanel",
]
