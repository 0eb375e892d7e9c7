"""LIME: a weighted linear model of the black box around one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.bins import quartile_bins
from workbench.coalitions.fills import Fill, missing_for
from workbench.coalitions.game import Game, Players, game
from workbench.coalitions.half import UNCHECKED, HalfCheck, Precision, attempts, rows_asked, unfit
from workbench.coalitions.ledger import Entry, Ledger
from workbench.coalitions.samplers import coin_flips
from workbench.coalitions.solvers import ridge
from workbench.coalitions.superpixels import Segmentation, Superpixels
from workbench.core import (
    Doc,
    Estimate,
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


@dataclass(frozen=True)
class LIME:
    """Coefficients of a ridge regression on "same as the row, or not", weighted by closeness.

    Tables: every column is cut at the background's quartiles and redrawn from those bins; a player is
    "same" when it stays in the row's bin. The perturbed rows do not depend on the explained row, so
    all rows of a request (and all models) share them: one pass serves all, and their errors are correlated.
    Images: superpixels are switched off by fair coins.

    The values are coefficients in the score's unit; `base` is the intercept, and `gap` is what the local
    model misses at the row itself. Standard errors are the regression's sandwich estimate (HC3), and hold
    by how much the penalty shrinks a coefficient, which at a few dozen rows is as much as chance itself.

    Source: Ribeiro, Singh & Guestrin (2016).
    **Differs:** all players are kept (no selection of ten features), groups and categories are redrawn
    jointly from one background row, and superpixels default to SLIC.
    """

    budget: (
        Annotated[int, Range(16, 1_048_576, log=True), Doc("perturbed rows; 5000 or 1000")] | None
    ) = None
    kernel_width: Annotated[float, Range(0.01, 100.0), Doc("how far 'close' reaches")] | None = None
    ridge: Annotated[float, Range(0.0, 1000.0), Doc("the penalty on large coefficients")] = 1.0
    fill: Annotated[Fill, Doc("what replaces a part", *PLACED)] = "auto"
    superpixels: Annotated[Segmentation, Doc("how an image becomes players", "image", "volume")] = (
        "slic"
    )
    segments: Annotated[
        int, Range(2, 500), Doc("about how many superpixels or segments", *PLACED)
    ] = 50
    seed: Annotated[int, Range(0, 2**31 - 1), Doc("which perturbed rows are drawn")] = 0
    precision: Annotated[
        Precision, Doc("bfloat16 is faster, and used where it does no harm", *PLACED)
    ] = "full"

    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = False
    linear: ClassVar[bool] = True
    any_kind: ClassVar[bool] = True
    source: ClassVar[str] = "Ribeiro, Singh & Guestrin 2016"
    order: ClassVar[int] = 5
    referee: ClassVar[str] = "lime.regression"
    quick: ClassVar = {"budget": 200, "segments": 8}

    def __post_init__(self) -> None:
        check_parameters(self)

    def unfit(self, model: Model, inputs: Inputs) -> str | None:
        """Why this recipe cannot explain this model."""
        return None if inputs.of_kind.columns else unfit(model, self.precision)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for("background" if inputs.of_kind.columns else self.fill, inputs)

    def absence(self, inputs: Inputs) -> str | None:
        """Where a column's other values come from; `fill` is for images."""
        if not inputs.of_kind.columns:
            return None
        rows = 0 if inputs.background is None else len(inputs.background)
        return f"columns redrawn from quartile bins of {rows} background rows"

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """One sample for all rows of a table; one for each image."""
        size = self._size(inputs)
        if inputs.of_kind.columns:
            return Evaluations.exactly(size)
        low, high = rows_asked(self.precision, size)
        return Evaluations(low * len(inputs), high * len(inputs))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of perturbed rows."""
        columns = inputs.of_kind.columns
        return (self._tables if columns else self._parts)(model, inputs, targets)

    def _tables(
        self, model: Model, inputs: Inputs, targets: Sequence[Target]
    ) -> Iterator[Progress]:
        ledger = Ledger(model, inputs, targets)
        bins = quartile_bins(inputs)
        self._check(bins.p)
        players, names = inputs.players()
        size = self._size(inputs)
        rows, codes = bins.draw(size, self.seed)
        reference = bins.codes_of(inputs.values)
        scores = np.empty((size, len(model.outputs)))
        total = size + len(inputs)
        own = model.scores(inputs.values)
        fits: list[Array] = []
        for start in range(0, size, model.batch):
            part = slice(start, min(start + model.batch, size))
            scores[part] = model.scores(rows[part].astype(inputs.values.dtype))
            yield Progress(part.stop, total, ledger.estimate)
        width = self.kernel_width or 0.75 * np.sqrt(bins.p)
        distances = np.sqrt(np.arange(bins.p, -1.0, -1.0))  # by how many players are the same
        design = np.ones((size + 1, bins.p))
        for row in range(len(inputs)):
            bins.same(codes, reference[row], out=design[1:])
            values = ledger.explained(row, np.concatenate([own[row : row + 1], scores]))
            distance = distances[(design @ np.ones(bins.p)).astype(np.intp)]
            entry, fit = self._fitted(design, values, distance, width)
            ledger.enter(row, players, names, entry)
            fits.append(fit)
            yield Progress(size + row + 1, total, partial(_told, ledger, fits, self.precision))

    def _parts(self, model: Model, inputs: Inputs, targets: Sequence[Target]) -> Iterator[Progress]:
        ledger = Ledger(model, inputs, targets)
        players = Players(Superpixels(self.superpixels, self.segments))
        size = self._size(inputs)
        width = self.kernel_width or 0.25
        fits: list[Array] = []
        check = HalfCheck()
        for row in range(len(inputs)):
            one = game(model, inputs, row, self.fill, players)
            ledger.saw_fills(row, one)
            self._check(one.p)
            masks = coin_flips(one.p, size, self.seed)
            which = np.arange(size) % len(one.fills)  # background images take turns
            distance = 1.0 - np.sqrt(masks.mean(axis=1))
            fitted = partial(self._fitted, masks.astype(np.float64), distance=distance, width=width)
            explained = partial(ledger.explained, row)
            values = np.empty((size, len(targets)))
            in_full = partial(_in_full, one, masks, which, explained)
            for attempt in attempts(one, self.precision):
                for part, scores in attempt.play(masks, which):
                    values[part] = explained(scores)
                    so_far = partial(_fitted_so_far, fitted, values[: part.stop], one.p)
                    unchecked = () if attempt is one else (UNCHECKED,)
                    notes = _fit_note(fits) + check.notes + unchecked
                    estimate = ledger.preview(row, one, so_far, notes)
                    yield Progress(
                        row * 1000 + 999 * part.stop // size, len(inputs) * 1000, estimate
                    )
                if attempt is one or check.harmless(values, in_full, partial(_entry, fitted)):
                    break
            entry, fit = fitted(values)
            ledger.enter(row, one.players, one.names, entry)
            fits.append(fit)
            notes = _fit_note(fits) + check.notes
            yield Progress((row + 1) * 1000, len(inputs) * 1000, partial(ledger.estimate, notes))

    def _size(self, inputs: Inputs) -> int:
        """Perturbed rows of one sample; of a table's, the first is the explained row itself."""
        return (self.budget or 5000) - 1 if inputs.of_kind.columns else self.budget or 1000

    def _check(self, p: int) -> None:
        """Refuses a regression whose errors cannot be estimated from its residuals."""
        needed = 2 * (p + 1)
        if self.budget is not None and self.budget < needed:
            raise InputError(
                f"LIME with {p} players needs a budget of at least {needed} perturbed rows, two for each "
                f"coefficient, but has {self.budget}. Raise the budget, or explain fewer players: groups "
                "of columns, or fewer segments."
            )

    def _fitted(
        self, design: Array, values: Array, distance: Array, width: float
    ) -> tuple[Entry, Array]:
        # LIME's kernel is the square root of a Gaussian in the distance.
        weights = np.exp(-(distance[: len(values)] ** 2) / (2 * width**2))
        coefficients, intercept, spread, fit = ridge(
            design[: len(values)], values, weights, self.ridge
        )
        return (coefficients, spread, intercept), fit


