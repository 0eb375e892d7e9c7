"""How the Explain panel shows a result: picture, facts, table and notes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.core import Attribution, clean
from workbench.panels.kit import (
    Field,
    Outcome,
    Picturing,
    facts_html,
    fill_html,
    notes_html,
    opacity,
    stale_sentence,
    table_html,
    words_html,
)

if TYPE_CHECKING:
    from workbench.draw import Picture


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
        fields.append(opacity("Opacity of the map"))
        fields.append({"name": "original", "label": "Original beside it", "kind": "check"})
    return tuple(fields)


def pictures_of(attribution: Attribution) -> tuple[str, ...]:
    """The pictures that suit a result, the usual one first."""
    from workbench import draw

    return tuple(one.name for one in draw.pictures_of(attribution))


def settled(look: Look, attribution: Attribution) -> Look:
    """The look with invalid parts replaced by valid ones."""
    pictures = pictures_of(attribution)
    return replace(
        look,
        row=look.row if 0 <= look.row < len(attribution) else 0,
        picture=look.picture if look.picture in pictures else pictures[0],
    )


def result_html(attribution: Attribution, look: Look) -> str:
    """Picture, facts, table, words and notes of one row of a result."""
    from workbench import draw

    look = settled(look, attribution)
    shown = next(one for one in draw.pictures_of(attribution) if one.name == look.picture)
    return (
        _picture_html(shown, attribution, look)
        + facts_html(attribution, look.row)
        + fill_html(attribution)
        + table_html(attribution, look.row)
        + words_html(shown.in_words(attribution, look.row))
        + notes_html(attribution)
    )


def _picture_html(shown: Picture, attribution: Attribution, look: Look) -> str:
    """The picture as a figure with its alternative text."""
    from workbench import draw

    figure = shown.drawn(attribution, look.row, opacity=look.opacity, original=look.original)
    alt = shown.in_words(attribution) if shown.all_rows else draw.alt_text(attribution, look.row)
    return draw.figure_html(figure, alt)


PICTURING: Picturing[Outcome, Look] = Picturing(
    Look(),
    numbers=lambda outcome, look: {"picture": result_html(outcome.attribution, look)},
    fields=lambda outcome: looks(outcome.attribution),
    settled=lambda look, outcome: settled(look, outcome.attribution),
    stale=stale_sentence,
)
"""How the Explain panel shows an outcome: everything at once, pictures included."""
