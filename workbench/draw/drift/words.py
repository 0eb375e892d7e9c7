"""The words in pictures of drift for copies, verdicts and reference lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from workbench.compare.drift import (
    DRIFT_METRICS,
    GRAVEST_FIRST,
    Claim,
    Drift,
    Measured,
    Stratum,
    Verdict,
    claim_of,
)
from workbench.core import apart
from workbench.draw.style import label
from workbench.errors import InputError

BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "#6b6b6b"
"""Colors of the palette of Okabe and Ito, which people of any color vision can tell apart."""


@dataclass(frozen=True)
class Mark:
    """How a verdict is drawn: a shape, how far it is filled, and only then a color."""

    shape: str
    sign: str
    color: str
    fill: Literal["full", "left", "none"] = "full"

    def drawn(self, size: float = 7) -> dict[str, Any]:
        """The mark as arguments of matplotlib's `plot`."""
        return {
            "marker": self.shape,
            "ms": size,
            "mew": 1.6,
            "ls": "none",
            "mec": self.color,
            "mfc": "white" if self.fill == "none" else self.color,
            "markerfacecoloralt": "white",
            "fillstyle": "left" if self.fill == "left" else "full",
        }


MARKS: dict[Verdict, Mark] = {
    "preserved": Mark("o", "●", BLUE),
    "changed in part": Mark("D", "⬖", ORANGE, "left"),
    "changed": Mark("D", "◆", ORANGE),
    "undetermined": Mark("o", "○", GRAY, "none"),
}
"""A round mark where no change was shown, a diamond where one was."""

SHAPES = "Shapes: each copy’s verdict for rows like these, over all methods."
"""The meaning of every mark in a picture, whichever method and metric the picture shows."""

LINES = {
    "noise": ("explainer noise", (0, (1, 1.6))),
    "retraining": ("retraining", (0, (5, 2.2))),
    "random": ("random weights", "solid"),
}
"""The reference lines by their field in `Measured`: name and dashes."""

ROWS: dict[Stratum, str] = {
    "all": "all rows",
    "kept": "rows whose class was kept",
    "flipped": "rows whose class flipped",
}


def figure_of(value: float | None) -> str:
    """A drift, share or distance with three significant digits, "–" where there is none.

    >>> figure_of(0.0123456), figure_of(0.0), figure_of(None), figure_of(float("nan"))
    ('0.0123', '0', '–', '–')
    """
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.3g}".replace("-", "−")


def metric_title(metric: str) -> str:
    """A metric as a reader knows it.

    >>> metric_title("distance")
    'relative distance (L2)'
    """
    return DRIFT_METRICS[metric].title if metric in DRIFT_METRICS else label(metric)


def short(names: Sequence[str], reference: str, limit: int) -> dict[str, str]:
    """Copies' names without the model's, which stands in the title; no two look the same.

    >>> short(["net, 30% pruned", "other"], "net", 40)
    {'net, 30% pruned': '30% pruned', 'other': 'other'}
    """
    names = list(dict.fromkeys(names))
    bare = [name.removeprefix(f"{reference}, ") or name for name in names]
    own = [one if bare.count(one) == 1 else name for name, one in zip(names, bare, strict=True)]
    return dict(zip(names, apart(own, limit=limit), strict=True))


def interval(measured: Measured) -> str:
    """The mean and its 95 % interval: "0.02 [0.01, 0.03]"."""
    return f"{figure_of(measured.mean)} [{figure_of(measured.low)}, {figure_of(measured.high)}]"


def sign_and_word(verdict: Verdict) -> str:
    """A verdict as its sign and its word."""
    return f"{MARKS[verdict].sign} {verdict}"


def claims(drift: Drift, name: str) -> tuple[Claim, Claim] | None:
    """A copy's claims on these rows and for rows like these; None where it is not judged.

    Everything that shows a copy's verdict takes it from here, so that no screen shows two different ones.
    """
    found = drift.of(name)
    here, like = (
        claim_of(found, drift.deciding, scope) for scope in ("these rows", "rows like these")
    )
    return None if here is None or like is None else (here, like)


def said_of(claim: Claim) -> str:
    """A claim's sign and word, and what an undecided one needs: "○ undetermined, 59 rows would do"."""
    return f"{sign_and_word(claim.word)}{_needs(claim)}"


def leading(drift: Drift, name: str) -> Claim | None:
    """The graver of a copy's two claims; tables show its figures. None where the copy is not judged."""
    found = claims(drift, name)
    return (
        None if found is None else min(reversed(found), key=lambda c: GRAVEST_FIRST.index(c.word))
    )


def decided_by(claim: Claim) -> str:
    """The method and the metric that decided a claim."""
    return f"{label(claim.method, 40)}, {metric_title(claim.metric)}"


def figures_of(claim: Claim) -> str:
    """The deciding metric's drift and its margin, in words."""
    found = f"{figure_of(claim.mean)}, margin {figure_of(claim.margin)}"
    if claim.word == "changed in part":
        found += f"; {claim.beyond} of {claim.rows} rows beyond {figure_of(claim.limit)}"
    return found


def grounds(drift: Drift, name: str) -> str:
    """Which method and metric decided, with value and margin; "" where it is not judged."""
    found = claims(drift, name)
    if found is None:
        return ""
    named = _telling(*found)
    if len(named) == 1:
        return _owed(named[0])
    return "; ".join(f"{claim.scope} {_owed(claim)}" for claim in named)


