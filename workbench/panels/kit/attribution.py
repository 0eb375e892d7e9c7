"""One attribution as an outcome: whether it matches the present choices, and its facts, table and notes
as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from workbench.coalitions.fills import chosen_fill
from workbench.core import Attribution, clean, escape, html_table, parameters
from workbench.core.student import give_or_take
from workbench.panels.kit.choices import Asked
from workbench.panels.kit.jobs import Job

TABLE_ROWS = 12

COVERED = {
    "background": "an absent feature took its values in the background rows",
    "contrast": "an absent part was covered with one color that is far from its own",
}
"""For each fill that "auto" can mean: what it did, in words."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The last result, and the choices it came from."""

    attribution: Attribution
    key: tuple[object, ...]


class Explained(Protocol):
    """An outcome around one attribution."""

    @property
    def attribution(self) -> Attribution:
        """The result."""

    @property
    def key(self) -> tuple[object, ...]:
        """The choices it came from."""


def stale_sentence(outcome: Explained, view: Asked, job: Job | None) -> str:
    """Why the picture may not match the present choices, or "".

    Args:
        outcome: the outcome shown.
        view: the view of the present choices.
        job: the last run.
    """
    shown = outcome.attribution
    made = f"{type(shown.method).__name__} of {clean(shown.model, limit=60)}"
    if outcome.key != view.key:
        return f"From the previous run ({made}): the choices have changed since. Press Run."
    if job is not None and not job.result and job.state in ("cancelled", "failed"):
        return f"From the previous run ({made}): the last one was {job.state}."
    if not shown.complete:
        asked = len(view.study.inputs) if view.study is not None else 0
        return f"Cancelled: {len(shown)} of {asked} rows have an estimate, the last of them unfinished."
    return ""


def summary(job: Job) -> str:
    """How a run ended, in one sentence for the live region."""
    took = f"{job.seconds:.1f} s"
    if job.state == "failed":
        return f"{job.name} failed after {took}."
    count = len(job.result[0]) if job.result else 0
    rows = f"{count} row{'' if count == 1 else 's'}"
    if job.state == "cancelled":
        kept = f"{rows} kept" if count else "no row was finished"
        return f"Cancelled after {took}: {kept}."
    evaluated = f"{job.result[0].evaluations:,} model rows" if job.result else ""
    return f"Done: {job.name}, {rows} in {took}, {evaluated} evaluated."


def facts_html(attribution: Attribution, row: int) -> str:
    """Output, base, gap and its meaning, and the cost."""
    output, base = attribution.output[row], attribution.base[row]
    facts = [
        (f"output, {attribution.scale}", f"{output:.4g}"),
        ("base", f"{base:.4g}" if np.isfinite(base) else "none"),
        ("gap", f"{attribution.gap[row]:.2g}" if np.isfinite(base) else "none"),
        ("model rows", f"{attribution.evaluations:,}"),
        ("seconds", f"{attribution.seconds:.2f}"),
    ]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<dl class="wb-facts">{cells}</dl><p>{escape(gap_meaning(attribution, row), limit=400)}</p>'


def gap_meaning(attribution: Attribution, row: int) -> str:
    """What the gap says about this row, in one sentence."""
    name = type(attribution.method).__name__
    output, base = float(attribution.output[row]), float(attribution.base[row])
    if not np.isfinite(base):
        return f"{name} has no base, so its values are not meant to add up to the output."
    gap, way = float(attribution.gap[row]), abs(output - base)
    if abs(gap) <= 1e-6 * max(abs(output), abs(base), way):
        return "Base and values add up to the output, so nothing is left unexplained."
    share = f", {abs(gap) / way:.0%} of the way from base to output" if way > abs(gap) else ""
    if attribution.method.additive:
        return f"The values leave a gap of {gap:.2g}{share}. Spend a larger budget to close it."
    return f"{name} does not promise to add up: it leaves a gap of {gap:.2g}{share}."


def fill_html(attribution: Attribution) -> str:
    """What absent features were replaced by, where fill "auto" decided it; else ""."""
    fills = [one for one in parameters(type(attribution.method)) if one.name == "fill"]
    heard = any(one.matters_for(attribution.inputs.kind) for one in fills)
    if not heard or getattr(attribution.method, "fill", "") != "auto":
        return ""
    fill = chosen_fill("auto", attribution.inputs)
    covered = COVERED.get(
        fill, f"an absent part was filled by {fill!r}"
    )  # a fill of a kind that was added
    return f"<p>With fill &quot;auto&quot; {escape(covered)}.</p>"


def table_html(attribution: Attribution, row: int) -> str:
    """The values in numbers, largest first; "" for maps of single pixels."""
    whole = attribution.inputs.of_kind.planar and not attribution.has_superpixels
    if whole or not attribution.has_players:
        return ""
    values, errors = attribution.by_player(row), attribution.half_width_by_player(row)
    order = np.argsort(-np.abs(values), kind="stable")
    what, detail = _described(attribution, row)
    lines = [
        (
            attribution.names[j],
            detail[j],
            f"{values[j]:+.4g}",
            *(() if errors is None else (give_or_take(errors[j]),)),
        )
        for j in order
    ]
    heads = (*what, attribution.scale, *(() if errors is None else ("95 % error",)))
    title = (
        f"Row {attribution.inputs.ids[row]}: what raised (+) and lowered (−) "
        f"{attribution.explained[row]}"
    )
    rest = ""
    if len(lines) > TABLE_ROWS + 1:
        others = lines[TABLE_ROWS:]
        lines = lines[:TABLE_ROWS]
        rest = f"<details><summary>The other {len(others)}</summary>{html_table(heads, others)}</details>"
    return html_table(heads, lines, title) + rest


def words_html(words: str) -> str:
    """A picture in words, folded away."""
    lines = "\n".join(escape(line, limit=400) for line in words.splitlines())
    return f"<details><summary>The picture in words</summary><pre>{lines}</pre></details>"


def notes_html(attribution: Attribution) -> str:
    """Notes that a reader of the picture needs."""
    notes = list(attribution.notes)
    if not attribution.complete:
        notes.insert(0, "Stopped early: only part of the budget was spent on these rows.")
    items = "".join(f"<li>{escape(note, limit=500)}</li>" for note in notes)
    return f'<ul class="wb-notes">{items}</ul>' if items else ""


def _described(attribution: Attribution, row: int) -> tuple[tuple[str, str], list[str]]:
    """The heads of the first two columns, and the second column's cells."""
    kind, names = attribution.inputs.of_kind, attribution.names
    return kind.heads, kind.where(attribution.inputs, row, names, attribution.owners(row))
