"""A drift as a person reads it: verdicts, the row shown, the findings. Pure HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from workbench.compare.drift import GRAVEST_FIRST, Drift
from workbench.core import TableCell, clean, escape, html_table
from workbench.errors import WorkbenchError
from workbench.lab import Findings, curve, findings
from workbench.panels.compression.run import CompressionOutcome
from workbench.panels.kit import Field, label_of, opacity

LINES = 6
"""Lines of the tables of features and slices."""


@dataclass(frozen=True)
class CompressionLook:
    """How a result is looked at: which copy and row, by which method, over which rows, a map's opacity.

    Until somebody chooses a copy, it is the one with the most drift, which may change as more are judged.
    """

    copy: str = ""
    row: int = -1
    method: str = ""
    stratum: str = "all"
    opacity: float = 0.6
    chosen: bool = False


def turned(look: CompressionLook, changed: Mapping[str, Any]) -> CompressionLook:
    """The look after a person changed some of it; another copy begins at its farthest row."""
    after = replace(look, **changed)
    row = -1 if after.copy != look.copy else after.row
    chosen = (
        look.chosen or "row" in changed or (after.copy, after.method) != (look.copy, look.method)
    )
    return replace(after, row=row, chosen=chosen)


def settled_look(look: CompressionLook, outcome: CompressionOutcome) -> CompressionLook:
    """The look with invalid parts replaced: by the copy with the most drift, and its first row."""
    drift = outcome.drift
    if drift is None:
        return CompressionLook(opacity=look.opacity)
    if not look.chosen:
        look = replace(look, copy="", row=-1, method="")
    method = look.method if look.method in drift.methods else gravest(drift)
    measured = {one.model for one in drift.measured if one.method == method}
    copies = [name for name in drift.models if name in measured]
    copy = look.copy if look.copy in copies else farthest(drift, method)
    strata = {one.stratum for one in drift.measured if one.method == method and len(one.rows)}
    stratum = look.stratum if look.stratum in strata else "all"
    ranked = ranking(drift, copy, method)
    there = {one.row for one in ranked}
    row = look.row if look.row in there else next((one.row for one in ranked), 0)
    return CompressionLook(copy, row, method, stratum, look.opacity, look.chosen)


def look_fields(outcome: CompressionOutcome) -> tuple[Field, ...]:
    """The controls that change the look, as `static/form.js` reads them."""
    from workbench.draw.drift import short

    drift = outcome.drift
    if drift is None:
        return ()
    fields: list[Field] = []
    for name, label, names in (
        ("copy", "Copy shown", drift.models),
        ("method", "Explained by", drift.methods),
    ):
        if len(names) > 1:
            called = short(names, drift.reference, 60)
            options = [[one, label_of(called[one])] for one in names]
            fields.append({"name": name, "label": label, "kind": "choice", "options": options})
    if {one.stratum for one in drift.measured} > {"all"}:
        options = [["all", "all rows"], ["kept", "class kept"], ["flipped", "class flipped"]]
        options = [one for one in options if any(m.stratum == one[0] for m in drift.measured)]
        fields.append(
            {"name": "stratum", "label": "Drift over", "kind": "choice", "options": options}
        )
    if drift.attributions and drift.attributions[0].inputs.of_kind.planar:
        fields.append(opacity("Opacity of the maps"))
    return tuple(fields)


def gravest(drift: Drift) -> str:
    """The method that decided the gravest verdict: its pictures are the ones to look at first."""
    from workbench.draw.drift import leading

    found = [leading(drift, name) for name in drift.models]
    judged = [claim for claim in found if claim is not None]
    worst = min(
        judged, key=lambda one: (GRAVEST_FIRST.index(one.word), -one.mean / (one.margin or 1.0))
    )
    return worst.method


def farthest(drift: Drift, method: str) -> str:
    """The copy whose mean drift by the deciding metrics is the farthest beyond its margin."""

    def beyond(name: str) -> float:
        deciding = [
            one.mean / (one.margin or 1.0)
            for one in drift.measured
            if (one.model, one.method, one.stratum) == (name, method, "all")
            and one.metric in drift.deciding
        ]
        return max(deciding, default=-1.0)

    return max(drift.models, key=beyond)


def found_in(drift: Drift, method: str) -> Findings | None:
    """The lab's findings in a drift, or None where it cannot find any."""
    try:
        return findings(drift, method=method)
    except WorkbenchError:
        return None


def ranking(drift: Drift, copy: str, method: str) -> list[Any]:
    """The rows of one copy, by how far the reasons moved; rows whose prediction is kept come first."""
    found = found_in(drift, method)
    return [] if found is None else [one for one in found.rows if one.model == copy]


def ranking_options(outcome: CompressionOutcome, look: CompressionLook) -> list[dict[str, str]]:
    """The rows to choose from, as `static/choice.js` reads them."""
    from workbench.draw.drift import metric_title

    drift = outcome.drift
    if drift is None:
        return []
    return [
        {
            "value": str(one.row),
            "label": f"{'row ' * one.id.isdigit()}{clean(one.id, limit=40)} · "
            f"{clean(drift.explained[one.row], limit=40)}",
            "detail": f"{metric_title(one.metric)} {one.drift:.3g} · "
            f"{'prediction kept' if one.kept else 'prediction flipped'}",
            "reason": "",
        }
        for one in ranking(drift, look.copy, look.method)
    ]


