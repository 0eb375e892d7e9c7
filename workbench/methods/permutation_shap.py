"""PermutationSHAP: Shapley values as mean marginal contributions along permutations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import Fill, fill_count, missing_for
from workbench.coalitions.game import Game, Players, game
from workbench.coalitions.ledger import Entry, Ledger
from workbench.coalitions.pilot import paired, pairs_needed
from workbench.coalitions.precision import relative_bound, spread_of_mean
from workbench.coalitions.samplers import Permutations, permutations
from workbench.coalitions.superpixels import Segmentation, Superpixels
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

Array = NDArray[np.float64]
_SHORT = (
    "The budget allowed one rotation over the background, so the standard errors still hold the "
    "variance between background rows and are too large. Double the budget for honest ones."
)
_TOLERANCE = 0.05
_EACH_LOOK = 0.99  # of each look: stopping at the first good one of many leaves 95 %
_FREEDOM = 24  # degrees of freedom that the first look has at least
_FEWEST = 3  # degrees of freedom that an error needs
_NUMBERS = {1: "one rotation", 3: "three rotations", 4: "four rotations"}
_MOST, _MOST_OF_COLUMNS = 8_192, 65_536
_LONGEST = 4_194_304
_PILOT_ROWS, _FEWEST_PILOT_PAIRS, _MOST_PILOT_PAIRS, _PILOT_FACTOR = 4, 4, 32, 1.6
_PATIENT = 16  # times as many rows before a tolerance that was asked for is given up


@dataclass(frozen=True)
class PermutationSHAP:
    """Shapley values by walking permutations of the players, with standard errors.

    Each permutation is walked forward and backward (an antithetic pair) over *one* fill, and the fills
    rotate, so that after every rotation each background row has been used equally often and the values
    sum to output minus base exactly. One background row per permutation buys many more permutations than
    averaging the whole background in every coalition: several times fewer model rows for the same error.

    Standard errors: after two or more whole rotations, the variance of pairs *within* a background row
    (the rotation removes the variance between rows); before that, of all pairs, which is too large. Degrees
    of freedom are counted by how many pairs carry the variance, since one rare pair may carry most.

    When to stop: with a `tolerance`, each row stops at the end of a rotation, as soon as its relative L2
    error is below it with 95 % confidence, or after 1,048,576 model rows (images: 131,072); with a
    `budget`, when that is spent; with both, whichever comes first. With neither, at a tolerance of 0.05 or
    after 65,536 model rows (images: 8,192).

    Source: Castro, Gómez & Tejada (2009); Mitchell et al. (2022).
    """

    budget: (
        Annotated[int, Range(2, _LONGEST, log=True), Doc("the most model rows per explained row")]
        | None
    ) = None
    tolerance: (
        Annotated[float, Range(0.001, 1.0, log=True), Doc("stop at this relative error")] | None
    ) = None
    fill: Annotated[Fill, Doc("what replaces an absent feature")] = "auto"
    superpixels: Annotated[Segmentation, Doc("how an image becomes players", "image", "volume")] = (
        "slic"
    )
    segments: Annotated[
        int, Range(2, 500), Doc("about how many superpixels or segments", *PLACED)
    ] = 50
    seed: Annotated[int, Range(0, 2**31 - 1), Doc("which permutations are drawn")] = 0

    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    any_kind: ClassVar[bool] = True
    source: ClassVar[str] = "Castro et al. 2009; Mitchell et al. 2022"
    order: ClassVar[int] = 2
    referee: ClassVar[str] = "shap.permutations"
    # Many rotations: with two, a forest that ignores a column for luck has an error of zero there.
    quick: ClassVar = {"budget": 1200, "segments": 8}

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for(self.fill, inputs)

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row's ends, and walks up to the first time the error is judged, or to the last."""
        players = Players(Superpixels(self.superpixels, self.segments))
        fills = fill_count(self.fill, inputs)
        fewest = most = 0
        for p, rows in Counter(players.counts(inputs)).items():
            limit = self._pairs(p, fills, inputs)
            walk, ends = 2 * (p - 1), 1 + fills
            fewest += rows * (walk * self._judged_next(0, fills, limit) + ends)
            most += rows * (walk * limit + ends)
        return Evaluations(fewest, most)

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of permutation pairs."""
        ledger = Ledger(model, inputs, targets)
        players = Players(Superpixels(self.superpixels, self.segments))
        bounds: list[Array] = []
        short = False
        deciding = np.array([not target.aside for target in targets])
        for row in range(len(inputs)):
            one = game(model, inputs, row, self.fill, players)
            ledger.saw_fills(row, one)
            fills = len(one.fills)
            limit = self._pairs(one.p, fills, inputs)
            full = ledger.explained(row, one.full())[0]
            empty = ledger.explained(row, one.empty())
            credit = np.empty((0, one.p, len(full)))
            while len(credit) < limit:
                start = len(credit)
                stop = self._judged_next(start, fills, limit)
                walk = permutations(one.p, fills, _doubled(stop // fills), self.seed)
                credit = np.concatenate([credit, np.empty((stop - start, *credit.shape[1:]))])
                for done in _walked(one, walk, ledger, row, full, empty, credit, start):
                    kept = done - done % fills or done
                    solve = partial(_entry, credit[:kept], walk, empty) if kept > 1 else _nothing
                    step = row * 1000 + 999 * done // limit
                    yield Progress(step, len(inputs) * 1000, ledger.preview(row, one, solve))
                bound = relative_bound(credit, _strata(walk, stop, fills), _EACH_LOOK)
                if self._wanted is not None and (bound[deciding] <= self._wanted).all():
                    break
            bounds.append(bound[deciding])
            ledger.drew(row, 2 * len(credit))
            ledger.enter(row, one.players, one.names, _entry(credit, walk, empty))
            short = short or fills <= len(credit) < 2 * fills
            notes = self._notes(np.array(bounds), short=short)
            yield Progress((row + 1) * 1000, len(inputs) * 1000, partial(ledger.estimate, notes))

    def foretold(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], most: int, /
    ) -> Evaluations | None:
        """What `evaluations` will probably be, from a pilot of at most `most` model rows on a few rows.

        None without a tolerance, and where so few model rows tell nothing. A factor of 1.6 either way:
        variances of few pairs are known no better, and other rows differ.
        """
        if self._wanted is None:
            return None
        players = Players(Superpixels(self.superpixels, self.segments))
        some = inputs[_spaced(len(inputs), _PILOT_ROWS)]
        p, fills = max(players.counts(some)), fill_count(self.fill, inputs)
        while len(some) > 1 and _pilot_pairs(most // len(some), p) < _FEWEST_PILOT_PAIRS:
            some = some[: len(some) // 2]
        pairs = _pilot_pairs(most // len(some), p)
        if pairs < _FEWEST_PILOT_PAIRS:
            return None
        ledger = Ledger(model, some, targets)
        deciding = np.array([not target.aside for target in targets])
        drawn = []
        for row in range(len(some)):
            one = game(model, some, row, self.fill, players)
            walk, used = paired(permutations(one.p, pairs, 1, self.seed), fills)
            full = ledger.explained(row, one.full())[0]
            empty = np.full((fills, len(full)), np.nan)
            nobody = np.zeros((len(used), one.p), dtype=bool)
            for part, scores in one.play(nobody, used):
                empty[used[part]] = ledger.explained(row, scores)
            credit = np.empty((pairs, one.p, len(full)))
            for _ in _walked(one, walk, ledger, row, full, empty, credit, 0):
                pass
            needed = pairs_needed(credit, walk.which, self._wanted, _EACH_LOOK)[deciding].max()
            limit = self._pairs(one.p, len(one.fills), inputs)
            done = self._judged_next(0, fills, limit)
            while done < min(needed, limit):
                done = self._judged_next(done, fills, limit)
            drawn.append(2 * (one.p - 1) * done + 1 + fills)
        whole = float(np.mean(drawn)) * len(inputs)
        return Evaluations(int(whole / _PILOT_FACTOR), int(whole * _PILOT_FACTOR))

    @property
    def _wanted(self) -> float | None:
        """The tolerance in effect."""
        return _TOLERANCE if self.tolerance is None and self.budget is None else self.tolerance

    def _judged_next(self, done: int, fills: int, limit: int) -> int:
        """The pairs after which the error is judged next: whole rotations, a quarter more each time."""
        if self._wanted is None:
            return limit
        more = max(done // 4 // fills, 1) if done else max(2, 1 + -(-_FREEDOM // fills))
        return min(done + more * fills, limit)

    def _notes(self, bounds: Array, *, short: bool) -> tuple[str, ...]:
        """The precision that was reached `(n, t)`, in words."""
        wanted = self._wanted
        warning = (_SHORT,) if short else ()
        if wanted is None:
            return warning
        missed = int((~(bounds <= wanted)).any(axis=1).sum())
        if not missed:
            note = f"The relative error is at most {wanted:.2g} (95 % confidence in each row)."
            return (note, *warning)
        largest = float(bounds.max())
        advice = (
            "Raise the budget."
            if largest <= 1.0
            else "Where it is above 1, the values cannot be told from zero."
        )
        return (
            f"{missed} of {len(bounds)} rows did not reach a relative error of {wanted:.2g} within the "
            f"budget; the largest is {largest:.2g} (95 % confidence). {advice}",
            *warning,
        )

    def _pairs(self, p: int, fills: int, inputs: Inputs) -> int:
        """The most pairs that the budget allows: whole rotations."""
        most = _MOST_OF_COLUMNS if inputs.of_kind.columns else _MOST
        budget = self.budget or most * (1 if self.tolerance is None else _PATIENT)
        rotation = 2 * p * fills
        fewest = _rotations(fills)
        needed = rotation * fewest
        if p > 1 and budget < needed:
            raise InputError(
                f"PermutationSHAP with {p} players and {fills} background rows needs a budget "
                f"of at least {needed} model rows ({_NUMBERS[fewest]}), but has {budget}. Raise the "
                "budget or choose fewer background rows with data.background(inputs, rows=...)."
            )
        return fills * (1 if p == 1 else budget // rotation)


def _rotations(fills: int) -> int:
    """The fewest rotations that give a standard error: three degrees of freedom.

    Three fills or more have enough pairs in one rotation. Of one or two fills, two pairs may agree by luck.

    >>> [_rotations(fills) for fills in (1, 2, 3, 100)]
    [4, 3, 1, 1]
    """
    return 1 if fills >= _FEWEST else 1 + -(-_FEWEST // fills)


def _spaced(n: int, most: int) -> list[int]:
    """At most so many of n rows, from the first on, at equal distances."""
    return sorted({round(i * (n - 1) / max(most - 1, 1)) for i in range(min(most, n))})


def _pilot_pairs(most: int, p: int) -> int:
    """How many pairs of permutations of p players so many model rows buy: an even number."""
    return min(_MOST_PILOT_PAIRS, max(0, most - 1) // (4 * (p - 1) + 1) * 2)


def _nothing() -> None:
    """No estimate yet."""


def _doubled(rotations: int) -> int:
    """The next power of two, so that samples are drawn anew only now and then."""
    return 1 << (rotations - 1).bit_length()


def _strata(walk: Permutations, done: int, fills: int) -> NDArray[np.intp] | None:
    """Each pair's fill, once a rotation has been repeated; a single player needs no repetition."""
    told = done % fills == 0 and (done >= 2 * fills or walk.rank.shape[1] == 1)
    return walk.which[:done] if told else None


