"""Gradients at the rows themselves: a batch of rows at a time, all targets from one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Estimate, Inputs, Model, Progress, Target, resolve_targets
from workbench.errors import IncompatibleError

Array = NDArray[np.float64]
Combine = Callable[[NDArray[Any], Array], Array]
"""From rows `(m, *f)` and gradients `(t, m, *f)` to values `(t, m, *f)`."""


def slope_values(
    model: Model,
    inputs: Inputs,
    targets: Sequence[Target],
    combine: Combine,
    *,
    sums_groups: bool,
    note: str = "",
) -> Iterator[Progress]:
    """Progress of values that follow from each row and its gradient, one batch of rows at a time.

    Args:
        model: a model with the `gradient` capability.
        inputs: the rows.
        targets: what is explained.
        combine: the method's formula.
        sums_groups: whether the values of a group's columns may be added; the group is then the player.
        note: what the user should read beside values of rows with groups.
    """
    if model.gradient is None:
        raise IncompatibleError(f"A gradient is needed, and model {model.name!r} has none.")
    scores, weights = resolve_targets(model, inputs, targets)
    output = np.einsum("tnk,nk->tn", weights, scores)
    values = np.full((len(targets), *inputs.values.shape), np.nan)
    base = np.full(output.shape, np.nan)
    grouped, players, names = groups_of(inputs)
    owned = grouped and sums_groups

    def estimate() -> Estimate:
        return Estimate(
            values=values.copy(),
            output=output,
            base=base,
            players=players if owned else None,
            player_names=names if owned else (),
            notes=(note,) if grouped and note else (),
        )

    for start in range(0, len(inputs), model.batch):
        part = slice(start, min(start + model.batch, len(inputs)))
        rows = inputs.values[part]
        _, gradients = model.gradient(rows, weights[:, part])
        values[:, part] = combine(rows, np.asarray(gradients, dtype=np.float64))
        yield Progress(part.stop, len(inputs), estimate)


def groups_of(inputs: Inputs) -> tuple[bool, NDArray[np.intp] | None, tuple[str, ...]]:
    """Whether some columns of a table form one player, and if so each column's player and their names."""
    if not inputs.of_kind.columns or not inputs.groups:
        return False, None, ()
    players, names = inputs.players()
    return (True, players, names) if len(names) < len(players) else (False, None, ())


SUMMED = "The value of a group is the sum of its columns' values."
"""What stands beside summed values, where the sum is what the group as a whole would get."""

COLUMNS = "Every column has a value of its own: groups are not played, since sizes do not add up."
"""What stands beside values that do not add up over the columns of a group."""
