"""How long models take, measured in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.compare.speed.latency import Latency, latency
else:
    open_door(__name__)

__all__ = [
    "Latency",
    "latency",
]
