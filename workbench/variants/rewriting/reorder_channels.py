"""Hidden channels in another order: rearranged weights, the same function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import IncompatibleError
from workbench.models.torch import remade
from workbench.variants.record import copied, recorded, refuse_integers, running


@repeatable
def reorder_channels(
    model: Model, *, seed: int = 0, rows: Inputs | None = None, name: str | None = None
) -> Model:
    """A copy whose hidden channels are shuffled, with all that reads them: its scores differ by rounding.

    This is a test case in which nothing changed: any drift found between the two models is noise of the
    comparison itself.

    Args:
        seed: of the order.
        rows: to run the network on once, and to try both models on; else those it was wrapped for.
        name: of the copy.

    Raises:
        InputError: no row is known.
        IncompatibleError: no graph, or no channels that can change places.
    """
    from workbench.variants.rewriting.channels import Units, read_channels, relaid

    module = copied(model)
    refuse_integers(module, model.name)
    channels = read_channels(model, module, rows)
    makers = channels.movable()
    to = _shuffled([axis.units for axis in channels.axes], channels.pinned, seed)

    def order(units: Units) -> NDArray[np.intp]:
        return _positions(units, to)

    moved = to != np.arange(len(to))
    touched = sum(bool(moved[axis.units].any()) for axis in makers)
    if not touched:
        raise IncompatibleError(
            f"A network with two hidden channels that can change places is needed, but {model.name!r} has "
            "none. Use fold_batch_norm or static_graph for a copy that changes nothing."
        )
    relaid(channels, order)
    return recorded(
        remade(model, module, name=name or f"{model.name}, channels reordered"),
        model,
        recipe=f"reorder_channels(model, seed={seed})",
        description=f"{int(moved.sum())} hidden channels in another order",
        runs_as=running(module),
        touched=touched,
        layers=len(makers),
        rows=rows,
        notes=channels.note,
    )


def _shuffled(
    axes: list[NDArray[np.intp]], pinned: NDArray[np.bool_], seed: int
) -> NDArray[np.intp]:
    """For each unit the one that takes its place: shuffled among units that are used in the same places."""
    used: dict[int, list[tuple[int, int]]] = {}
    for i, units in enumerate(axes):
        values, counts = np.unique(units, return_counts=True)
        for unit, count in zip(values.tolist(), counts.tolist(), strict=True):
            used.setdefault(unit, []).append((i, count))
    alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for unit, uses in used.items():
        if not pinned[unit]:
            alike.setdefault(tuple(uses), []).append(unit)
    to = np.arange(len(pinned))
    chance = np.random.default_rng(seed)
    for units_alike in alike.values():
        members = np.array(units_alike)
        to[members] = chance.permutation(members)
    return to


def _positions(units: NDArray[np.intp], to: NDArray[np.intp]) -> NDArray[np.intp]:
    """The source of each position of an axis: a unit's n-th place is taken from the n-th of its successor.

    >>> _positions(np.array([0, 0, 1, 1]), np.array([1, 0]))
    array([2, 3, 0, 1])
    """
    order = np.argsort(units, kind="stable")
    starts = np.searchsorted(units[order], np.arange(len(to)))
    nth = np.empty(len(units), dtype=np.intp)
    nth[order] = np.arange(len(units)) - starts[units[order]]
    return np.asarray(order[starts[to[units]] + nth])
