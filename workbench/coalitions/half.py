"""Perturbed copies in bfloat16, and the check that this is precise enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.game import Game
from workbench.coalitions.ledger import Entry
from workbench.core import Model
from workbench.errors import IncompatibleError

Array = NDArray[np.float64]
Precision = Literal["full", "bfloat16"]
"""How a model computes the scores of perturbed copies.

- "full": in its own precision;
- "bfloat16": in 16 bits, where a check finds that this moves the values by less than their standard
  error; else the row is done again in full.
"""
CHECKED = 64
"""So many coalitions of a row are evaluated in both precisions."""
UNCHECKED = "The last row was stopped in bfloat16, before it was checked that this does no harm."
"""The note for a row that is still computed in bfloat16."""

Solve = Callable[[Array], Entry]


def unfit(model: Model, precision: Precision) -> str | None:
    """Why a model cannot be asked in this precision, as the rest of a sentence, or None when it can."""
    if precision == "full" or model.masked_half is not None:
        return None
    return (
        f"has precision='bfloat16', but model {model.name!r} cannot compute in bfloat16. Use "
        "precision='full', or wrap a torch module in single precision."
    )


def attempts(one: Game, precision: Precision) -> tuple[Game, ...]:
    """One row's game in each precision to try: first in bfloat16, where that was chosen, then in full."""
    if precision == "full":
        return (one,)
    return replace(one, model=replace(one.model, masked=one.model.masked_half)), one


def rows_asked(precision: Precision, masks: int) -> tuple[int, int]:
    """The fewest and the most coalitions to evaluate in order to know `masks` of them.

    >>> rows_asked("full", 1000), rows_asked("bfloat16", 1000)
    ((1000, 1000), (1064, 2064))
    """
    if precision == "full" or masks == 0:
        return masks, masks
    checked = min(CHECKED, masks)
    return masks + checked, 2 * masks + checked


@dataclass
class HalfCheck:
    """Whether bfloat16 was precise enough, row by row, and a note on it.

    Attributes:
        moved: by how many standard errors each row's values moved, all players together.
        exact: rows where nothing was sampled, so that no standard error exceeds the rounding.
    """

    moved: list[float] = field(default_factory=list)
    exact: int = 0

    def harmless(
        self, values: Array, in_full: Callable[[NDArray[np.intp]], Array], solve: Solve
    ) -> bool:
        """Whether one row's values moved by less than their standard error.

        An evenly spread sample of coalitions is evaluated again in full precision. The effect of the
        difference on the solution, scaled up to all coalitions, is compared with the error; it includes
        the sample's own chance, so it is rather too large.

        Args:
            values: the coalitions' values in bfloat16 `(s, t)`.
            in_full: the places of some coalitions `(m,)` to their values in full precision `(m, t)`.
            solve: values `(s, t)` to credit and standard errors; linear in the values.
        """
        sample = np.unique(np.linspace(0, len(values) - 1, CHECKED).astype(np.intp))
        better = values.copy()
        better[sample] += (in_full(sample) - values[sample]) * len(values) / len(sample)
        credit, rounded, _ = solve(values)
        other, spread, _ = solve(better)
        if rounded is None or spread is None:
            raise IncompatibleError("Where nothing is sampled there is no error to hide behind.")
        harm = np.linalg.norm(other - credit, axis=0)
        # Rounding looks like chance, so it must not be part of the error it is compared with.
        noise = np.linalg.norm(np.minimum(rounded.error, spread.error), axis=0)
        share = np.divide(harm, noise, out=np.where(harm > 0, np.inf, 0.0), where=noise > 0)
        self.moved.append(float(share.max()))
        return self.moved[-1] <= 1.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found, in words; nothing before the first row."""
        fine = [moved for moved in self.moved if moved <= 1.0]
        rows, again = len(self.moved), len(self.moved) - len(fine)
        said = []
        if fine:
            said.append(
                f"{len(fine)} of {rows} rows were computed in bfloat16, which moved their values by at "
                f"most {max(fine):.2g} standard errors (checked on {CHECKED} coalitions each)."
            )
        if again:
            said.append(
                f"{again} of {rows} rows were computed in full precision, because bfloat16 would have "
                "moved their values by more than the standard error."
            )
        if self.exact:
            said.append(
                f"{self.exact} of {rows + self.exact} rows were computed in full precision: nothing was "
                "sampled there, so no error would hide what bfloat16 does."
            )
        return tuple(said)