def _walked(
    one: Game,
    walk: Permutations,
    ledger: Ledger,
    row: int,
    full: Array,
    empty: Array,
    credit: Array,
    start: int,
) -> Iterator[int]:
    """Fill `credit` `(m, p, t)` from pair `start` on; yields how many are done, at least once a batch."""
    p, t = credit.shape[1:]
    together = max(1, one.model.batch // (2 * p))
    for begin in range(start, len(credit), together):
        pairs = slice(begin, min(begin + together, len(credit)))
        m = pairs.stop - begin
        inner = np.empty((m, 2, p - 1, t))
        if p > 1:
            masks = walk.masks(pairs).reshape(-1, p)
            which = np.repeat(walk.which[pairs], 2 * (p - 1))
            flat = inner.reshape(-1, t)
            for part, scores in one.play(masks, which):
                flat[part] = ledger.explained(row, scores)
                if part.stop < len(masks):
                    yield begin  # a sign of life between batches of a long walk
        first = np.broadcast_to(empty[walk.which[pairs]][:, None, None], (m, 2, 1, t))
        last = np.broadcast_to(full, (m, 2, 1, t))
        steps = np.diff(np.concatenate([first, inner, last], axis=2), axis=2)
        rank = walk.rank[pairs][:, :, None]
        forward = np.take_along_axis(steps[:, 0], rank, axis=1)
        backward = np.take_along_axis(steps[:, 1], p - 1 - rank, axis=1)
        credit[pairs] = (forward + backward) / 2
        yield pairs.stop


def _entry(credit: Array, walk: Permutations, empty: Array) -> Entry:
    """Mean credit of the pairs walked so far and how far it may be off."""
    spread = spread_of_mean(credit, _strata(walk, len(credit), len(empty)))
    return credit.mean(axis=0), spread, empty.mean(axis=0)
