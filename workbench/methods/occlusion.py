"""Occlusion: how much the score falls when one part is taken away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import Fill, fill_count, fill_rows, missing_for
from workbench.coalitions.game import Game
from workbench.coalitions.ledger import Ledger
from workbench.coalitions.samplers import all_but_one
from workbench.coalitions.superpixels import grid_cells
from workbench.core import (
    Doc,
    Evaluations,
    Inputs,
    Model,
    Progress,
    Range,
    Target,
    check_parameters,
)
from workbench.errors import InputError


@dataclass(frozen=True)
class Occlusion:
    """The score of the row minus its score without one column, group or window.

    Tables: one player at a time is replaced by the fill (the mean over the background). Images: a square
    window slides by `stride`; a place's value is the mean over the windows that covered it.
    Values do not sum to the output: parts that stand in for each other all look unimportant.

    Source: Zeiler & Fergus (2014).
    """

    window: Annotated[int, Range(1, 512), Doc("side of the window, pixels", "image")] = 8
    stride: Annotated[int, Range(1, 512), Doc("how far it moves, pixels", "image")] = 4
    fill: Annotated[Fill, Doc("what replaces the part")] = "auto"

    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar = ("tabular", "image")
    additive: ClassVar[bool] = False
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Zeiler & Fergus 2014"
    order: ClassVar[int] = 6

    def __post_init__(self) -> None:
        check_parameters(self)
        if self.stride > self.window:
            raise InputError(
                f"Occlusion.stride ({self.stride}) must not exceed its window ({self.window}), or some "
                "pixels would never be covered."
            )

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for(self.fill, inputs)

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row without each of its parts, over every fill."""
        if inputs.kind == "tabular":
            parts = len(inputs.players()[1])
        else:
            down, across = self._places(*inputs.values.shape[1:3])
            parts = len(down) * len(across)
        return Evaluations.exactly(len(inputs) * parts * fill_count(self.fill, inputs))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of occluded copies."""
        ledger = Ledger(model, inputs, targets)
        if inputs.kind == "tabular":
            players, names = inputs.players()
            masks = all_but_one(len(names))
        else:
            players, names, masks = self._windows(*inputs.values.shape[1:3])
        covered = np.maximum((~masks).sum(axis=0), 1)
        for row in range(len(inputs)):
            fills = fill_rows(self.fill, inputs, row, players if inputs.kind == "image" else None)
            one = Game(model, inputs.values[row], fills, players, names, inputs.ids[row])
            for done, scores in one.play_averaged(masks):  # noqa: B007 - read after the loop
                if done < len(masks):
                    step = row * 1000 + 999 * done // len(masks)
                    yield Progress(step, len(inputs) * 1000, ledger.estimate)
            drop = ledger.output[:, row] - ledger.explained(row, scores)
            credit = (~masks).T.astype(float) @ drop / covered[:, None]
            nothing = np.full(len(targets), np.nan)
            ledger.enter(row, players, names, (credit, None, nothing))
            yield Progress((row + 1) * 1000, len(inputs) * 1000, ledger.estimate)

    def _places(self, h: int, w: int) -> tuple[range, range]:
        """The first cell of every window, downwards and across."""
        return (
            range(max(1, -(-h // self.stride) - self._reach + 1)),
            range(max(1, -(-w // self.stride) - self._reach + 1)),
        )

    @property
    def _reach(self) -> int:
        """The window's side in cells."""
        return max(1, round(self.window / self.stride))

    def _windows(
        self, h: int, w: int
    ) -> tuple[NDArray[np.intp], tuple[str, ...], NDArray[np.bool_]]:
        """Cells of `stride` pixels as players, and the coalitions that lack the cells of one window."""
        cells = grid_cells(h, w, self.stride)
        down, across = -(-h // self.stride), -(-w // self.stride)
        reach = self._reach
        rows, columns = self._places(h, w)
        masks = [
            np.isin(
                np.arange(down * across),
                ((np.arange(i, i + reach) * across)[:, None] + np.arange(j, j + reach)).ravel(),
                invert=True,
            )
            for i in rows
            for j in columns
        ]
        names = tuple(f"cell {i}" for i in range(down * across))
        return cells, names, np.array(masks)
