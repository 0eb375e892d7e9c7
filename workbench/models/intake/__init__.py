"""Files of models: recognized by their bytes, checked, read first in another process, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.models.intake.formats import BROKEN_ZIP
    from workbench.models.intake.load import load
    from workbench.models.intake.quarantine import Quarantine
    from workbench.models.intake.save import save
else:
    open_door(__name__)

__all__ = [
    "BROKEN_ZIP",
    "Quarantine",
    "load",
    "save",
]
