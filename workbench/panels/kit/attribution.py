"""A result as a person reads it: the picture, what adds up, the table, the notes. Pure HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.coalitions.fills import chosen_fill
from workbench.core import Attribution, clean, escape, html_table, parameters
from workbench.core.student import give_or_take
from workbench.panels.kit.form import Field
from workbench.panels.kit.outcome import Outcome, stale_sentence
from workbench.panels.kit.result import Picturing

if TYPE_CHECKING:
    from workbench.draw import Picture

TABLE_ROWS = 12

COVERED = {
    "background": "an absent feature took its values in the background rows",
    "contrast": "an absent part was covered with one color that is far from its own",
}
"""What the fills that "auto" stands for did, in words."""


@dataclass(frozen=True)
class Look:
    """How a result is looked at: which row, which picture, and a map's opacity over its image."""

    row: int = 0
    picture: str = ""
    opacity: float = 0.6
    original: bool = True


def looks(attribution: Attribution) -> tuple[Field, ...]:
    """The controls that change the look, as `static/form.js` reads them."""
    from workbench import draw

    fields: list[Field] = []
    if len(attribution) > 1:
        labels = zip(attribution.inputs.ids, attribution.explained, strict=True)
        options = [
            [i, f"{'row ' * name.isdigit()}{clean(name, limit=40)} · {clean(what, limit=40)}"]
            for i, (name, what) in enumerate(labels)
        ]
        fields.append({"name": "row", "label": "Row shown", "kind": "choice", "options": options})
    pictures = pictures_of(attribution)
    if len(pictures) > 1:
        options = [[name, name] for name in pictures]
        fields.append({"name": "picture", "label": "Picture", "kind": "choice", "options": options})
    if any(one.over for one in draw.pictures_of(attribution)):
        fields.append(
            {
                "name": "opacity",
                "label": "Opacity of the map",
                "kind": "number",
                "slider": True,
                "low": 0.0,
                "high": 1.0,
            }
        )
        fields.append({"name": "original", "label": "Original beside it", "kind": "check"})
    return tuple(fields)


def pictures_of(attribution: Attribution) -> tuple[str, ...]:
    """The pictures that suit a result, the usual one first."""
    from workbench import draw

    return tuple(one.name for one in draw.pictures_of(attribution))


def settled(look: Look, attribution: Attribution) -> Look:
    """The look with what no longer fits replaced by what does."""
    pictures = pictures_of(attribution)
    return Look(
        row=look.row if 0 <= look.row < len(attribution) else 0,
        picture=look.picture if look.picture in pictures else pictures[0],
        opacity=look.opacity,
        original=look.original,
    )


def result_html(attribution: Attribution, look: Look) -> str:
    """Picture, facts, table, words and notes of one row of a result."""
    look = settled(look, attribution)
    return (
        picture_html(attribution, look)
        + facts_html(attribution, look.row)
        + fill_html(attribution)
        + table_html(attribution, look.row)
        + words_html(attribution, look)
        + notes_html(attribution)
    )


def picture_html(attribution: Attribution, look: Look) -> str:
    """The picture as a figure with its alternative text."""
    from workbench import draw

    chosen = _chosen(attribution, look)
    figure = chosen.drawn(attribution, look.row, opacity=look.opacity, original=look.original)
    alt = chosen.told(attribution) if chosen.all_rows else draw.alt_text(attribution, look.row)
    return draw.figure_html(figure, alt)


def _chosen(attribution: Attribution, look: Look) -> Picture:
    from workbench import draw

    return next(one for one in draw.pictures_of(attribution) if one.name == look.picture)


def facts_html(attribution: Attribution, row: int) -> str:
    """Output, base, gap with its meaning, and what it cost."""
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
    """What the absent was covered with, where fill "auto" left that open; else ""."""
    kinds = [one.kind for one in parameters(type(attribution.method)) if one.name == "fill"]
    heard = any(kind in ("", attribution.inputs.kind) for kind in kinds)
    if not heard or getattr(attribution.method, "fill", "") != "auto":
        return ""
    fill = chosen_fill("auto", attribution.inputs)
    covered = COVERED.get(fill, f"an absent part was filled by {fill!r}")  # a fill of an own kind
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


def words_html(attribution: Attribution, look: Look) -> str:
    """The picture as text, folded away."""
    words = _chosen(attribution, look).told(attribution, look.row)
    lines = "\n".join(escape(line, limit=300) for line in words.splitlines())
    return f"<details><summary>The picture in words</summary><pre>{lines}</pre></details>"


def notes_html(attribution: Attribution) -> str:
    """What must be known beside the picture."""
    notes = list(attribution.notes)
    if not attribution.complete:
        notes.insert(0, "Stopped early: only part of the budget was spent on these rows.")
    items = "".join(f"<li>{escape(note, limit=500)}</li>" for note in notes)
    return f'<ul class="wb-notes">{items}</ul>' if items else ""


def _described(attribution: Attribution, row: int) -> tuple[tuple[str, str], list[str]]:
    """The heads of the first two columns, and the second column's cells."""
    kind, names = attribution.inputs.of_kind, attribution.names
    return kind.heads, kind.where(attribution.inputs, row, names, attribution.owners(row))


PICTURING: Picturing[Outcome, Look] = Picturing(
    Look(),
    numbers=lambda outcome, look: {"picture": result_html(outcome.attribution, look)},
    fields=lambda outcome: looks(outcome.attribution),
    settled=lambda look, outcome: settled(look, outcome.attribution),
    stale=stale_sentence,
)
"""How the Explain panel shows an outcome: all of it at once."""
