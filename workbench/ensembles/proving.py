"""A test of an ensemble that was taken apart, before it is explained: do its members add up to it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.core import Model
from workbench.ensembles.reading import Reading
from workbench.errors import ModelError

_TOLERANCE = 1e-9  # relative: the same float64 sums in another order


def prove(model: Model, answer: Callable[[Any], Any], reading: Reading, kind: str) -> None:
    """Tests that the members together give the object's own answers, on given rows or on generated ones."""
    width = int(reading.gathered.shape[0] or 0)
    if reading.like is not None:
        rows = reading.like.values[:32]
    else:
        rows = np.random.default_rng(0).uniform(0.5, 1.5, size=(32, width))
    found = model.scores(rows)
    wanted = np.asarray(answer(rows), dtype=np.float64).reshape(len(rows), -1)
    if model.combination is not None and model.combination.space == "vote share":
        # The object gives the class that won: it must have the largest share, or one of the largest.
        won = (found * wanted).sum(axis=1) >= found.max(axis=1) - _TOLERANCE
        found = np.where(won[:, None], wanted, np.nan)
    if found.shape == wanted.shape:
        apart = np.abs(found - wanted) / (1 + np.abs(wanted))
        if (apart <= _TOLERANCE).all():
            return
    raise ModelError(
        f"The members of {model.name!r} must add up to what {kind} answers, but on the first of "
        f"{len(rows)} rows they give {found[0].tolist()[:5]} where it gives {wanted[0].tolist()[:5]}. Its "
        "explanation would be wrong, so there is none. Wrap it with workbench.wrap and use KernelSHAP."
    )
