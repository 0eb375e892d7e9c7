"""Rows that an explanation says nothing about: every value is zero, or below the rounding of the scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.core.attribution import Attribution

ROUNDING = 2.0**-22
"""A share of a score's size. Single precision keeps 24 binary digits; a value is the difference of two
scores, and each of them loses one digit to sums in another order (other batches)."""


def unexplained_rows(attribution: Attribution) -> NDArray[np.bool_]:
    """Rows whose values are all zero or below the rounding of their scores `(n,)`.

    Such a row is no evidence that no feature matters, and two of them do not agree about anything. The
    rounding of a row is `ROUNDING` times the size of its output, or of its base where that is larger.
    Credit is judged per player where there are players, else per column or place.
    """
    found = np.array([np.abs(credit).max(initial=0.0) for credit in _credit(attribution)])
    return np.asarray(found <= _rounding(attribution), dtype=bool)


def with_unexplained_noted(attribution: Attribution) -> Attribution:
    """The attribution, with a note on the rows that have no explanation, or nothing to explain.

    With an additive method, a row whose output equals its base rightly has values of zero.
    """
    nothing = unexplained_rows(attribution)
    if not nothing.any():
        return attribution
    tiny = _rounding(attribution)
    apart = np.abs(attribution.output - attribution.base) > tiny  # False where there is no base
    additive = getattr(attribution.method, "additive", False) and np.isfinite(attribution.base)
    shared = nothing & additive & ~apart
    silent = nothing & ~shared
    notes = list(attribution.notes)
    if silent.any():
        notes.append(
            f"Every value is 0 or below rounding in {_named(attribution, silent)}: there the explanation "
            "names nothing that the model reads. "
            + _evidence(attribution, apart=bool((silent & apart).any()))
        )
    if shared.any():
        notes.append(
            f"Every value is 0 or below rounding in {_named(attribution, shared)}, where the output is the "
            "base: there was nothing to share out."
        )
    return replace(attribution, provenance=replace(attribution.provenance, notes=tuple(notes)))


def _evidence(attribution: Attribution, *, apart: bool) -> str:
    """A sentence on whether the model may read these rows; `apart`: rows whose output is not their base."""
    output = attribution.output
    moves = np.ptp(output) > _rounding(attribution).max()
    if moves or apart:
        change = "changes from row to row" if moves else "is not the base"
        return (
            f"Yet the output {change}, so this is no proof that nothing counts: what was put in a part's "
            "place may have been like it, the score saturated, or what speaks against the output cut off "
            "at 0."
        )
    if len(output) == 1:
        return "Whether it reads this row at all cannot be seen from one row."
    return "The output is the same in all rows: it reads nothing that differs in them, or is saturated."


def _rounding(attribution: Attribution) -> NDArray[np.float64]:
    base = np.nan_to_num(np.abs(attribution.base), nan=0.0)
    return np.asarray(ROUNDING * np.maximum(np.abs(attribution.output), base))


def _credit(attribution: Attribution) -> list[NDArray[np.float64]]:
    rows = range(len(attribution))
    if attribution.players is None:
        return [attribution.values[row] for row in rows]
    return [attribution.by_player(row) for row in rows]


def _named(attribution: Attribution, rows: NDArray[np.bool_]) -> str:
    which = np.flatnonzero(rows).tolist()
    count = f"{len(which):,} of {len(rows):,} rows" if len(rows) > 1 else "row"
    return f"{count} ({attribution.inputs.some_ids(which)})"
