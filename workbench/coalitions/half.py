"""Perturbed copies in bfloat16, and the check that this did no harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.game import Game
from workbench.coalitions.ledger import Entry
from workbench.errors import IncompatibleError

Array = NDArray[np.float64]
Precision = Literal["full", "bfloat16"]
"""How a model computes the scores of perturbed copies.

- "full": in its own precision;
- "bfloat16": in 16 bits, where a check finds that this moves the values by less than their standard
  error; else the row is done again in full.
"""
CHECKED = 64
"""How many coalitions of a row are asked about in both precisions."""


def attempts(one: Game, precision: Precision) -> tuple[Game, ...]:
    """One row's game as it is to be played: in bfloat16 first, if that is asked for, then in full.

    Raises:
        IncompatibleError: the model cannot compute in bfloat16.
    """
    if precision == "full":
        return (one,)
    model = one.model
    if model.masked_half is None:
        raise IncompatibleError(
            f"precision='bfloat16' needs a model that can compute in bfloat16, but {model.name!r} provides "
            f"only {list(model.capabilities)}. Use precision='full', or wrap a torch module."
        )
    return replace(one, model=replace(model, masked=model.masked_half)), one


def rows_asked(precision: Precision, masks: int) -> tuple[int, int]:
    """The fewest and the most coalitions that are asked about to know `masks` of them.

    >>> rows_asked("full", 1000), rows_asked("bfloat16", 1000)
    ((1000, 1000), (1064, 2064))
    """
    if precision == "full" or masks == 0:
        return masks, masks
    checked = min(CHECKED, masks)
    return masks + checked, 2 * masks + checked


@dataclass
class HalfCheck:
    """Whether bfloat16 did no harm, row by row, and how to say so.

    Attributes:
        moved: by how many standard errors each row's values moved, all players together.
    """

    moved: list[float] = field(default_factory=list)

    def harmless(
        self,
        one: Game,
        masks: NDArray[np.bool_],
        values: Array,
        explained: Callable[[Array], Array],
        solve: Callable[[Array], Entry],
    ) -> bool:
        """Whether one row's values moved by less than their standard error.

        An evenly spread sample of coalitions is asked about again in full. What the difference there
        does to the solution, scaled up to all coalitions, is the estimated harm; it holds the sample's
        own chance too, so it is rather too large.

        Args:
            one: the row's game in full precision.
            masks: all coalitions `(s, p)`.
            values: their values in bfloat16 `(s, t)`.
            explained: scores `(m, k)` to target values `(m, t)`.
            solve: values `(s, t)` to credit and standard errors; linear in the values.
        """
        sample = np.unique(np.linspace(0, len(masks) - 1, CHECKED).astype(np.intp))
        full = np.empty((len(sample), values.shape[1]))
        for _, scores in one.play_averaged(masks[sample]):
            full[:] = explained(scores)  # the last time they are whole
        better = values.copy()
        better[sample] += (full - values[sample]) * len(masks) / len(sample)
        credit, error, _ = solve(values)
        if error is None:  # nothing was sampled: there is no error to hide behind
            self.moved.append(float("inf"))
            return False
        harm = np.linalg.norm(solve(better)[0] - credit, axis=0)
        noise = np.linalg.norm(error, axis=0)
        share = np.divide(harm, noise, out=np.where(harm > 0, np.inf, 0.0), where=noise > 0)
        self.moved.append(float(share.max()))
        return self.moved[-1] <= 1.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found, in words; nothing before the first row."""
        if not self.moved:
            return ()
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
        return tuple(said)
