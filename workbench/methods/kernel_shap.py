"""KernelSHAP: Shapley values as a weighted linear regression on coalitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import Fill, missing_for
from workbench.coalitions.game import Game, Players, game
from workbench.coalitions.ledger import Entry, Ledger, average
from workbench.coalitions.samplers import Coalitions, shapley_kernel
from workbench.coalitions.solvers import shapley_regression
from workbench.coalitions.superpixels import Segmentation, Superpixels
from workbench.core import Doc, Inputs, Model, Progress, Range, Target, check_parameters
from workbench.errors import InputError


@dataclass(frozen=True)
class KernelSHAP:
    """Shapley values by least squares over sampled coalitions, with standard errors.

    Every coalition is averaged over *all* fills (the whole background), and coalitions come in
    complement pairs. With a budget for all `2**p - 2` coalitions the result is exact.

    Source: Lundberg & Lee (2017); Covert & Lee (2021).
    **Differs:** no regularization. shap's default keeps ten features (`l1_reg="num_features(10)"`),
    which does not converge to the Shapley values above ten features.
    """

    budget: Annotated[int, Range(2, 4_194_304, log=True), Doc("model rows per explained row")] = (
        65_536
    )
    fill: Annotated[Fill, Doc("what replaces an absent feature")] = "auto"
    superpixels: Annotated[Segmentation, Doc("how an image becomes players", "image")] = "slic"
    segments: Annotated[int, Range(2, 500), Doc("about how many superpixels", "image")] = 50
    seed: Annotated[int, Range(0, 2**31 - 1), Doc("which coalitions are drawn")] = 0

    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar = ("tabular", "image")
    additive: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Lundberg & Lee 2017; Covert & Lee 2021"
    order: ClassVar[int] = 3

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for(self.fill, inputs)

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of coalitions."""
        ledger = Ledger(model, inputs, targets)
        players = Players(Superpixels(self.superpixels, self.segments))
        for row in range(len(inputs)):
            one = game(model, inputs, row, self.fill, players)
            sample = self._sample(one)
            full = ledger.explained(row, one.full())[0]
            empty = ledger.explained(row, average(one.empty())[None])[0]
            if one.p == 1:
                ledger.enter(row, one.players, one.names, ((full - empty)[None], None, empty))
            else:
                for done, scores in one.play_averaged(sample.masks):
                    solve = partial(_solve, ledger, row, sample, scores, done, full, empty)
                    step = row * 1000 + 999 * done // len(sample.masks)
                    yield Progress(step, len(inputs) * 1000, ledger.preview(row, one, solve))
                values = ledger.explained(row, scores)
                credit, error = shapley_regression(sample, values, full, empty)
                ledger.enter(row, one.players, one.names, (credit, error, empty))
            yield Progress((row + 1) * 1000, len(inputs) * 1000, ledger.estimate)

    def _sample(self, one: Game) -> Coalitions:
        coalitions = self.budget // len(one.fills)
        needed = _fewest(one.p) if one.p > 1 else 0
        if coalitions < needed:
            raise InputError(
                f"KernelSHAP with {one.p} players and {len(one.fills)} background rows needs a budget of "
                f"at least {needed * len(one.fills)} model rows, but has {self.budget}. Raise the budget "
                "or choose fewer background rows with data.background(inputs, rows=...)."
            )
        if one.p == 1:
            nothing = np.zeros(0)
            return Coalitions(np.zeros((0, 1), bool), nothing, nothing.astype(np.intp), self.seed)
        return shapley_kernel(one.p, coalitions, self.seed)


def _fewest(p: int) -> int:
    """Coalitions below which the regression has hardly more equations than unknowns.

    With 2 p + 2 the spread over seeds was measured at 2 to 9 times the values themselves; with 3 p it is
    below half of them, and the reported errors are right.
    """
    return min(3 * p, (1 << p) - 2)


def _solve(
    ledger: Ledger,
    row: int,
    sample: Coalitions,
    scores: NDArray[np.float64],
    done: int,
    full: NDArray[np.float64],
    empty: NDArray[np.float64],
) -> Entry | None:
    """The regression over the coalitions evaluated so far, or None while they are too few."""
    enumerated = int((sample.cluster < 0).sum())
    done -= (done - enumerated) % 2 if done > enumerated else 0
    p = sample.masks.shape[1]
    if done < max(enumerated, _fewest(p)):
        return None
    drawn, planned = done - enumerated, len(sample.masks) - enumerated
    # The drawn part stands for the same mass of coalitions, however few of them there are yet.
    grow = np.where(sample.cluster[:done] >= 0, planned / max(drawn, 1), 1.0)
    part = Coalitions(
        sample.masks[:done], sample.weights[:done] * grow, sample.cluster[:done], sample.seed
    )
    if np.linalg.matrix_rank(part.masks.astype(float)) < p:
        return None
    values = ledger.explained(row, scores[:done])
    credit, error = shapley_regression(part, values, full, empty)
    return credit, error, empty
