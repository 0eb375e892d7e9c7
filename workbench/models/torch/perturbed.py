"""Perturbed copies of one row, built on the module's device, so that only bits are moved there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


class Perturbed:
    """From masks to copies of the row in which absent features come from a fill.

    Args:
        here: the row as the module would get it `(*f)`.
        absent: the rows that replace absent features `(b, *f)`.
        players: each feature's player in the row's layout, `(f,)`, `(*places)` or `(*places, c)`; -1 for
            none.
        turned: whether `here` has its channels first, and the row's layout has them last.
    """

    def __init__(
        self,
        here: torch.Tensor,
        absent: torch.Tensor,
        players: NDArray[Any],
        *,
        turned: bool = False,
    ) -> None:
        import torch

        self._here, self._absent = here, absent
        owner = torch.tensor(np.ascontiguousarray(players), dtype=torch.long, device=here.device)
        if turned:
            owner = owner[None] if owner.ndim < here.ndim else owner.movedim(-1, 0)
        while owner.ndim < here.ndim:  # all channels of one place belong to one player
            owner = owner[..., None]
        self._owner = owner
        columns = players.shape == tuple(here.shape)
        self._own = columns and np.array_equal(players, np.arange(len(here)))

    def __call__(self, masks: NDArray[Any], which: NDArray[Any]) -> torch.Tensor:
        """One copy for each of the masks `(m, p)`, its absent players from the fill at `which` `(m,)`."""
        import torch

        device = self._here.device
        bits = torch.tensor(np.ascontiguousarray(masks), dtype=torch.bool)
        if not self._own:  # where every column is its own player, bits are columns already
            always = torch.ones((len(bits), 1), dtype=torch.bool)  # the column for player -1
            bits = torch.cat([bits, always], dim=1)
        present = bits.to(device)
        if not self._own:
            present = present[:, self._owner]  # -1 picks the last column
        fill = torch.tensor(np.ascontiguousarray(which), dtype=torch.long)
        behind = self._absent.index_select(0, fill.to(device))
        return torch.where(present, self._here, behind)
