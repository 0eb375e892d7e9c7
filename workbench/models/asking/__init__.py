"""How any model is called: tried once, one thread at a time, in batches that fit, with clear errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.models.asking.batches import (
        IMAGE_BATCH,
        IMAGES_TRIED,
        TABLE_BATCH,
        TABLES_TRIED,
        Batches,
        first_line,
        out_of_memory,
        rows_per_call,
        steady_batches,
    )
    from workbench.models.asking.failures import failed, failures, said_by, step_of
    from workbench.models.asking.finite_differences import held_against_differences
    from workbench.models.asking.probes import TRIED, Probed, probed
    from workbench.models.asking.remote import UNTRIED, Memory, asked_again
    from workbench.models.asking.trial import Trial, remarks_of, trial_of
    from workbench.models.asking.turns import Serialized, random_states_kept, unmoving
else:
    open_door(__name__)

__all__ = [
    "IMAGES_TRIED",
    "IMAGE_BATCH",
    "TABLES_TRIED",
    "TABLE_BATCH",
    "TRIED",
    "UNTRIED",
    "Batches",
    "Memory",
    "Probed",
    "Serialized",
    "Trial",
    "asked_again",
    "failed",
    "failures",
    "first_line",
    "held_against_differences",
    "out_of_memory",
    "probed",
    "random_states_kept",
    "remarks_of",
    "rows_per_call",
    "said_by",
    "steady_batches",
    "step_of",
    "trial_of",
    "unmoving",
]
