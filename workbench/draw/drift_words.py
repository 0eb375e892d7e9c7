"""What pictures of drift call their parts: copies, verdicts, reference lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from workbench.compare.drift import Drift
from workbench.compare.drift_metrics import DRIFT_METRICS
from workbench.compare.measured import Measured, Stratum, Verdict
from workbench.draw.style import label
from workbench.errors import InputError

BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "#6b6b6b"
"""Of the palette of Okabe and Ito, told apart by people of any color vision."""


@dataclass(frozen=True)
class Mark:
    """How a verdict is drawn: a shape, filled or hollow, and only then a color."""

    shape: str
    sign: str
    color: str
    filled: bool = True


MARKS: dict[Verdict, Mark] = {
    "preserved": Mark("o", "●", BLUE),
    "changed": Mark("D", "◆", ORANGE),
    "undetermined": Mark("o", "○", GRAY, filled=False),
}

LINES = {
    "noise": ("explainer noise", (0, (1, 1.6))),
    "retraining": ("retraining", (0, (5, 2.2))),
    "random": ("random weights", "solid"),
}
"""Fields of `Measured` that are reference lines: what they are called, and their dashes."""

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


def short(name: str, reference: str, limit: int) -> str:
    """A copy's name as far as it is not its model's: that stands in the title.

    >>> short("net, 30% pruned", "net", 40), short("other", "net", 40)
    ('30% pruned', 'other')
    """
    return label(name.removeprefix(f"{reference}, ") or name, limit)


def interval(measured: Measured) -> str:
    """The mean and its 95 % interval: "0.02 [0.01, 0.03]"."""
    return f"{figure_of(measured.mean)} [{figure_of(measured.low)}, {figure_of(measured.high)}]"


def said(verdict: Verdict) -> str:
    """A verdict as its sign and its word."""
    return f"{MARKS[verdict].sign} {verdict}"


def named_method(drift: Drift, method: str | None) -> str:
    """The method asked for, or the first.

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
    """The metrics asked for, or those that decide, or all.

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
    """What was measured of each copy that has it, in the copies' order."""
    found = {
        one.model: one
        for one in drift.measured
        if (one.method, one.metric, one.stratum) == (method, metric, stratum)
    }
    return {name: found[name] for name in drift.models if name in found}


NARROW = 20
"""How many margins an axis may hold before it is drawn on a square-root scale."""


def narrow(margin: float, reach: float) -> bool:
    """Whether a margin would be too thin to see on a linear axis up to `reach`.

    >>> narrow(0.05, 0.8), narrow(0.005, 0.8)
    (False, True)
    """
    return 0 < NARROW * margin < reach


def rooted(axes: Any, which: Literal["x", "y"], limit: float) -> None:
    """A square-root scale along one axis: 0 is on it, and what is small can be told apart.

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
    """What the pictures of drift answer."""
    return f"Did the copies of “{label(drift.reference, 32)}” keep its reasons?"
