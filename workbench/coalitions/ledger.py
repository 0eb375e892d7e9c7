"""`Ledger`: players' credit, row by row, on its way to an `Estimate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import left_as_it_was
from workbench.coalitions.game import Game
from workbench.coalitions.precision import Spread
from workbench.core import Estimate, Inputs, Model, Target, resolve_targets

Array = NDArray[np.float64]
Entry = tuple[Array, Spread | None, Array]
"""Credit `(p, t)`, how far it may be off or None where it is exact, and the base `(t,)` of one row."""


class Ledger:
    """Collects entries and spreads credit over each player's features, so that sums stay right.

    Attributes:
        weights: every target's weights over the model's outputs `(t, n, k)`.
        output: the explained numbers `(t, n)`.
    """

    def __init__(self, model: Model, inputs: Inputs, targets: Sequence[Target]) -> None:
        scores, self.weights = resolve_targets(model, inputs, targets)
        self.output = np.einsum("tnk,nk->tn", self.weights, scores)
        self._inputs = inputs
        shape = inputs.places
        self._values = np.full((len(targets), len(inputs), *shape), np.nan)
        self._error = np.full(self._values.shape, np.nan)
        self._freedom = np.full(self.output.shape, np.inf)
        self._base = np.full(self.output.shape, np.nan)
        self._players = np.full((len(inputs), *shape), -1, dtype=np.intp)
        self._names: tuple[str, ...] = ()
        self._sampled = False
        self._hidden: dict[int, tuple[int, int]] = {}
        self._draws: NDArray[np.intp] | None = None
        self._finished = np.zeros(len(inputs), dtype=np.bool_)

    def explained(self, row: int, scores: Array) -> Array:
        """Scores `(s, k)` of perturbed copies of one row as target values `(s, t)`."""
        return scores @ self.weights[:, row].T

    def enter(
        self, row: int, players: NDArray[np.intp], names: tuple[str, ...], entry: Entry
    ) -> None:
        """Keep one row's result."""
        self._enter(row, players, names, entry)
        self._finished[row] = True

    def _enter(
        self, row: int, players: NDArray[np.intp], names: tuple[str, ...], entry: Entry
    ) -> None:
        credit, spread, base = entry
        member = players >= 0
        owner = players[member]
        size = np.bincount(owner, minlength=len(names))
        self._values[:, row] = 0.0
        self._values[:, row, member] = (credit / size[:, None])[owner].T
        self._error[:, row] = 0.0
        self._freedom[:, row] = np.inf
        if spread is not None:
            self._sampled = True
            self._error[:, row, member] = (spread.error / size[:, None])[owner].T
            self._freedom[:, row] = spread.freedom
        self._base[:, row] = base
        self._players[row] = players
        self._names = max(self._names, names, key=len)

    def enter_map(self, row: int, maps: Array) -> None:
        """Keep one image's result by place `(t, h, w)`, where windows overlap and none owns a place."""
        self._values[:, row] = maps
        self._finished[row] = True

    def drew(self, row: int, count: int) -> None:
        """Records how many samples a row took, where that differs between models."""
        if self._draws is None:
            self._draws = np.zeros(len(self._inputs), dtype=np.intp)
        self._draws[row] = count

    def saw(self, row: int, left: NDArray[np.bool_]) -> None:
        """Records which of a row's parts the fill left unchanged `(p,)`."""
        self._hidden[row] = int(left.sum()), len(left)

    def saw_fills(self, row: int, game: Game) -> None:
        """The same of a game's players."""
        self.saw(row, left_as_it_was(game.row, game.fills, game.players))

    def estimate(self, notes: tuple[str, ...] = ()) -> Estimate:
        """The estimate so far; rows without an entry hold NaN."""
        players: NDArray[np.intp] | None = self._players
        if self._inputs.of_kind.shared_players:
            players = self._players.max(axis=0)
        elif not self._names:
            players = None  # no player owns these places
        return Estimate(
            values=self._values.copy(),
            output=self.output,
            base=self._base.copy(),
            error=self._error.copy() if self._sampled else None,
            freedom=self._freedom.copy() if self._sampled else None,
            draws=None if self._draws is None else self._draws.copy(),
            players=None if players is None else players.copy(),
            player_names=self._names,
            notes=notes + self._not_hidden(),
            finished=self._finished.copy(),
        )

    def _not_hidden(self) -> tuple[str, ...]:
        """The note for rows where covering a part did not change it."""
        left = sum(count for count, _ in self._hidden.values())
        if not left:
            return ()
        rows = [row for row, (count, _) in self._hidden.items() if count]
        hidden = sum(count for _, count in self._hidden.values())
        other = " or background" if self._inputs.of_kind.columns else ""
        return (
            f"The fill left {left:,} of {hidden:,} parts as they were (rows "
            f"{self._inputs.some_ids(rows)}): "
            f"the values say nothing about these parts. To see them, choose another fill{other}.",
        )

    def preview(
        self, row: int, game: Game, solve: Callable[[], Entry | None], notes: tuple[str, ...] = ()
    ) -> Callable[[], Estimate]:
        """A function that estimates with the results so far of the row in progress."""

        def estimate() -> Estimate:
            entry = solve()
            if entry is not None:
                self._enter(row, game.players, game.names, entry)
            return self.estimate(notes)

        return estimate


def average(values: NDArray[Any]) -> Array:
    """The mean over the first axis, in float64."""
    return np.asarray(np.mean(values, axis=0, dtype=np.float64))