def warnings_html(outcome: CompressionOutcome) -> str:
    """Warnings: copies that are not really copies, and copies without a verdict."""
    warnings = []
    for one in outcome.copies:
        if one.failed:
            warnings.append(f"{one.name}: {one.failed}")
        variant = None if one.model is None else one.model.variant
        if variant is not None:
            warnings += [f"{one.name}: {warning}" for warning in variant.warnings]
    rest = len(warnings) - LINES
    warnings = [*warnings[:LINES], f"And {rest} more, in the table."] if rest > 0 else warnings
    return "".join(
        f'<div class="wb-said" role="note">{escape(one, limit=600)}</div>' for one in warnings
    )


def overview_html(outcome: CompressionOutcome, look: CompressionLook) -> str:
    """Every copy's drift with the margin and the reference lines, and the curve over the levels."""
    from workbench import draw

    drift = outcome.drift
    if drift is None:
        return ""
    stratum: Any = look.stratum
    lines = draw.drift_lines(drift, look.method, stratum=stratum)
    html = _figure(lines)
    if len(drift.models) > 1:
        html += _figure(draw.drift_curve(curve_of(outcome, look.method)))
    return html


def curve_of(outcome: CompressionOutcome, method: str | None = None) -> Any:
    """The curve of an outcome: over the levels where one recipe made all copies, else copy by copy."""
    drift = outcome.drift
    assert drift is not None
    models = (outcome.reference, *outcome.models)
    by_name = {one.name: one.level for one in outcome.copies}
    levels = [by_name[name] for name in drift.models]
    numbers = [level for level in levels if isinstance(level, int | float)]
    if outcome.level and len(numbers) == len(levels):
        return curve(
            drift,
            models,
            levels=numbers,
            level=outcome.level,
            method=method,
            seconds=outcome.seconds,
        )
    return curve(drift, models, method=method, seconds=outcome.seconds)


def row_html(outcome: CompressionOutcome, look: CompressionLook) -> str:
    """The row shown: the model's explanation beside the copies', the chosen one first, with differences."""
    from workbench import draw

    drift = outcome.drift
    if drift is None or not drift.attributions:
        return ""
    explained = drift.explained_by(look.method)
    reference = explained.pop(drift.reference)
    chosen = explained.pop(look.copy, None)
    copies = [*([] if chosen is None else [chosen]), *explained.values()]
    if not copies:
        return ""
    if reference.inputs.of_kind.planar:
        return _figure(draw.copy_maps(reference, copies, look.row, opacity=look.opacity))
    if not reference.has_players:  # credit of single samples or voxels: one picture below the other
        shown = (draw.picture(one, look.row, opacity=look.opacity) for one in (reference, *copies))
        return "".join(map(_figure, shown))
    return _figure(draw.copy_bars(reference, copies, look.row))


def tables_html(outcome: CompressionOutcome) -> str:
    """Predictions, verdicts and quality in full, folded away."""
    from workbench import draw

    drift = outcome.drift
    if drift is None:
        return ""
    return (
        _folded("What became of the predictions", draw.behavior_html(drift))
        + _folded("Verdicts, method by method and metric by metric", draw.verdict_html(drift))
        + _folded("Better or worse explanations", draw.quality_html(drift))
    )


def findings_html(outcome: CompressionOutcome, look: CompressionLook) -> str:
    """Features and slices of the copy shown, folded away; "" where nothing was found."""
    drift = outcome.drift
    found = None if drift is None else found_in(drift, look.method)
    if found is None:
        return ""
    features = [
        (
            TableCell(one.feature, limit=60), TableCell(one.words, limit=80), f"{one.moved:.3g}",
            f"{one.mean_change:+.3g}".replace("-", "−"), f"{one.size_before:.3g}",
            f"{one.size_after:.3g}", f"{one.share_before:.0%}", f"{one.share_after:.0%}",
        )
        for one in found.features
        if one.model == look.copy
    ][:LINES]  # fmt: skip
    slices = [
        (
            TableCell(one.slice, limit=80), str(one.rows), f"{one.drift:.3g}", f"{one.rest:.3g}",
            f"{one.flips:.0%}", one.words,
        )
        for one in found.slices
        if one.model == look.copy
    ][:LINES]  # fmt: skip
    html = ""
    if features:
        heads: tuple[str, ...] = (
            "feature",
            "",
            "moved by",
            "mean change",
            "mean size",
            "in the copy",
            "among the top",
            "in the copy",
        )
        caption = f"Features whose part changed most in {clean(look.copy, limit=60)}"
        html += html_table(heads, features, caption, look="wide", limit=120)
    if slices:
        caption = f"Rows with most drift in {clean(look.copy, limit=60)}, held against all others"
        heads = ("rows", "count", "drift", "of the rest", "flips", "")
        html += html_table(heads, slices, caption, look="wide", limit=120)
    return _folded("Features and slices", html)


def notes_html(outcome: CompressionOutcome) -> str:
    """Notes that a reader of the pictures needs."""
    notes = [] if outcome.drift is None else list(outcome.drift.notes)
    for one in outcome.models:
        notes += (
            [] if one.variant is None else [f"{one.name}: {note}" for note in one.variant.notes]
        )
    items = "".join(f"<li>{escape(note, limit=500)}</li>" for note in dict.fromkeys(notes))
    return f'<ul class="wb-notes">{items}</ul>' if items else ""


def _folded(title: str, html: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{html}</details>" if html else ""


def _figure(figure: Any) -> str:
    """The picture, and its words folded away."""
    from workbench import draw

    lines = figure.words.splitlines()
    alt = ". ".join(" ".join(clean(line, limit=300).split()) for line in lines)
    text = "\n".join(escape(line, limit=400) for line in lines)
    return draw.figure_html(figure, alt) + (
        f"<details><summary>The picture in words</summary><pre>{text}</pre></details>"
    )
