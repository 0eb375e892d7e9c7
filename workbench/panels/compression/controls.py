"""The left side of the Compression panel: model, copies, rows, target and methods as native controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import ipywidgets

from workbench.core import escape
from workbench.panels.compression.choices import CompressionChoices, CompressionView
from workbench.panels.compression.recipes import asked_of, values_of
from workbench.panels.kit import (
    Choices,
    Form,
    Question,
    Shell,
    fill,
    note_html,
    section,
    show_sections,
    text,
)


class CompressionControls(ipywidgets.Box):  # type: ignore[misc]
    """What a user clicks, turned into choices; and a view, written to every control.

    Args:
        panel: whose lock and guard are used.
        view: what the panel shows now.
        chosen: called with other choices.
    """

    def __init__(
        self,
        panel: Shell,
        view: Callable[[], CompressionView],
        chosen: Callable[[CompressionChoices], None],
    ) -> None:
        self._view, self._chosen = view, chosen
        self.making = Form(label="Ways to make copies")
        self.making.add_class("wb-making")
        self.with_rows = Form(label="Rows to make copies with")
        self._impossible = text("impossible")
        self.others = Form(label="Other models on the bench")
        self.also = Form(label="Further methods")
        self._note = text("said")
        self._question = Question(
            panel, lambda: view().question, self._rest_chosen, above=(self._note,)
        )
        sections = self._question.sections
        self._sections = {
            "copies": section("Copies to make", self.making, self.with_rows, self._impossible),
            "others": section("Other models on the bench", self.others),
            "also": section("Explained by these too", self.also),
        }
        placed = (
            sections["what"],
            self._sections["copies"],
            self._sections["others"],
            sections["how"],
            sections["parameters"],
            self._sections["also"],
        )
        super().__init__(placed)
        self.add_class("wb-column")
        for form, changed in (
            (self.making, self._making_changed),
            (self.with_rows, self._rows_changed),
            (self.others, self._others_changed),
            (self.also, self._also_changed),
        ):
            form.observe(panel.event(changed), "values")

    def apply(self, view: CompressionView) -> None:
        """Write a view to every control that differs, under the panel's lock."""
        choices = view.choices
        names = [one.name for one in view.others]
        self._question.apply(view.question)
        fill(self.making, view.making, values_of(view.able, choices.recipes or {}))
        fill(self.with_rows, view.with_rows, {"made_with": choices.made_with})
        fill(
            self.others,
            view.other_fields,
            {f"held-{i}": choices.held.get(name, "") for i, name in enumerate(names)},
        )
        also = choices.also or ()
        fill(
            self.also,
            view.also_fields,
            {one["name"]: one["name"].removeprefix("also-") in also for one in view.also_fields},
        )
        self._note.value = note_html(view.note)
        self._impossible.value = _impossible(view)
        content = {
            "copies": view.making or view.impossible,
            "others": view.others,
            "also": view.also_fields,
        }
        show_sections(self._sections, content)

    def _rest_chosen(self, rest: Choices) -> None:
        before = self._view().choices
        if rest.model != before.rest.model:  # choices about another model's copies do not apply
            self._chosen(CompressionChoices(rest=rest))
        else:
            self._chosen(replace(before, rest=rest))

    def _making_changed(self) -> None:
        view = self._view()
        self._chosen(replace(view.choices, recipes=asked_of(view.able, self.making.values)))

    def _rows_changed(self) -> None:
        self._chosen(
            replace(self._view().choices, made_with=self.with_rows.values.get("made_with"))
        )

    def _others_changed(self) -> None:
        view = self._view()
        held = {
            one.name: self.others.values.get(f"held-{i}") or "" for i, one in enumerate(view.others)
        }
        self._chosen(replace(view.choices, held=held))

    def _also_changed(self) -> None:
        ticked = tuple(
            one["name"].removeprefix("also-")
            for one in self._view().also_fields
            if self.also.values.get(one["name"])
        )
        self._chosen(replace(self._view().choices, also=ticked))


def _impossible(view: CompressionView) -> str:
    """The recipes that do not apply, folded away with their reasons."""
    if not view.impossible:
        return ""
    items = "".join(
        f"<li>{escape(title, limit=80)}: {escape(reason, limit=300)}</li>"
        for title, reason in view.impossible
    )
    return (
        f'<details class="wb-scores"><summary>{len(view.impossible)} more ways do not apply here</summary>'
        f'<ul class="wb-notes">{items}</ul></details>'
    )
