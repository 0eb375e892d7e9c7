"""What became of a model's reasons in its copies: results as values, computed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution, escape
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas

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
        rows_needed: how many rows would decide, where `verdict` is "undetermined"; None where unknown, or
            where not rows but a larger budget would.
        noise_share: the part of the reference's explanation that is its explainer's noise, by squared
            sizes; 0 where nothing was sampled, None where it is not known.
        squared: as in `Metric`.
        over_floor: where the models did not share seeds, each row's drift less the drift between two of the
            reference's own `(n,)`, both squared if `squared`; None with common random numbers.
        excess: mean, low and high of `over_floor`.
        distinct: how many of the rows are not the same as another; None where all are.
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
    noise_share: float | None = 0.0
    squared: bool = False
    over_floor: Array | None = None
    excess: tuple[float, float, float] | None = None
    distinct: int | None = None

    @property
    def normalized(self) -> float | None:
        """The mean between the first line and the last: 0 at the explainer's noise, 1 at random weights.

        None without the last line, or where noise reaches it: nothing lies between them then.
        """
        start = self.noise or 0.0
        if self.random is None or self.random <= start:
            return None
        return (self.mean - start) / (self.random - start)


@dataclass(frozen=True)
class Behavior:
    """What became of the predictions of one copy; shares are of all rows.

    Args:
        model: the copy's name.
        flips: share of rows whose predicted class changed; None where there are no classes (raw scores).
        flips_by: share of rows by (reference's class, copy's class), the changed ones only; empty without
            classes.
        to_wrong: share that was right and is wrong, or None without known classes.
        to_right: the other way round.
        kl: mean Kullback-Leibler divergence from the reference's probabilities, in nats; None for raw
            scores.
        largest: the largest difference of a score, in the models' scale.
        typical: the mean absolute difference, likewise.
        accuracy: (reference, copy), or None without known classes.
        mcnemar: exact two-sided p of equal accuracy; None without known classes.
        ece: expected calibration error (reference, copy): the gap between confidence and accuracy, in 15
            bins of equal width; None without probabilities and known classes.
        brier: Brier score (reference, copy): squared differences summed over the classes, 0 to 2; likewise.
    """

    model: str
    flips: float | None
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

    def of(
        self, model: str, *, method: str | None = None, stratum: Stratum = "all"
    ) -> tuple[Measured, ...]:
        """What was measured of one copy, by one method or all.

        Raises:
            InputError: no such copy or method.
        """
        for asked, there, what in (
            (model, self.models, "copy"),
            (method, (None, *self.methods), "method"),
        ):
            if asked not in there:
                names = [name for name in there if name is not None]
                raise InputError(
                    f"This drift has a {what} of {names}, not {asked!r}. Choose one of these."
                )
        return tuple(
            one
            for one in self.measured
            if one.model == model
            and one.stratum == stratum
            and (method is None or one.method == method)
        )

    def explained_by(self, method: str) -> dict[str, Attribution]:
        """The attributions by one method: the reference's, then those of the copies that have one.

        Raises:
            InputError: no such method; a drift that was stored without its attributions.
        """
        if not self.attributions or method not in self.methods:
            raise InputError(
                f"The attributions by {method!r} are needed, but this drift carries "
                f"{len(self.attributions)}, by {list(self.methods)}. Take the Drift that "
                "workbench.drift(...) gave, and one of its methods."
            )
        # They come model by model in the order of the methods; a copy may lack some of these.
        of_copies = {(one.model, one.method) for one in self.measured}
        found: dict[str, Attribution] = {}
        for model in (self.reference, *self.models):
            own = model == self.reference
            names = [name for name in self.methods if own or (model, name) in of_copies]
            mine = [one for one in self.attributions if one.model == model]
            if method in names:
                found[model] = mine[names.index(method)]
        return found

    def to_frame(self) -> pandas.DataFrame:
        """One line per copy, method, metric and stratum.

        Columns copy, method, metric, stratum, rows, mean, low, high, noise, retraining, random, normalized,
        margin, p, q, decides, verdict, reason, rows needed.
        """
        import pandas as pd

        lines = [
            {
                "copy": one.model,
                "method": one.method,
                "metric": one.metric,
                "stratum": one.stratum,
                "rows": len(one.rows),
                "mean": one.mean,
                "low": one.low,
                "high": one.high,
                "noise": one.noise,
                "retraining": one.retraining,
                "random": one.random,
                "normalized": one.normalized,
                "margin": one.margin,
                "p": one.p,
                "q": one.q,
                "decides": one.metric in self.deciding and one.stratum == "all",
                "verdict": one.verdict,
                "reason": one.reason,
                "rows needed": one.rows_needed,
            }
            for one in self.measured
        ]
        frame = pd.DataFrame(lines, columns=_COLUMNS)
        figures = ["noise", "retraining", "random", "normalized", "p", "q"]
        return frame.astype(dict.fromkeys(figures, np.float64) | {"rows needed": "Int64"})

    def summary(self) -> pandas.DataFrame:
        """One line per copy and method: predictions, and the drift of the deciding metrics on all rows.

        Columns copy, verdict (the copy's, over its methods), flips, accuracy (of the copy), accuracy
        change, method, then one per deciding metric, and reason: of the metric that decided it, or did not.
        """
        import pandas as pd

        lines = []
        for behavior in self.behavior:
            found = {
                (one.method, one.metric): one
                for one in self.measured
                if one.model == behavior.model and one.stratum == "all"
            }
            for method in self.methods:
                deciding = [
                    found[method, metric] for metric in self.deciding if (method, metric) in found
                ]
                if not deciding:
                    continue
                before, after = behavior.accuracy or (np.nan, np.nan)
                lines.append(
                    {
                        "copy": behavior.model,
                        "verdict": self.verdicts.get(behavior.model, "undetermined"),
                        "flips": np.nan if behavior.flips is None else behavior.flips,
                        "accuracy": after,
                        "accuracy change": after - before,
                        "method": method,
                        **{one.metric: one.mean for one in deciding},
                        "reason": _telling(deciding),
                    }
                )
        columns = ["copy", "verdict", "flips", "accuracy", "accuracy change", "method"]
        return pd.DataFrame(lines, columns=[*columns, *self.deciding, "reason"])

    def __repr__(self) -> str:
        said = ", ".join(f"{name!r} {verdict}" for name, verdict in self.verdicts.items())
        return f"Drift(from {self.reference!r}, {len(self.ids)} rows, {list(self.methods)}: {said})"

    def _repr_html_(self) -> str:
        frame = self.summary().dropna(axis=1, how="all")
        head = "".join(f"<th>{escape(column)}</th>" for column in frame.columns)
        body = "".join(
            "<tr>"
            + "".join(
                f"<td>{cell:.3g}</td>"
                if isinstance(cell, float)
                else f"<td>{escape(cell, limit=400)}</td>"
                for cell in line
            )
            + "</tr>"
            for line in frame.itertuples(index=False)
        )
        notes = "".join(f"<p>{escape(note, limit=600)}</p>" for note in self.notes)
        return (
            f"<p>Drift from <b>{escape(self.reference)}</b> on {len(self.ids)} rows: 0 where nothing "
            f"changed</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"{_quality_table(self.quality)}{notes}"
        )


_COLUMNS = [
    "copy", "method", "metric", "stratum", "rows", "mean", "low", "high", "noise", "retraining", "random",
    "normalized", "margin", "p", "q", "decides", "verdict", "reason", "rows needed",
]  # fmt: skip


def _telling(deciding: list[Measured]) -> str:
    """The reason of the metric that a verdict is owed to: the gravest, the farthest from its margin."""
    order: list[Verdict] = ["changed", "undetermined", "preserved"]

    def gravity(one: Measured) -> tuple[int, float]:
        return order.index(one.verdict), -one.mean / (one.margin or 1.0)

    first = min(deciding, key=gravity)
    return f"{first.metric}: {first.reason}"


def _quality_table(quality: tuple[Quality, ...]) -> str:
    if not quality:
        return ""
    body = "".join(
        f"<tr><td>{escape(one.model)}</td><td>{escape(one.method)}</td><td>{escape(one.measure)}</td>"
        f"<td>{np.mean(one.reference):.3g}</td><td>{np.mean(one.copy):.3g}</td>"
        f"<td>{one.difference:+.3g} [{one.low:+.3g}, {one.high:+.3g}]</td>"
        f"<td>{escape(one.verdict)}</td></tr>"
        for one in quality
    )
    return (
        "<p>Better or worse, which is another question than changed; higher is better</p>"
        "<table><thead><tr><th>copy</th><th>method</th><th>measure</th><th>reference</th><th>copy&#x27;s</th>"
        f"<th>difference, 95 %</th><th>verdict</th></tr></thead><tbody>{body}</tbody></table>"
    )
