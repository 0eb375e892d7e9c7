"""What became of a model's reasons in its copies: results as values, computed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution

Verdict = Literal["preserved", "changed", "undetermined"]
"""Within the margin / beyond it, and not by chance / the rows at hand do not decide."""

Stratum = Literal["all", "kept", "flipped"]
"""All rows, those whose predicted class is the reference's, those whose is not."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """One metric of one method on one copy, row by row, beside its reference lines.

    Args:
        model: the copy's name.
        method: the method's class name, with a number where a study holds two of a class.
        metric: a key of `DRIFT_METRICS`.
        stratum: which rows.
        drift: one number per row of the stratum `(n,)`, 0 where nothing changed.
        rows: their positions among the study's rows `(n,)`.
        mean: of `drift`.
        low: of the 95 % bootstrap interval of the mean over rows.
        high: likewise.
        noise: mean drift of the reference against itself with other seeds and backgrounds.
        retraining: mean drift of siblings trained anew, or None where none were given.
        random: mean drift of the reference with random weights, or None where it was not made.
        margin: drift up to which the reasons count as preserved.
        p: of "beyond", by Wilcoxon's signed-rank test; None where nothing was sampled.
        q: `p` adjusted over all metrics and methods of the copy (Benjamini-Hochberg).
        verdict: see `Verdict`.
        reason: the verdict in a sentence, with its figures.
        rows_needed: how many rows would decide, where `verdict` is "undetermined"; None where unknown.
    """

    model: str
    method: str
    metric: str
    stratum: Stratum
    drift: Array
    rows: NDArray[np.intp]
    mean: float
    low: float
    high: float
    noise: float | None
    retraining: float | None
    random: float | None
    margin: float
    p: float | None
    q: float | None
    verdict: Verdict
    reason: str
    rows_needed: int | None = None

    @property
    def normalized(self) -> float | None:
        """The mean between the first line and the last: 0 at the explainer's noise, 1 at random weights."""
        if self.random is None:
            return None
        start = self.noise or 0.0
        return (self.mean - start) / (self.random - start) if self.random != start else None


@dataclass(frozen=True)
class Behavior:
    """What became of the predictions of one copy; shares are of all rows.

    Args:
        model: the copy's name.
        flips: share of rows whose predicted class changed.
        flips_by: share of rows by (reference's class, copy's class), the changed ones only.
        to_wrong: share that was right and is wrong, or None without known classes.
        to_right: the other way round.
        kl: mean Kullback-Leibler divergence from the reference's probabilities, in nats; None for raw
            scores.
        largest: the largest difference of a score.
        typical: the mean absolute difference.
        accuracy: (reference, copy), or None without known classes.
        mcnemar: exact two-sided p of equal accuracy; None without known classes.
        ece: expected calibration error (reference, copy), 15 bins; None without probabilities and classes.
        brier: Brier score (reference, copy), likewise.
    """

    model: str
    flips: float
    flips_by: Mapping[tuple[str, str], float]
    to_wrong: float | None
    to_right: float | None
    kl: float | None
    largest: float
    typical: float
    accuracy: tuple[float, float] | None
    mcnemar: float | None
    ece: tuple[float, float] | None
    brier: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Quality:
    """Whether a copy's explanations are better or worse, which is not whether they changed.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        measure: "pointing game", "mass in mask", "deletion gain" or "insertion gain".
        reference: the reference's value per row `(n,)`; higher is better for every measure.
        copy: the copy's `(n,)`.
        difference: mean of copy - reference.
        low: of its 95 % paired bootstrap interval.
        high: likewise.
        verdict: "better", "worse" or "no difference seen"; "undetermined" below 20 rows.
    """

    model: str
    method: str
    measure: str
    reference: Array
    copy: Array
    difference: float
    low: float
    high: float
    verdict: Literal["better", "worse", "no difference seen", "undetermined"]


@dataclass(frozen=True, eq=False)
class Drift:
    """Copies of a model held against it: predictions, reasons, and whether the reasons got worse.

    Args:
        reference: the name of the model that the others are held against.
        models: the copies' names, in order.
        methods: the methods' names, in order.
        ids: the rows' names `(n,)`.
        explained: the output explained per row, the reference's own prediction unless chosen `(n,)`.
        behavior: one per copy.
        measured: every copy x method x metric x stratum.
        quality: every copy x method x measure that the rows allow.
        deciding: the metrics that a copy's verdict rests on.
        verdicts: per copy; "changed" if a deciding metric of some method changed, "preserved" if all are.
        notes: sentences a reader needs.
        attributions: those of the reference and the copies, for pictures and findings; () where they were
            not kept.
    """

    reference: str
    models: tuple[str, ...]
    methods: tuple[str, ...]
    ids: tuple[str, ...]
    explained: tuple[str, ...]
    behavior: tuple[Behavior, ...]
    measured: tuple[Measured, ...]
    quality: tuple[Quality, ...] = ()
    deciding: tuple[str, ...] = ()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    attributions: tuple[Attribution, ...] = ()
