"""Occlusion: how much the score falls when one part is taken away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.contrast import span
from workbench.coalitions.fills import (
    Fill,
    chosen_fill,
    fill_count,
    fill_rows,
    left_as_it_was,
    missing_for,
    window_fills,
)
from workbench.coalitions.game import Game, Players, game, rows_per_call
from workbench.coalitions.ledger import Ledger
from workbench.coalitions.samplers import all_but_one
from workbench.coalitions.superpixels import Superpixels
from workbench.coalitions.windows import Windows
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
from workbench.core.kinds import PLACED
from workbench.errors import InputError

_PLAYERS = Players(Superpixels())  # asked only where rows name their own players


@dataclass(frozen=True)
class Occlusion:
    """The score of the row minus its score without one column, group or window.

    Tables: one player at a time is replaced by the fill (the mean over the background). Images, signals and
    volumes: a window of `window` places along every axis slides by `stride`, the last one up to
    the border, and is replaced as a whole; a place's value is the mean over the windows that covered it.
    Values do not sum to the output: parts that stand in for each other all look unimportant.

    Source: Zeiler & Fergus (2014).
    **Differs:** a window is filled with a color chosen away from what it covers ("contrast"), since gray on
    gray hides nothing; give `fill="mean"` for the row's mean color.
    """

    window: Annotated[int, Range(1, 512), Doc("side of the window, places", *PLACED)] = 8
    stride: Annotated[int, Range(1, 512), Doc("how far it moves, places", *PLACED)] = 4
    fill: Annotated[Fill, Doc("what replaces the part")] = "auto"

    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = False
    linear: ClassVar[bool] = True
    any_kind: ClassVar[bool] = True
    source: ClassVar[str] = "Zeiler & Fergus 2014"
    order: ClassVar[int] = 6
    referee: ClassVar[str] = "captum.ablation"
    quick: ClassVar = {"window": 4, "stride": 2}

    def __post_init__(self) -> None:
        check_parameters(self)
        if self.stride > self.window:
            raise InputError(
                f"Occlusion.stride ({self.stride}) must not exceed its window ({self.window}), or some "
                "places would never be covered."
            )

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for(self.fill, inputs)

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row without each of its parts, over every fill."""
        if inputs.of_kind.windows:
            parts = len(inputs) * len(self._windows(inputs))
        else:
            parts = sum(_PLAYERS.counts(inputs))
        return Evaluations.exactly(parts * fill_count(self.fill, inputs))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of occluded copies."""
        by_windows = inputs.of_kind.windows
        return (self._rows if by_windows else self._players)(model, inputs, targets)

    def _players(
        self, model: Model, inputs: Inputs, targets: Sequence[Target]
    ) -> Iterator[Progress]:
        ledger = Ledger(model, inputs, targets)
        nothing = np.full(len(targets), np.nan)
        for row in range(len(inputs)):
            one = game(model, inputs, row, self.fill, _PLAYERS)
            masks = all_but_one(one.p)
            ledger.saw_fills(row, one)
            for done, scores in one.play_averaged(masks):  # noqa: B007 - read after the loop
                if done < len(masks):
                    step = row * 1000 + 999 * done // len(masks)
                    yield Progress(step, len(inputs) * 1000, ledger.estimate)
            drop = ledger.output[:, row] - ledger.explained(row, scores)
            ledger.enter(row, one.players, one.names, (drop, None, nothing))
            yield Progress((row + 1) * 1000, len(inputs) * 1000, ledger.estimate)

    def _rows(self, model: Model, inputs: Inputs, targets: Sequence[Target]) -> Iterator[Progress]:
        ledger = Ledger(model, inputs, targets)
        windows = self._windows(inputs)
        count, b = len(windows), fill_count(self.fill, inputs)
        own = chosen_fill(self.fill, inputs) == "contrast"
        names = ("",) * (int(windows.players.max()) + 1)
        drops, left = np.empty((count, len(targets))), np.empty(count, dtype=bool)
        for row, image in enumerate(inputs.values):
            fills = None if own else fill_rows(self.fill, inputs, row)
            at_once = max(1, rows_per_call(model, image) // b)
            for start in range(0, count, at_once):
                part = slice(start, min(start + at_once, count))
                masks = windows.masks(part)
                covers = window_fills(image, windows, part) if fills is None else fills
                one = Game(model, image, covers, windows.players, names, inputs.ids[row])
                played = one.play_each(masks) if own else one.play_averaged(masks)
                for done, scores in played:  # noqa: B007 - read after the loop
                    if start + done < count:
                        step = row * 1000 + 999 * (start + done) // count
                        yield Progress(step, len(inputs) * 1000, ledger.estimate)
                drops[part] = ledger.output[:, row] - ledger.explained(row, scores)
                left[part] = _left(one, masks, own=own)
            ledger.enter_map(row, windows.mean_over(drops))
            ledger.saw(row, left)
            yield Progress((row + 1) * 1000, len(inputs) * 1000, ledger.estimate)

    def _windows(self, inputs: Inputs) -> Windows:
        return Windows(inputs.places, self.window, self.stride)


def _left(one: Game, masks: NDArray[np.bool_], *, own: bool) -> NDArray[np.bool_]:
    """Which windows hide nothing: a color of their own moves them wherever the row has two."""
    if own:
        low, high = span(one.row)
        return np.full(len(masks), bool((low == high).all()))
    cells = left_as_it_was(one.row, one.fills, one.players)
    return np.asarray((masks | cells).all(axis=1))
