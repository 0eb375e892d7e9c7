"""LIME: a weighted linear model of the black box around one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.bins import Bins, Discretizer, background_bins
from workbench.coalitions.fills import Fill, missing_for
from workbench.coalitions.game import Game, Players, game
from workbench.coalitions.half import UNCHECKED, HalfCheck, Precision, attempts, rows_asked, unfit
from workbench.coalitions.ledger import Entry, Ledger
from workbench.coalitions.samplers import coin_flips
from workbench.coalitions.selection import Selection, sparse_ridge
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

    Tables, `interpretable="bins"`: every column is cut at the background's quartiles (or deciles, or where
    the model's classes part) and redrawn from those bins; a player is "same" when it stays in the row's
    bin. The perturbed rows do not depend on the explained row, so all rows of a request (and all models)
    share them: one pass serves all, and their errors are correlated.
    Tables, `interpretable="on_off"`: players are switched off by fair coins; one that is off has the value
    of a background row, the rows taking turns. So a coefficient says what the row's own value counts, not
    its bin.
    Images: superpixels are switched off by fair coins.

    With `num_features` only so many players are kept, chosen for each row and target as `feature_selection`
    says; the others have the value 0.

    The values are coefficients in the score's unit; `base` is the intercept, and `gap` is what the local
    model misses at the row itself. Standard errors are the regression's sandwich estimate (HC3), and hold
    by how much the penalty shrinks a coefficient, which at a few dozen rows is as much as chance itself.

    Source: Ribeiro, Singh & Guestrin (2016).
    **Differs:** all players are kept unless `num_features` is given (lime keeps ten), the classes of
    `discretizer="entropy"` are the model's own for the background rows, groups and categories are redrawn
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
    interpretable: Annotated[
        Literal["bins", "on_off"],
        Doc("same means: in the row's bin; or: the row's value, not a background row's", "tabular"),
    ] = "bins"
    discretizer: Annotated[Discretizer, Doc("where numbers are cut into bins", "tabular")] = (
        "quartile"
    )
    num_features: (
        Annotated[int, Range(1, 100_000), Doc("at most so many players are kept; all if empty")]
        | None
    ) = None
    feature_selection: Annotated[Selection, Doc("how they are chosen where not all are kept")] = (
        "auto"
    )

    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = False
    any_kind: ClassVar[bool] = True
    source: ClassVar[str] = "Ribeiro, Singh & Guestrin 2016"
    order: ClassVar[int] = 5
    referee: ClassVar[str] = "lime.regression"
    quick: ClassVar = {"budget": 200, "segments": 8}

    def __post_init__(self) -> None:
        check_parameters(self)

    @property
    def linear(self) -> bool:
        """Coefficients of models add up where all have the same players and bins."""
        return not self._selects and self.discretizer != "entropy"

    @property
    def _selects(self) -> bool:
        return self.num_features is not None and self.feature_selection != "none"

    def _bins(self, inputs: Inputs) -> bool:
        """Whether these rows are cut into bins."""
        return inputs.of_kind.columns and self.interpretable == "bins"

    def unfit(self, model: Model, inputs: Inputs) -> str | None:
        """Why this recipe cannot explain this model."""
        if not inputs.of_kind.columns:
            return unfit(model, self.precision)
        if self._by_classes(inputs) and model.combination is not None:
            return (
                f"with discretizer='entropy' needs the classes of one model, but {model.name!r} is "
                "explained with its members. Use discretizer='quartile'."
            )
        if self._by_classes(inputs) and model.scale == "raw" and len(model.outputs) == 1:
            return (
                f"with discretizer='entropy' needs classes, but model {model.name!r} has one raw output. "
                "Use discretizer='quartile'."
            )
        return None

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for("background" if self._bins(inputs) else self.fill, inputs)

    def _by_classes(self, inputs: Inputs) -> bool:
        """Whether the background rows' classes decide the bins."""
        return self._bins(inputs) and self.discretizer == "entropy"

    def bins_of(self, model: Model, inputs: Inputs) -> Bins:
        """The bins of a table; for "entropy" by the class that the model gives each background row."""
        if self.discretizer != "entropy" or inputs.background is None:
            return background_bins(inputs, self.discretizer)
        return background_bins(inputs, "entropy", self.classes_of(model, inputs.background))

    def classes_of(self, model: Model, rows: NDArray[Any]) -> NDArray[np.intp]:
        """The class `(n,)` that the model gives each row; of one score, whether it is the likelier."""
        scores = model.scores(rows)
        if scores.shape[1] > 1:
            return np.asarray(scores.argmax(axis=1))
        limit = 0.5 if model.scale == "probability" else 0.0
        return np.asarray(scores[:, 0] > limit, dtype=np.intp)

    def absence(self, inputs: Inputs) -> str | None:
        """Where a column's other values come from; `fill` is for images."""
        if not self._bins(inputs):
            return None
        rows = 0 if inputs.background is None else len(inputs.background)
        return f"columns redrawn from {self.discretizer} bins of {rows} background rows"

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """One sample for all rows of a table; one for each image."""
        size = self._size(inputs)
        if self._bins(inputs):
            return Evaluations.exactly(size, background=self._by_classes(inputs))
        low, high = rows_asked(self._precision(inputs), size)
        return Evaluations(low * len(inputs), high * len(inputs))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of perturbed rows."""
        return (self._tables if self._bins(inputs) else self._parts)(model, inputs, targets)

    def _tables(
        self, model: Model, inputs: Inputs, targets: Sequence[Target]
    ) -> Iterator[Progress]:
        ledger = Ledger(model, inputs, targets)
        bins = self.bins_of(model, inputs)
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
            notes = self._selected(bins.p) + self._told_of(inputs)
            yield Progress(size + row + 1, total, partial(_told, ledger, fits, notes))

    def _parts(self, model: Model, inputs: Inputs, targets: Sequence[Target]) -> Iterator[Progress]:
        ledger = Ledger(model, inputs, targets)
        players = Players(Superpixels(self.superpixels, self.segments))
        size = self._size(inputs)
        columns, precision = inputs.of_kind.columns, self._precision(inputs)
        fits: list[Array] = []
        check = HalfCheck()
        for row in range(len(inputs)):
            one = game(model, inputs, row, self.fill, players)
            ledger.saw_fills(row, one)
            self._check(one.p)
            masks = coin_flips(one.p, size, self.seed)
            which = np.arange(size) % len(one.fills)  # background images take turns
            # lime: Euclidean distance for tables, cosine distance for images.
            width = self.kernel_width or (0.75 * np.sqrt(one.p) if columns else 0.25)
            absent = 1.0 - masks.mean(axis=1)
            distance = np.sqrt(one.p * absent) if columns else 1.0 - np.sqrt(1.0 - absent)
            told = self._selected(one.p) + self._told_of(inputs)
            fitted = partial(self._fitted, masks.astype(np.float64), distance=distance, width=width)
            explained = partial(ledger.explained, row)
            values = np.empty((size, len(targets)))
            in_full = partial(_in_full, one, masks, which, explained)
            for attempt in attempts(one, precision):
                for part, scores in attempt.play(masks, which):
                    values[part] = explained(scores)
                    so_far = partial(_fitted_so_far, fitted, values[: part.stop], one.p)
                    unchecked = () if attempt is one else (UNCHECKED,)
                    notes = _fit_note(fits) + told + check.notes + unchecked
                    estimate = ledger.preview(row, one, so_far, notes)
                    yield Progress(
                        row * 1000 + 999 * part.stop // size, len(inputs) * 1000, estimate
                    )
                if attempt is one or check.harmless(values, in_full, partial(_entry, fitted)):
                    break
            entry, fit = fitted(values)
            ledger.enter(row, one.players, one.names, entry)
            fits.append(fit)
            notes = _fit_note(fits) + told + check.notes
            yield Progress((row + 1) * 1000, len(inputs) * 1000, partial(ledger.estimate, notes))

    def _size(self, inputs: Inputs) -> int:
        """Perturbed rows of one sample; of a table's, the first is the explained row itself."""
        if self._bins(inputs):
            return (self.budget or 5000) - 1
        return self.budget or (5000 if inputs.of_kind.columns else 1000)

    def _precision(self, inputs: Inputs) -> Precision:
        """Tables are computed in full precision."""
        return "full" if inputs.of_kind.columns else self.precision

    def _told_of(self, inputs: Inputs) -> tuple[str, ...]:
        plain = self.precision == "full" or not inputs.of_kind.columns
        return () if plain else ("Tables are computed in full precision.",)

    def _selected(self, p: int) -> tuple[str, ...]:
        """What must be said where not all players are kept."""
        if not self._selects or self.num_features is None or self.num_features >= p:
            return ()
        return (
            f"At most {self.num_features} of {p} players were kept for each row "
            f"({self.feature_selection.replace('_', ' ')}). The others have 0, which does not say that "
            "they count for nothing; standard errors hold for the kept ones as if they were fixed before.",
        )

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
        design, kept = design[: len(values)], self.num_features
        if kept is not None and self._selects and kept < design.shape[1]:
            found = sparse_ridge(design, values, weights, self.ridge, kept, self.feature_selection)
        else:
            found = ridge(design, values, weights, self.ridge)
        coefficients, intercept, spread, fit = found
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


def _told(ledger: Ledger, fits: list[Array], notes: tuple[str, ...]) -> Estimate:
    """The estimate, with the fit of the rows so far, which is computed only when it is read."""
    return ledger.estimate(_fit_note(fits) + notes)


def _fit_note(fits: list[Array]) -> tuple[str, ...]:
    if not fits:
        return ()
    span = " to ".join(dict.fromkeys((f"{np.min(fits):.2f}", f"{np.max(fits):.2f}")))
    return (f"The local linear models explain {span} of the variance (weighted R²).",)
