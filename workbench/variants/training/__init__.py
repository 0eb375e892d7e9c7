"""Copies that are trained: distilled, fine-tuned, repaired after pruning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.variants.training.distill import distill, distill_steps
    from workbench.variants.training.distill_readable import distill_to_linear, distill_to_tree
    from workbench.variants.training.fine_tune import fine_tune, fine_tune_steps
    from workbench.variants.training.repair import prune_and_repair, prune_and_repair_steps
    from workbench.variants.training.training import Epoch, Schedule
else:
    open_door(__name__)

__all__ = [
    "Epoch",
    "Schedule",
    "distill",
    "distill_steps",
    "distill_to_linear",
    "distill_to_tree",
    "fine_tune",
    "fine_tune_steps",
    "prune_and_repair",
    "prune_and_repair_steps",
]
