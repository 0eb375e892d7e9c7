"""How predictions and reasons changed, as tables: HTML, and the same as aligned text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from workbench.compare.drift import Behavior, Drift, Measured
from workbench.core import TableCell, TableGroup, apart, clean, html_table, text_table
from workbench.draw.drift.words import (
    MARKS,
    claims,
    figure_of,
    grounds,
    interval,
    metric_title,
    role,
    said_of,
    sign_and_word,
)

NAME = 48
"""The most characters of a copy's name in a table."""

_CELL = 120
"""The most characters of a cell."""

NONE = "–"


def behavior_html(drift: Drift) -> str:
    """How predictions changed: one line per copy, the flips by class below it."""
    lines = []
    called = _called(drift)
    for one in drift.behavior:
        below = _flips(one)
        name = TableCell(called[one.model], remarks=(below,) if below else ())
        lines.append((name, *_behavior_cells(one)))
    return html_table(_BEHAVIOR, lines, _behavior_caption(drift), look="wide", limit=_CELL)


def behavior_text(drift: Drift) -> str:
    """The same as aligned text."""
    called = _called(drift)
    lines = [(called[one.model], *_behavior_cells(one)) for one in drift.behavior]
    return text_table(_BEHAVIOR, lines, _behavior_caption(drift))


def verdict_html(drift: Drift) -> str:
    """Whether each copy kept the reasons: its verdicts, what decided them, every deciding metric."""
    groups = []
    called = _called(drift)
    for name in drift.models:
        head = TableCell(called[name], _verdicts(drift, name), _below(drift, name))
        lines = []
        for one in _deciding(drift, name):
            first, *others = _verdict_cells(drift, one)
            lines.append((TableCell(first, remarks=(one.reason,)), *others))
        groups.append(TableGroup(head, lines))
    return html_table(_VERDICT, groups, _verdict_caption(drift), look="wide", limit=_CELL)


def verdict_text(drift: Drift) -> str:
    """The same as aligned text, with each metric's reason."""
    found = [_verdict_caption(drift)]
    called = _called(drift)
    for name in drift.models:
        found.append(f"{called[name]}: {_verdicts(drift, name)}")
        found += [f"  {clean(line, limit=600)}" for line in _below(drift, name)]
        lines = [_verdict_cells(drift, one) for one in _deciding(drift, name)]
        if lines:
            found.append(text_table(_VERDICT, lines))
        found += [
            f"  {clean(one.method, limit=40)}, {metric_title(one.metric)}: {clean(one.reason, limit=600)}"
            for one in _deciding(drift, name)
        ]
    return "\n".join(found)


def quality_html(drift: Drift) -> str:
    """Whether explanations got better or worse, which is not whether they changed; "" where unknown."""
    called = _called(drift)
    lines = [
        (
            called[one.model],
            one.method,
            one.measure,
            figure_of(float(one.reference.mean())),
            figure_of(float(one.copy.mean())),
            f"{figure_of(one.difference)} [{figure_of(one.low)}, {figure_of(one.high)}]",
            one.verdict,
        )
        for one in drift.quality
    ]
    heads = ("copy", "method", "measure", "reference", "copy’s", "difference", "which is")
    caption = "Better or worse explanations (higher is better in every measure), paired over rows"
    return html_table(heads, lines, caption, look="wide", limit=_CELL) if lines else ""


_BEHAVIOR = (
    "copy", "flips", "to wrong", "to right", "largest score difference", "KL, nats",
    "accuracy: reference, copy", "McNemar’s p", "ECE", "Brier",
)  # fmt: skip

_VERDICT = (
    "method, metric", "drift, 95 %", "margin", "rows beyond their limit", "explainer noise", "retraining",
    "random weights", "from noise to random", "these rows", "rows like these",
)  # fmt: skip


def _called(drift: Drift) -> dict[str, str]:
    """Each copy's label: its whole name as far as there is room; no two look the same."""
    return dict(zip(drift.models, apart(drift.models, limit=NAME), strict=True))


def _verdicts(drift: Drift, name: str) -> str:
    """A copy's two verdicts, each with the rows it is about."""
    found = claims(drift, name)
    if found is None:
        return "not judged"
    here, like = found
    return f"these {here.rows} rows: {said_of(here)} · rows like these: {said_of(like)}"


def _below(drift: Drift, name: str) -> list[str]:
    """Sentences: what decided, and how explanations and predictions changed."""
    if claims(drift, name) is None:
        return []
    by = grounds(drift, name)
    return [f"{by[0].upper()}{by[1:]}", drift.sentence(name)]


def _behavior_caption(drift: Drift) -> str:
    return (
        f"Predictions held against {clean(drift.reference, limit=60)} on {len(drift.ids)} rows; flips and "
        "what follows are shares of all rows"
    )


def _behavior_cells(one: Behavior) -> tuple[str, ...]:
    return (
        share(one.flips),
        share(one.to_wrong),
        share(one.to_right),
        figure_of(one.largest),
        figure_of(one.kl),
        pair(one.accuracy, ".1%"),
        figure_of(one.mcnemar),
        pair(one.ece, ".3f"),
        pair(one.brier, ".3f"),
    )


def share(value: float | None) -> str:
    """A share in percent, "–" where it is unknown.

    >>> share(0.125), share(None)
    ('12.5 %', '–')
    """
    return NONE if value is None else f"{100 * value:.1f} %"


def pair(values: tuple[float, float] | None, form: str) -> str:
    """Two figures, the reference's first.

    >>> pair((0.5, 0.25), ".1%")
    '50.0% → 25.0%'
    """
    return NONE if values is None else f"{values[0]:{form}} → {values[1]:{form}}"


def _flips(one: Behavior) -> str:
    by: Mapping[tuple[str, str], float] = one.flips_by
    worst = sorted(by, key=lambda key: -by[key])[:4]
    return ", ".join(
        f"{clean(was, limit=30)} → {clean(now, limit=30)} {share(by[was, now])}"
        for was, now in worst
    )


def _deciding(drift: Drift, name: str) -> list[Measured]:
    every = [one for one in drift.measured if one.model == name and one.stratum == "all"]
    deciding = [one for one in every if one.metric in drift.deciding]
    return deciding or every


def _verdict_cells(drift: Drift, one: Measured) -> tuple[str, ...]:
    owed = role(drift, one)
    beyond = (
        NONE
        if not np.isfinite(one.limit)
        else f"{one.beyond} of {one.known}, {figure_of(one.limit)}"
    )
    return (
        f"{clean(one.method, limit=40)}, {metric_title(one.metric)}{f' ({owed})' if owed else ''}",
        interval(one),
        figure_of(one.margin),
        beyond,
        figure_of(one.noise),
        figure_of(one.retraining),
        figure_of(one.random),
        figure_of(one.normalized),
        sign_and_word(one.on_rows),
        sign_and_word(one.verdict),
    )


def _verdict_caption(drift: Drift) -> str:
    signs = ", ".join(f"{mark.sign} {name}" for name, mark in MARKS.items())
    return (
        f"Reasons held against {clean(drift.reference, limit=60)}: mean drift over rows, 0 where nothing "
        "changed. A copy’s verdict is the gravest over its methods and metrics, and a line’s is of that "
        f"method and metric alone. From noise to random: 0 at the explainer’s noise, 1 at random weights. "
        f"{signs}"
    )
