"""Structured pruning: channels that are really gone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import InputError
from workbench.models.torch import remade
from workbench.variants.recipes import Recipe
from workbench.variants.record import copied, recorded, refuse_integers, running


@repeatable
def prune_channels(
    model: Model, share: float, *, rows: Inputs | None = None, name: str | None = None
) -> Model:
    """A narrower copy: removes a share of every hidden layer's channels, and all weights that read them.

    Channels that are added to one another (a residual connection) go together, and are ranked by all the
    layers that make them. Input channels and outputs stay, and every layer keeps at least one channel.
    Parts of the graph that are not understood keep all their channels, and the notes name them.
    Layers keep their names.

    Args:
        share: of channels to remove, 0 to below 1; those with the smallest L2 norm of weights go, of equal
            ones the later.
        rows: to run the network on once, and to try both models on; else those it was wrapped for.
        name: of the copy.

    Raises:
        InputError: a share outside 0..1; no row is known.
        IncompatibleError: no graph, or no channel that can be removed.

    Source: Li et al. 2017, section 3. **Differs:** L2 in place of L1 norms, and coupled channels are
        weighed together, as by Fang et al. 2023.
    """
    if not 0 <= share < 1:
        raise InputError(
            f"share must be a share of channels from 0 to below 1, not {share!r}. Give 0.5 to remove half "
            "of every hidden layer."
        )
    from workbench.variants.rewriting import Units, read_channels, relaid

    module = copied(model)
    refuse_integers(module, model.name)
    channels = read_channels(model, module, rows)
    makers = channels.movable()
    parts: dict[str, Any] = dict(module.named_modules())
    norms = np.zeros(len(channels.pinned))
    for axis in makers:
        dim = dict(axis.tensors)["weight"]
        weight = parts[axis.layer].weight.detach().double().movedim(dim, 0).flatten(1)
        norms[axis.units] += weight.square().sum(1).cpu().numpy()
    gone = _weakest([axis.units for axis in makers], norms, channels.pinned, share)

    def kept(units: Units) -> NDArray[np.intp]:
        return np.flatnonzero(~gone[units])

    relaid(channels, kept)
    label = name or f"{model.name}, {share:.0%} of channels removed"
    count = int(gone.sum())
    return recorded(
        remade(model, module, name=label),
        model,
        recipe=f"prune_channels(model, {share})",
        description=f"the weakest {share:.0%} of channels removed ({count})",
        runs_as=running(module),
        touched=sum(bool(gone[axis.units].any()) for axis in makers),
        layers=len(makers),
        rows=rows,
        notes=channels.note,
    )


def _weakest(
    makers: list[NDArray[np.intp]],
    norms: NDArray[np.float64],
    pinned: NDArray[np.bool_],
    share: float,
) -> NDArray[np.bool_]:
    """Whether each unit goes `(units,)`: the same share from every set of layers that share units.

    >>> _weakest([np.arange(4)], np.array([4.0, 1.0, 2.0, 3.0]), np.zeros(4, dtype=bool), 0.5)
    array([False,  True,  True, False])
    """
    gone = np.zeros(len(pinned), dtype=np.bool_)
    for together in _coupled(makers):
        mine = np.unique(np.concatenate([makers[i] for i in together]))
        mine = mine[~pinned[mine]]
        order = mine[np.lexsort((-mine, norms[mine]))]
        left = [len(np.unique(makers[i])) for i in together]
        wanted = round(share * len(mine))
        for unit in order:
            if not wanted:
                break
            at = [j for j, i in enumerate(together) if unit in makers[i]]
            if all(left[j] > 1 for j in at):
                gone[unit] = True
                wanted -= 1
                for j in at:
                    left[j] -= 1
    return gone


def _coupled(makers: list[NDArray[np.intp]]) -> list[list[int]]:
    """Layers in sets that share units, directly or through other layers."""
    sets: list[tuple[list[int], set[int]]] = []
    for i, units in enumerate(makers):
        mine = set(units.tolist())
        apart = [one for one in sets if not one[1] & mine]
        joined = [one for one in sets if one[1] & mine]
        members = sorted([i, *(j for one in joined for j in one[0])])
        sets = [*apart, (members, mine.union(*(one[1] for one in joined)))]
    return [members for members, _ in sets]


RECIPE = Recipe(
    "prune_channels",
    "Channels removed",
    "prune_channels",
    "share of channels removed",
    (0.25, 0.5, 0.75),
    order=23,
)
