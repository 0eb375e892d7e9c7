"""The panel that explains one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.panels.explain.panel import ExplainPanel
else:
    open_door(__name__)

__all__ = [
    "ExplainPanel",
]
