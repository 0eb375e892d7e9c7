"""`Game`: one row's coalition game, and its evaluation on the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import fill_rows
from workbench.coalitions.superpixels import Superpixels
from workbench.core import Inputs, Model

_CHUNK_BYTES = 64 * 2**20  # perturbed copies in memory at once: larger batches only miss the cache


@dataclass(frozen=True, eq=False)
class Game:
    """The players of one row, and the rows that replace absent players.

    Args:
        model: the model to evaluate.
        row: the explained row `(*f)`.
        fills: rows `(b, *f)` that absent features come from.
        players: each feature's player, `(f,)` or `(h, w)`; -1 takes no part and stays present.
        names: the p players' names.
        label: the row's name in messages.
        cut: how the row was cut into players where not as asked, as a sentence; else "".
    """

    model: Model
    row: NDArray[Any]
    fills: NDArray[Any]
    players: NDArray[np.intp]
    names: tuple[str, ...]
    label: str = ""
    cut: str = ""

    @property
    def p(self) -> int:
        """The number of players."""
        return len(self.names)

    def play(
        self, masks: NDArray[np.bool_], which: NDArray[np.intp]
    ) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Scores `(m, k)` of coalitions, a batch of m at a time; coalition s uses `fills[which[s]]`."""
        step = rows_per_call(self.model, self.row)
        for start in range(0, len(masks), step):
            part = slice(start, min(start + step, len(masks)))
            yield part, self._evaluate(masks[part], which[part])

    def play_each(self, masks: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Scores `(s, k)` of coalitions with one fill each; the array fills up as in `play_averaged`."""
        scores = np.zeros((len(masks), len(self.model.outputs)))
        for part, said in self.play(masks, np.arange(len(masks))):
            scores[part] = said
            yield part.stop, scores

    def play_averaged(self, masks: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Scores `(s, k)` averaged over every fill, filling up: yields how many coalitions are done.

        The array is the same one at each step; entries beyond the count are unfinished.
        """
        b, s = len(self.fills), len(masks)
        total = np.zeros((s, len(self.model.outputs)))
        step = rows_per_call(self.model, self.row)
        for start in range(0, s * b, step):
            flat = np.arange(start, min(start + step, s * b))
            coalition, which = np.divmod(flat, b)
            scores = self._evaluate(masks[coalition], which)
            first = np.flatnonzero(np.diff(coalition, prepend=-1))
            total[coalition[first]] += np.add.reduceat(scores, first, axis=0) / b
            yield int((flat[-1] + 1) // b), total

    def empty(self) -> NDArray[np.float64]:
        """Scores `(b, k)` when every player is absent, one per fill."""
        nobody = np.zeros((len(self.fills), self.p), dtype=bool)
        return np.concatenate([v for _, v in self.play(nobody, np.arange(len(self.fills)))])

    def full(self) -> NDArray[np.float64]:
        """Scores `(1, k)` when every player is present: the row itself."""
        return self.model.scores(self.row[None])

    def _evaluate(self, masks: NDArray[np.bool_], which: NDArray[np.intp]) -> NDArray[np.float64]:
        if self.model.masked is not None:
            scores = self.model.masked(self.row, self.fills, self.players, masks, which)
        else:
            copies = perturbed(self.row, self.fills, self.players, masks, which)
            scores = self.model.predict(copies)

        def copy(at: int) -> NDArray[Any]:
            one = slice(at, at + 1)
            copies = perturbed(self.row, self.fills, self.players, masks[one], which[one])
            return np.asarray(copies[0])

        of = f" of row {self.label!r}" if self.label else ""
        return self.model.checked(scores, len(masks), what=f"perturbed copies{of}", row=copy)


def rows_per_call(model: Model, row: NDArray[Any]) -> int:
    """How many perturbed copies of a row go to a model at once."""
    return int(max(1, min(model.batch, _CHUNK_BYTES // max(1, 8 * row.size))))


def perturbed(
    row: NDArray[Any],
    fills: NDArray[Any],
    players: NDArray[np.intp],
    masks: NDArray[np.bool_],
    which: NDArray[np.intp],
) -> NDArray[Any]:
    """Perturbed copies `(s, *f)` of one row: the NumPy twin of a model's `masked`.

    >>> row, fills = np.array([1.0, 2.0, 3.0]), np.zeros((1, 3))
    >>> perturbed(row, fills, np.array([0, 1, 1]), np.array([[True, False]]), np.array([0]))
    array([[1., 0., 0.]])
    """
    always = np.ones((len(masks), 1), dtype=bool)  # the last column serves player -1
    present = np.concatenate([masks, always], axis=1)[:, players]
    present = present.reshape(present.shape + (1,) * (row.ndim - players.ndim))
    return np.where(present, row, fills[which])


@dataclass(frozen=True)
class Players:
    """How features become players: the kind of rows decides, for images by superpixels."""

    superpixels: Superpixels

    def count(self, inputs: Inputs) -> int | None:
        """The number of players where the rows share them (tables), else None."""
        return len(inputs.players()[1]) if inputs.of_kind.shared_players else None

    def counts(self, inputs: Inputs) -> tuple[int, ...]:
        """Every row's number of players; for this, images are cut into superpixels, which are kept."""
        shared = self.count(inputs)
        if shared is not None:
            return (shared,) * len(inputs)
        return tuple(len(self.of(inputs, row)[1]) for row in range(len(inputs)))

    def of(self, inputs: Inputs, row: int) -> tuple[NDArray[np.intp], tuple[str, ...]]:
        """One row's players and their names."""
        owners, names, _ = self.told(inputs, row)
        return owners, names

    def told(self, inputs: Inputs, row: int) -> tuple[NDArray[np.intp], tuple[str, ...], str]:
        """The same, and what had to be done to cut the row; see `Pieces`."""
        notes: list[str] = []

        def cut(image: NDArray[Any]) -> NDArray[np.intp]:
            pieces = self.superpixels.pieces(image)
            notes.append(pieces.note)
            return pieces.labels

        owners, names = inputs.of_kind.players(inputs, row, cut)
        return owners, names, "".join(notes[:1])


def game(model: Model, inputs: Inputs, row: int, fill: str, players: Players) -> Game:
    """The coalition game of one row."""
    owner, names, cut = players.told(inputs, row)
    return Game(
        model=model,
        row=inputs.values[row],
        fills=fill_rows(fill, inputs, row, owner),
        players=owner,
        names=names,
        label=inputs.ids[row],
        cut=cut,
    )
