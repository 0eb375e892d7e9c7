"""PermutationSHAP: Shapley values as mean marginal contributions along permutations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import Fill, missing_for
from workbench.coalitions.game import Game, Players, game
from workbench.coalitions.ledger import Entry, Ledger
from workbench.coalitions.samplers import Permutations, permutations
from workbench.coalitions.superpixels import Segmentation, Superpixels
from workbench.core import Doc, Inputs, Model, Progress, Range, Target, check_parameters
from workbench.errors import InputError

Array = NDArray[np.float64]
_SHORT = (
    "The budget allowed one rotation over the background, so the standard errors still hold the "
    "variance between background rows and are too large. Double the budget for honest ones."
)


@dataclass(frozen=True)
class PermutationSHAP:
    """Shapley values by walking permutations of the players, with standard errors.

    Each permutation is walked forward and backward (an antithetic pair) over *one* fill, and the fills
    rotate, so that after every rotation each background row has been used equally often and the values
    sum to output minus base exactly. One background row per permutation buys many more permutations than
    averaging the whole background in every coalition: several times fewer model rows for the same error.

    Standard errors: after two or more whole rotations, the variance of pairs *within* a background row
    (the rotation removes the variance between rows); before that, of all pairs, which is too large.

    Source: Castro, Gómez & Tejada (2009); Mitchell et al. (2022).
    """

    budget: Annotated[int, Range(2, 4_194_304, log=True), Doc("model rows per explained row")] = (
        65_536
    )
    fill: Annotated[Fill, Doc("what replaces an absent feature")] = "auto"
    superpixels: Annotated[Segmentation, Doc("how an image becomes players", "image")] = "slic"
    segments: Annotated[int, Range(2, 500), Doc("about how many superpixels", "image")] = 50
    seed: Annotated[int, Range(0, 2**31 - 1), Doc("which permutations are drawn")] = 0

    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar = ("tabular", "image")
    additive: ClassVar[bool] = True
    source: ClassVar[str] = "Castro et al. 2009; Mitchell et al. 2022"
    order: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for(self.fill, inputs)

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of permutation pairs."""
        ledger = Ledger(model, inputs, targets)
        players = Players(Superpixels(self.superpixels, self.segments))
        for row in range(len(inputs)):
            one = game(model, inputs, row, self.fill, players)
            walk = permutations(one.p, len(one.fills), self._rotations(one), self.seed)
            full = ledger.explained(row, one.full())[0]
            empty = ledger.explained(row, one.empty())
            credit = np.empty((len(walk.rank), one.p, len(full)))
            for done in _walked(one, walk, ledger, row, full, empty, credit):
                solve = partial(_entry, credit[:done], walk, empty) if done > 1 else lambda: None
                step = row * 1000 + 1000 * done // len(credit)
                yield Progress(step, len(inputs) * 1000, ledger.preview(row, one, solve))
            ledger.enter(row, one.players, one.names, _entry(credit, walk, empty))
            notes = (_SHORT,) if len(credit) < 2 * len(empty) else ()
            yield Progress((row + 1) * 1000, len(inputs) * 1000, partial(ledger.estimate, notes))

    def _rotations(self, one: Game) -> int:
        rotation = 2 * one.p * len(one.fills)
        needed = max(rotation, 4 * one.p)  # a standard error takes two pairs
        if one.p > 1 and self.budget < needed:
            raise InputError(
                f"PermutationSHAP with {one.p} players and {len(one.fills)} background rows needs a budget "
                f"of at least {needed} model rows (one rotation), but has {self.budget}. Raise the "
                "budget or choose fewer background rows with data.background(inputs, rows=...)."
            )
        return 1 if one.p == 1 else self.budget // rotation


def _walked(
    one: Game,
    walk: Permutations,
    ledger: Ledger,
    row: int,
    full: Array,
    empty: Array,
    credit: Array,
) -> Iterator[int]:
    """Fill `credit` `(m, p, t)` pair by pair; yields how many pairs are done, at least once a batch."""
    p, t = credit.shape[1:]
    together = max(1, min(one.model.batch // (2 * p), len(walk.rank)))
    for start in range(0, len(walk.rank), together):
        pairs = slice(start, min(start + together, len(walk.rank)))
        m = pairs.stop - pairs.start
        inner = np.empty((m, 2, p - 1, t))
        if p > 1:
            masks = walk.masks(pairs).reshape(-1, p)
            which = np.repeat(walk.which[pairs], 2 * (p - 1))
            flat = inner.reshape(-1, t)
            for part, scores in one.play(masks, which):
                flat[part] = ledger.explained(row, scores)
                if part.stop < len(masks):
                    yield start  # a sign of life between batches of a long walk
        first = np.broadcast_to(empty[walk.which[pairs]][:, None, None], (m, 2, 1, t))
        last = np.broadcast_to(full, (m, 2, 1, t))
        steps = np.diff(np.concatenate([first, inner, last], axis=2), axis=2)
        rank = walk.rank[pairs][:, :, None]
        forward = np.take_along_axis(steps[:, 0], rank, axis=1)
        backward = np.take_along_axis(steps[:, 1], p - 1 - rank, axis=1)
        credit[pairs] = (forward + backward) / 2
        yield pairs.stop


def _entry(credit: Array, walk: Permutations, empty: Array) -> Entry:
    """Mean credit of the pairs walked so far and its standard error."""
    pairs, p, t = credit.shape
    fills = len(empty)
    base = empty.mean(axis=0)
    if pairs % fills == 0 and pairs >= 2 * fills:
        order = np.argsort(walk.which[:pairs], kind="stable")
        by_fill = credit[order].reshape(fills, pairs // fills, p, t)
        variance = by_fill.var(axis=1, ddof=1).mean(axis=0)
    elif p == 1:
        variance = np.zeros((1, t))  # one player earns the whole difference: nothing was drawn
    else:
        variance = credit.var(axis=0, ddof=1)
    return credit.mean(axis=0), np.sqrt(variance / pairs), base