def _in_full(
    one: Game,
    masks: NDArray[np.bool_],
    which: NDArray[np.intp],
    explained: Callable[[Array], Array],
    some: NDArray[np.intp],
) -> Array:
    """The values `(m, t)` of some of the masks, in full precision."""
    scored = [scores for _, scores in one.play(masks[some], which[some])]
    return explained(np.concatenate(scored))


_Fitted = Callable[[Array], tuple[Entry, Array]]


def _entry(fitted: _Fitted, values: Array) -> Entry:
    """The fit to values `(m, t)` of the first m masks, without its R²."""
    return fitted(values)[0]


def _fitted_so_far(fitted: _Fitted, values: Array, p: int) -> Entry | None:
    """The same, or None while they are too few."""
    return _entry(fitted, values) if len(values) > 2 * p else None


def _told(ledger: Ledger, fits: list[Array], precision: Precision) -> Estimate:
    """The estimate, with the fit of the rows so far, which is computed only when it is read."""
    full = () if precision == "full" else ("Tables are computed in full precision.",)
    return ledger.estimate(_fit_note(fits) + full)


def _fit_note(fits: list[Array]) -> tuple[str, ...]:
    if not fits:
        return ()
    span = " to ".join(dict.fromkeys((f"{np.min(fits):.2f}", f"{np.max(fits):.2f}")))
    return (f"The local linear models explain {span} of the variance (weighted R²).",)
