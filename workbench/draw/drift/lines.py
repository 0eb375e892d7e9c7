"""Each copy's drift with its interval, beside the margin and the reference lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.compare.drift import Drift, Measured, Stratum
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.drift.words import (
    GRAY,
    LINES,
    MARKS,
    ROWS,
    SHAPES,
    beside_margin,
    claims,
    drift_question,
    interval,
    metric_title,
    named_method,
    narrow,
    pick,
    role,
    rooted,
    short,
    shown_metrics,
    verdict_line,
)
from workbench.draw.drift.words import figure_of as number
from workbench.draw.paper import new_figure
from workbench.draw.style import FAINT, INK, NEUTRAL, dress, label, wrapped
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = 36
"""Characters of a copy's name."""

WIDTH = 9.4
"""Inches."""


@dataclass(frozen=True)
class Lines:
    """The content of picture and text: a method's measurements by metric and copy, the copies' verdicts."""

    found: dict[str, dict[str, Measured]]
    byline: str
    called: dict[str, str]
    verdicts: list[str]


def drift_lines(
    drift: Drift,
    method: str | None = None,
    *,
    metrics: Sequence[str] | None = None,
    stratum: Stratum = "all",
) -> Figure:
    """One axis per metric: each copy's mean drift with its 95 % interval, from 0 (nothing changed).

    The margin is shaded, and three lines help to judge a drift: the explainer's own noise, models trained
    anew, random weights. A verdict is a shape and a word: a dot is "preserved", a diamond "changed", a half
    filled diamond "changed in part", a ring "undetermined". In every picture it is the copy's verdict, for
    rows like these and over all methods; the text beside an interval says where that metric lies.

    Args:
        drift: from `workbench.drift`.
        method: the first when left out. Methods are never compared with each other.
        metrics: those that decide when left out.
        stratum: all rows, those whose class was kept, or those whose class flipped.

    Raises:
        InputError: a method or metric that was not measured, or no copy in this stratum.
    """
    lines = _lines(drift, method, metrics, stratum)
    found = lines.found
    words = _in_words(drift, lines)
    with RENDER_LOCK:
        high = 0.62 + 0.27 * len(drift.models)
        # What a shape means, and each copy's verdicts.
        verdicts = [
            SHAPES,
            *(wrapped(one, 132).replace("\n", "\n      ") for one in lines.verdicts),
        ]
        below = 0.17 * sum(one.count("\n") + 1 for one in verdicts)
        figure = new_figure(WIDTH, 1.25 + high * len(found) + below, words)
        slots: list[Any] = list(figure.subplots(len(found), 1, squeeze=False).ravel())
        for slot, metric in zip(slots, found, strict=True):
            _draw(slot, drift, metric, lines)
        figure.suptitle(
            f"{drift_question(drift)}\n{lines.byline}",
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        _key(figure, [one for each in found.values() for one in each.values()], verdicts)
        return figure


def drift_lines_text(
    drift: Drift,
    method: str | None = None,
    *,
    metrics: Sequence[str] | None = None,
    stratum: Stratum = "all",
) -> str:
    """The same in words: the verdicts, then per metric the margin and the lines, and each copy's drift.

    Args: as for `drift_lines`.
    """
    return _in_words(drift, _lines(drift, method, metrics, stratum))


def _lines(
    drift: Drift, method: str | None, metrics: Sequence[str] | None, stratum: Stratum
) -> Lines:
    method = named_method(drift, method)
    found = _found(drift, method, shown_metrics(drift, method, metrics), stratum)
    called = short(drift.models, drift.reference, NAME)
    verdicts = [verdict_line(drift, name, called[name]) for name in drift.models]
    return Lines(found, _byline(method, found, stratum), called, verdicts)


def _in_words(drift: Drift, lines: Lines) -> str:
    width = max(map(len, lines.called.values()))
    lines_of_text = [drift_question(drift), lines.byline, *lines.verdicts]
    for metric, found in lines.found.items():
        first = next(iter(found.values()))
        lines_of_text.append(f"{metric_title(metric)}: {_lines_in_words(first)}")
        for name in drift.models:
            one = found.get(name)
            place = "not measured" if one is None else f"{interval(one):<32} {_place(drift, one)}"
            lines_of_text.append(f"  {lines.called[name]:<{width}}  {place}")
    return "\n".join(lines_of_text)


def _found(
    drift: Drift, method: str, metrics: Sequence[str], stratum: Stratum
) -> dict[str, dict[str, Measured]]:
    found = {metric: pick(drift, method, metric, stratum) for metric in metrics}
    if not drift.models or not metrics or not all(found.values()):
        raise InputError(
            f"A picture of drift needs a copy measured on {ROWS[stratum]}, but {method} has none. "
            "Choose another stratum."
        )
    return found


def _byline(method: str, found: dict[str, dict[str, Measured]], stratum: Stratum) -> str:
    counts = {len(one.drift) for each in found.values() for one in each.values()}
    rows = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    return f"{label(method, 40)}, {rows} rows ({ROWS[stratum]}); 0: nothing changed"


def _lines_in_words(one: Measured) -> str:
    parts = [f"margin {number(one.margin)}"]
    parts += [
        f"{name} {number(getattr(one, field))}"
        for field, (name, _) in LINES.items()
        if getattr(one, field) is not None
    ]
    return ", ".join(parts)


def _place(drift: Drift, one: Measured) -> str:
    """Where a metric's interval lies, and whether the copy's verdict is owed to it."""
    return ", ".join(filter(None, (beside_margin(one), role(drift, one))))


def _draw(axes: Any, drift: Drift, metric: str, lines: Lines) -> None:
    dress(axes)
    found = lines.found[metric]
    reach = max(_reach(one) for one in found.values()) or 1.0
    for at, name in enumerate(drift.models):
        one = found.get(name)
        if one is None:
            axes.text(0.01 * reach, at, "not measured", fontsize=8.5, color=FAINT, va="center")
            continue
        axes.fill_betweenx([at - 0.5, at + 0.5], 0, one.margin, color="#dcebf5", zorder=0, lw=0)
        for field, (_, dashes) in LINES.items():
            where = getattr(one, field)
            if where is not None:
                axes.plot([where] * 2, [at - 0.5, at + 0.5], color=INK, lw=1.2, ls=dashes, zorder=2)
        judged = claims(drift, name)
        color = GRAY if judged is None else MARKS[judged[1].word].color
        axes.plot([one.low, one.high], [at, at], color=color, lw=2.4, zorder=3)
        drawn = {"marker": "|", "color": GRAY} if judged is None else MARKS[judged[1].word].drawn()
        axes.plot([one.mean], [at], zorder=4, clip_on=False, **drawn)
        axes.annotate(
            f"{interval(one)}\n{_place(drift, one)}", (1.0, at), xycoords=axes.get_yaxis_transform(),
            xytext=(10, 0), textcoords="offset points", va="center", fontsize=8, color=INK,
            annotation_clip=False, parse_math=False,
        )  # fmt: skip
    axes.set_yticks(range(len(drift.models)))
    axes.set_yticklabels(
        [wrapped(lines.called[name], NAME // 2) for name in drift.models], parse_math=False
    )
    axes.set_ylim(len(drift.models) - 0.5, -0.5)
    thin = narrow(max(one.margin for one in found.values()), reach)
    if thin:
        rooted(axes, "x", reach)
    axes.set_xlim(0, 1.04 * reach)
    scale = " (square-root scale)" if thin else ""
    axes.set_title(
        f"{metric_title(metric)}{scale}", loc="left", fontsize=9.5, color=INK, parse_math=False
    )


def _reach(one: Measured) -> float:
    lines = [getattr(one, field) or 0.0 for field in LINES]
    return float(max(one.high, one.margin, *lines))


def _key(figure: Any, every: list[Measured], verdicts: list[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    drawn: list[Any] = [Patch(color="#dcebf5", label="within the margin")]
    drawn += [
        Line2D([], [], color=INK, lw=1.2, ls=dashes, label=name)
        for field, (name, dashes) in LINES.items()
        if any(getattr(one, field) is not None for one in every)
    ]
    legend = figure.legend(
        handles=drawn, loc="outside lower left", ncols=len(drawn), fontsize=8.5, frameon=False,
        labelcolor=INK, handlelength=2.2, edgecolor=NEUTRAL, alignment="left", title_fontsize=8.5,
    )  # fmt: skip
    title = legend.get_title()
    title.set_parse_math(False)
    title.set_color(INK)
    legend.set_title("\n".join(verdicts))
