"""The panel that shows whether the members of an ensemble agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.panels.ensemble.panel import EnsemblePanel
else:
    open_door(__name__)

__all__ = [
    "EnsemblePanel",
]
