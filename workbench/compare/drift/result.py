"""How a model's reasons changed in its copies: results as values, computed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.compare.drift.claims import Claim, claim_of, percent
from workbench.compare.drift.measured import Measured as Measured
from workbench.compare.drift.measured import Scope, Stratum, Verdict
from workbench.core import Attribution, escape, frame_cells, html_table
from workbench.errors import InputError

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]

FLIPS = 0.01
"""Predictions count as preserved if at most this share of rows changes its predicted class."""


@dataclass(frozen=True)
class Behavior:
    """How the predictions of one copy changed; shares are of all rows.

    Args:
        model: the copy's name.
        flips: share of rows whose predicted class changed, or, where labels do not exclude each other, of
            which any label crossed one half; None where there are no classes (raw scores).
        flips_by: share of rows by (reference's class, copy's class), the changed ones only; empty without
            classes.
        to_wrong: share that was right and is wrong, or None without known classes. Of labels that do not
            exclude each other it is a share of single decisions, as `to_right` and `accuracy` are.
        to_right: the other way round.
        kl: mean Kullback-Leibler divergence from the reference's probabilities, in nats; None for raw
            scores.
        largest: the largest difference of a score, in the models' scale.
        typical: the mean absolute difference, likewise.
        accuracy: (reference, copy), or None without known classes.
        mcnemar: exact two-sided p of equal accuracy; None without known classes, and for labels that do not
            exclude each other, since decisions about one row are no separate trials.
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
    """Copies of a model compared with it: predictions, reasons, and whether the reasons got worse.

    Args:
        reference: the name of the model that the others are compared with.
        models: the copies' names, in order.
        methods: the methods' names, in order.
        ids: the rows' names `(n,)`.
        explained: the output explained per row, the reference's own prediction unless chosen `(n,)`.
        behavior: one per copy.
        measured: every copy x method x metric x stratum.
        quality: every copy x method x measure that the rows allow.
        deciding: the metrics that a copy's verdict rests on.
        verdicts: per copy, the verdict for rows like these: the gravest over the deciding metrics of all
            methods. `claim` gives its grounds, and the verdict on these rows alone.
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
        """The measurements of one copy, by one method or all.

        Raises:
            InputError: no such copy or method.
        """
        for chosen, there, what in (
            (model, self.models, "copy"),
            (method, (None, *self.methods), "method"),
        ):
            if chosen not in there:
                names = [name for name in there if name is not None]
                raise InputError(
                    f"This drift has a {what} of {names}, not {chosen!r}. Choose one of these."
                )
        return tuple(
            one
            for one in self.measured
            if one.model == model
            and one.stratum == stratum
            and (method is None or one.method == method)
        )

    @property
    def on_rows(self) -> dict[str, Verdict]:
        """Per copy, the verdict on these rows alone; `verdicts` is about rows like these."""
        return {name: self.claim(name, "these rows").word for name in self.models}

    def claim(self, model: str, scope: Scope = "rows like these") -> Claim:
        """A copy's verdict with its grounds: scope, rows beyond the limit, bound, rows needed.

        Raises:
            InputError: there is no such copy, or no deciding metric was measured for it.
        """
        found = claim_of(self.of(model), self.deciding, scope)
        if found is None:
            raise InputError(
                f"A claim rests on deciding metrics, of {list(self.deciding)}, but none was measured of "
                f"{model!r}. Take a Drift that workbench.drift(...) gave."
            )
        return found

    def sentence(self, model: str) -> str:
        """How a copy's explanations and predictions changed, in two sentences.

        Raises:
            InputError: as `claim`.
        """
        return (
            f"Explanations {self.of_explanations(model)}. Predictions {self.of_predictions(model)}."
        )

    def of_explanations(self, model: str) -> str:
        """How a copy's explanations changed, on these rows and for rows like these, without a full stop.

        Raises:
            InputError: as `claim`.
        """
        here, like = self.claim(model, "these rows"), self.claim(model)
        said = f"{here.words(self.ids)}; {like.words(self.ids)}"
        if like.word == here.word != "undetermined" or not like.explains:
            said = like.words(self.ids)
        by = [one for one in self.methods if self.of(model, method=one)]
        alone = "" if len(by) == len(self.methods) else f", explained by {' and '.join(by)} alone"
        return said + alone

    def of_predictions(self, model: str) -> str:
        """How a copy's predictions changed on these rows, without a full stop.

        They are preserved where at most one row in a hundred has another predicted class.
        """
        behavior = next(one for one in self.behavior if one.model == model)
        if behavior.flips is None:
            return f"have no classes: scores differ by {behavior.typical:.3g} on average"
        n = len(self.ids)
        flipped = f"{round(behavior.flips * n)} of {n} rows flipped, {percent(behavior.flips)}"
        if 0 < behavior.flips <= FLIPS:
            flipped += f", and {percent(FLIPS)} may"
        return f"{'preserved' if behavior.flips <= FLIPS else 'changed'} on these rows ({flipped})"

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
        # They are sorted by model, then by method; a copy may lack some methods.
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

        Columns copy, method, metric, stratum, rows, different rows, mean, low, high, noise, retraining,
        random, normalized, margin, p, q, decides, on these rows, rows beyond, limit, share at most, verdict
        (for rows like these), reason, rows needed.
        """
        import pandas as pd

        lines = [
            {
                "copy": one.model,
                "method": one.method,
                "metric": one.metric,
                "stratum": one.stratum,
                "rows": len(one.rows),
                "different rows": one.known,
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
                "on these rows": one.on_rows,
                "rows beyond": one.beyond,
                "limit": one.limit,
                "share at most": one.share,
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

        Columns copy, on these rows and verdict (for rows like these; both the copy's, over its methods),
        flips, accuracy (of the copy), accuracy change, method, then one per deciding metric, and reason:
        of the metric of this method that decided, or did not.
        """
        import pandas as pd

        lines = []
        for behavior in self.behavior:
            here = claim_of(self.of(behavior.model), self.deciding, "these rows")
            for method in self.methods:
                deciding = [
                    one
                    for one in self.of(behavior.model, method=method)
                    if one.metric in self.deciding
                ]
                told = claim_of(deciding, self.deciding, "rows like these")
                if here is None or told is None:
                    continue
                before, after = behavior.accuracy or (np.nan, np.nan)
                lines.append(
                    {
                        "copy": behavior.model,
                        "on these rows": here.word,
                        "verdict": self.verdicts.get(behavior.model, "undetermined"),
                        "flips": np.nan if behavior.flips is None else behavior.flips,
                        "accuracy": after,
                        "accuracy change": after - before,
                        "method": method,
                        **{one.metric: one.mean for one in deciding},
                        "reason": f"{told.metric}: {told.reason}",
                    }
                )
        columns = [
            "copy",
            "on these rows",
            "verdict",
            "flips",
            "accuracy",
            "accuracy change",
            "method",
        ]
        return pd.DataFrame(lines, columns=[*columns, *self.deciding, "reason"])

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{name!r} {verdict}" for name, verdict in self.verdicts.items())
        return f"Drift(from {self.reference!r}, {len(self.ids)} rows, {list(self.methods)}: {verdicts})"

    def _repr_html_(self) -> str:
        frame = self.summary().dropna(axis=1, how="all")
        table = html_table(list(frame.columns), frame_cells(frame), limit=400)
        notes = "".join(f"<p>{escape(note, limit=600)}</p>" for note in self.notes)
        decided = {one.model for one in self.measured if one.metric in self.deciding}
        sentences = "".join(
            f"<p><b>{escape(name)}</b>: {escape(self.sentence(name), limit=600)}</p>"
            for name in self.models
            if name in decided
        )
        return (
            f"<p>Drift from <b>{escape(self.reference)}</b> on {len(self.ids)} rows: 0 where nothing "
            f"changed</p>{sentences}{table}{_quality_table(self.quality)}{notes}"
        )


_COLUMNS = [
    "copy", "method", "metric", "stratum", "rows", "different rows", "mean", "low", "high", "noise",
    "retraining", "random", "normalized", "margin", "p", "q", "decides", "on these rows", "rows beyond",
    "limit", "share at most", "verdict", "reason", "rows needed",
]  # fmt: skip


def _quality_table(quality: tuple[Quality, ...]) -> str:
    if not quality:
        return ""
    heads = ("copy", "method", "measure", "reference", "copy's", "difference, 95 %", "verdict")
    lines = [
        (
            one.model,
            one.method,
            one.measure,
            f"{np.mean(one.reference):.3g}",
            f"{np.mean(one.copy):.3g}",
            f"{one.difference:+.3g} [{one.low:+.3g}, {one.high:+.3g}]",
            one.verdict,
        )
        for one in quality
    ]
    asked = "Better or worse, which is another question than changed; higher is better"
    return f"<p>{asked}</p>{html_table(heads, lines, named=3)}"
