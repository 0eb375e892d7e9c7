"""`Layout`: which axes of a layer's output are rows, channels and places, and the maps they make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Layout:
    """How a layer's output holds maps `(n, c, *places)`.

    Args:
        places: the maps' lengths, such as (h, w).
        rows: the axis of the rows; 1 where tokens come first.
        last: whether channels are the last of the other axes, else they are the first.
        tokens: the length of the one axis that holds all places line by line, and perhaps tokens of another
            kind (class, registers); None where every axis of places is an axis of its own.
        first: the tokens before the first place.

    Example:
        >>> import torch
        >>> out = torch.arange(10.0).reshape(1, 5, 2)  # a class token and 2 x 2 places, two channels
        >>> Layout((2, 2), last=True, tokens=5, first=1).maps(out).tolist()
        [[[[2.0, 4.0], [6.0, 8.0]], [[3.0, 5.0], [7.0, 9.0]]]]
    """

    places: tuple[int, ...]
    rows: int = 0
    last: bool = False
    tokens: int | None = None
    first: int = 0

    @property
    def aside(self) -> int:
        """The number of tokens that are no places."""
        return 0 if self.tokens is None else self.tokens - math.prod(self.places)

    @property
    def plain(self) -> bool:
        """Whether the output is the maps as they are."""
        return self.rows == 0 and not self.last and self.tokens is None

    def maps(self, out: torch.Tensor) -> torch.Tensor:
        """The maps `(n, c, *places)` in an output; a view wherever torch can make one."""
        ordered = self._ordered(out)
        if self.tokens is None:
            return ordered
        return ordered[:, :, self._held].reshape(*ordered.shape[:2], *self.places)

    def put(self, out: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """A new output with these maps `(n, c, *places)`, and the other tokens of `out`."""
        if self.tokens is None:
            made = maps.clone()
        else:
            made = self._ordered(out).clone()
            made[:, :, self._held] = maps.flatten(2)
        made = made.movedim(1, -1) if self.last else made
        return made.movedim(0, self.rows)

    def _ordered(self, out: torch.Tensor) -> torch.Tensor:
        rows_first = out.movedim(self.rows, 0)
        return rows_first.movedim(-1, 1) if self.last else rows_first

    @property
    def _held(self) -> slice:
        return slice(self.first, self.first + math.prod(self.places))


def row_axis(few: tuple[int, ...], many: tuple[int, ...], counts: tuple[int, int]) -> int | None:
    """The axis of the rows, from one output's shapes for two numbers of rows; None where there is none.

    >>> row_axis((2, 4, 8), (5, 4, 8), (2, 5)), row_axis((7, 2, 8), (7, 5, 8), (2, 5))
    (0, 1)
    >>> row_axis((8, 4, 8), (20, 4, 8), (2, 5)) is None  # four windows of each row
    True
    """
    if len(few) != len(many):
        return None
    moved = [axis for axis in range(len(few)) if few[axis] != many[axis]]
    if counts[0] == counts[1]:  # only one number of rows is possible
        moved = [axis for axis in range(min(1, len(few))) if few[axis] == counts[0]]
    if len(moved) != 1 or (few[moved[0]], many[moved[0]]) != counts:
        return None
    return moved[0]
