"""A study: what it costs, and running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.study.plan import evaluations_of, shared_evaluations
else:
    open_door(__name__)

__all__ = ["evaluations_of", "shared_evaluations"]