def role(drift: Drift, measured: Measured) -> str:
    """This metric's part in a copy's verdict: "decides", "leaves it open", or "" for none."""
    found = claims(drift, measured.model)
    if found is None or measured.stratum != "all":
        return ""
    mine = [
        c for c in _telling(*found) if (c.method, c.metric) == (measured.method, measured.metric)
    ]
    if not mine:
        return ""
    return "leaves it open" if mine[0].word == "undetermined" else "decides"


def _telling(here: Claim, like: Claim) -> list[Claim]:
    """The claims to give reasons for: only one where both rest on the same metric and method."""
    if (here.method, here.metric) != (like.method, like.metric):
        return [here, like]
    return [here if here.word in ("changed", "changed in part") else like]


def _owed(claim: Claim) -> str:
    lead = "left open" if claim.word == "undetermined" else "decided"
    return f"{lead} by {decided_by(claim)} {figures_of(claim)}"


def verdict_line(drift: Drift, name: str, called: str) -> str:
    """One copy's verdicts in one line, beginning with its mark: explanations, predictions, what decided."""
    found = claims(drift, name)
    if found is None:
        return f"– {called}: not judged"
    here, like = found
    if here.word == like.word:
        words = f"{here.word} on these {here.rows} rows and for rows like these{_needs(like)}"
    else:
        words = (
            f"{here.word} on these {here.rows} rows; {like.word} for rows like these{_needs(like)}"
        )
    return (
        f"{MARKS[like.word].sign} {called}: explanations {words}; predictions "
        f"{_predictions(drift, name)}; {grounds(drift, name)}"
    )


def _predictions(drift: Drift, name: str) -> str:
    """How a copy's predictions changed: "changed (3 of 24 rows flipped)"."""
    words, _, share = drift.of_predictions(name).partition(", ")
    return f"{words.replace(' on these rows', '')})" if share else words


def _needs(claim: Claim) -> str:
    """How many rows would decide, after a comma."""
    if claim.word != "undetermined" or claim.scope == "these rows" or claim.rows_needed is None:
        return ""
    return f", {claim.rows_needed:,} rows would do"


def beside_margin(measured: Measured) -> str:
    """Where a metric's own interval lies. It is not a verdict: verdicts cover all methods and metrics.

    Rows that drift more than a single row may are counted too, since a mean hides them.
    """
    if measured.high <= measured.margin:
        where = "within the margin"
    else:
        where = "beyond the margin" if measured.low > measured.margin else "across the margin"
    if not measured.beyond:
        return where
    return f"{where}, {measured.beyond} of {measured.known} rows beyond {figure_of(measured.limit)}"


def named_method(drift: Drift, method: str | None) -> str:
    """The requested method, or the first.

    Raises:
        InputError: it is not among those measured.
    """
    if method is None and drift.methods:
        return drift.methods[0]
    if method not in drift.methods:
        raise InputError(
            f"The method must be one of those measured, {list(drift.methods)}, but is {method!r}. "
            "Leave it out for the first."
        )
    return method


def shown_metrics(drift: Drift, method: str, metrics: Sequence[str] | None) -> tuple[str, ...]:
    """The requested metrics; if none, those that decide; if there are none, all.

    Raises:
        InputError: one was not measured.
    """
    there = tuple(dict.fromkeys(one.metric for one in drift.measured if one.method == method))
    if metrics is None:
        deciding = tuple(one for one in drift.deciding if one in there)
        return deciding or there
    missing = [one for one in metrics if one not in there]
    if missing or not metrics:
        raise InputError(
            f"The metrics must be some of those measured, {list(there)}, but are {list(metrics)}. "
            "Leave them out for those that decide."
        )
    return tuple(metrics)


def pick(drift: Drift, method: str, metric: str, stratum: Stratum) -> dict[str, Measured]:
    """The measurements of each copy that has them, in the copies' order."""
    found = {
        one.model: one
        for one in drift.measured
        if (one.method, one.metric, one.stratum) == (method, metric, stratum)
    }
    return {name: found[name] for name in drift.models if name in found}


NARROW = 20
"""An axis longer than so many margins is drawn on a square-root scale."""


def narrow(margin: float, reach: float) -> bool:
    """Whether a margin would be too thin to see on a linear axis up to `reach`.

    >>> narrow(0.05, 0.8), narrow(0.005, 0.8)
    (False, True)
    """
    return 0 < NARROW * margin < reach


def rooted(axes: Any, which: Literal["x", "y"], limit: float) -> None:
    """Give one axis a square-root scale: it includes 0, and small values can be told apart.

    Args:
        axes: of matplotlib.
        which: the axis.
        limit: the largest number on it.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter

    scale = axes.set_xscale if which == "x" else axes.set_yscale
    scale("function", functions=(lambda x: np.sqrt(np.clip(x, 0, None)), np.square))
    axis = axes.xaxis if which == "x" else axes.yaxis
    step = 10 ** np.floor(np.log10(limit))
    ticks = [step * part for part in (0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0)]
    axis.set_major_locator(FixedLocator([tick for tick in ticks if tick <= limit]))
    axis.set_minor_locator(FixedLocator([]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def drift_question(drift: Drift) -> str:
    """The question that pictures of drift answer."""
    return f"Did the copies of “{label(drift.reference, 32)}” keep its reasons?"
