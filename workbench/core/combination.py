"""How members' scores may be combined, and the weights that say how much each counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InputError

Array = NDArray[np.float64]

Form = Literal["weighted mean", "weighted sum", "not linear"]
"""How members' scores are combined: averaged in their own unit, added up as contributions in the
ensemble's unit, or by a rule that is not linear."""

Rule = Callable[[Sequence[Array], NDArray[Any]], Array]
"""Takes the members' scores `(n, k_m)` and the rows `(n, *f)`; returns the ensemble's scores `(n, K)`."""

_DIVIDED = "The weights were divided by their sum"
_SILENT = "Members with weight 0 are shown and have no say"


def checked_weights(
    weights: ArrayLike | Mapping[str, float] | None, names: Sequence[str]
) -> tuple[Array, tuple[str, ...]]:
    """Weights `(m,)` that sum to one, and notes on how they were changed.

    >>> checked_weights([2, 2], ["a", "b"])
    (array([0.5, 0.5]), ('The weights were divided by their sum, 4.',))

    Args:
        weights: one per member, by position or by name; equal when None.
        names: the m members' names.

    Raises:
        InputError: there are too few or too many weights, a name is not a member's, or weights are
            negative, not finite or all zero.
    """
    if weights is None:
        return np.full(len(names), 1 / len(names)), ()
    if isinstance(weights, Mapping):
        unknown = [one for one in weights if one not in names]
        missing = [one for one in names if one not in weights]
        if unknown or missing:
            raise InputError(
                f"Weights by name need one entry per member {list(names)[:20]}, but lack {missing[:8]} "
                f"and name {unknown[:8]}, which are no members. A member without a say has weight 0."
            )
        weights = [weights[one] for one in names]
    try:
        given = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.array(np.nan)
    if given.shape != (len(names),) or not np.isfinite(given).all():
        raise InputError(
            f"Weights need one finite number for each of {len(names)} members {list(names)[:8]}, but are "
            f"{weights!r}."
        )
    if (given < 0).any():
        wrong = [f"{n!r} ({w:g})" for n, w in zip(names, given, strict=True) if w < 0]
        raise InputError(
            f"Weights must not be negative, but those of {', '.join(wrong[:8])} are. Give 0 to leave a "
            "member without a say."
        )
    if not given.any():
        raise InputError("At least one weight must be above zero, but all are zero.")
    # Scaled by a power of two, which is exact: a sum of very large weights would not be finite.
    scaled = np.ldexp(given, -np.frexp(given.max())[1])
    share = scaled / scaled.sum()
    with np.errstate(over="ignore"):
        total = float(given.sum())
    notes: tuple[str, ...] = ()
    if abs(total - 1) > 1e-9:
        notes = (f"{_DIVIDED}, {total:g}.",)
    silent = [n for n, w in zip(names, given, strict=True) if w == 0]
    if silent:
        notes += (f"{_SILENT}: {silent[:8]}.",)
    return share, notes


def tells_weights(note: str) -> bool:
    """Whether a note is about weights, so that it does not hold under others."""
    return note.startswith((_DIVIDED, _SILENT))
