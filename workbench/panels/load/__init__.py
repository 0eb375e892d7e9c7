"""The panel that loads models and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.panels.load.panel import LoadPanel
else:
    open_door(__name__)

__all__ = [
    "LoadPanel",
]
