"""The left side of the Compression panel: model, copies, rows, target and methods as native controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets

from workbench.core import escape
from workbench.panels.choices import Choices
from workbench.panels.compression_choices import CompressionChoices, CompressionView
from workbench.panels.compression_recipes import asked_of, values_of
from workbench.panels.shell import Choice, Form, Shell, section


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
        self.what = Form(label="What to explain")
        self.making = Form(label="Ways to make copies")
        self.making.add_class("wb-making")
        self.with_rows = Form(label="Rows to make copies with")
        self._impossible = ipywidgets.HTML()
        self.others = Form(label="Other models on the bench")
        self.method = Choice(label="Method")
        self.form = Form(label="Parameters")
        self.also = Form(label="Further methods")
        self.said = ipywidgets.HTML()
        self.sections = {
            "what": section("What", self.said, self.what),
            "copies": section("Copies to make", self.making, self.with_rows, self._impossible),
            "others": section("Other models on the bench", self.others),
            "how": section("How", self.method),
            "parameters": section("Parameters", self.form),
            "also": section("Explained by these too", self.also),
        }
        super().__init__(list(self.sections.values()))
        self.add_class("wb-column")
        for form, changed in (
            (self.what, self._what_changed),
            (self.making, self._making_changed),
            (self.with_rows, self._rows_changed),
            (self.others, self._others_changed),
            (self.form, self._form_changed),
            (self.also, self._also_changed),
        ):
            form.observe(panel.event(changed), "values")
        self.method.observe(panel.event(self._method_changed), "value")

    def apply(self, view: CompressionView) -> None:
        """Write a view to every control that differs, under the panel's lock."""
        asked, choices = view.asked.choices, view.choices
        names = [one.name for one in view.others]
        _fill(
            self.what,
            view.asked.fields,
            {one["name"]: getattr(asked, one["name"]) for one in view.asked.fields},
        )
        _fill(self.making, view.making, values_of(view.able, choices.recipes or {}))
        _fill(self.with_rows, view.with_rows, {"made_with": choices.made_with})
        _fill(
            self.others,
            view.other_fields,
            {f"held-{i}": choices.held.get(name, "") for i, name in enumerate(names)},
        )
        self.method.options = [
            {"value": one.name, "label": one.name, "detail": one.detail, "reason": one.reason}
            for one in view.asked.options
        ]
        self.method.value = asked.method or ""
        defaults = {one["name"]: one["default"] for one in view.asked.parameters}
        _fill(
            self.form,
            view.asked.parameters,
            {**defaults, **asked.forms.get(asked.method or "", {})},
        )
        also = choices.also or ()
        _fill(
            self.also,
            view.also_fields,
            {one["name"]: one["name"].removeprefix("also-") in also for one in view.also_fields},
        )
        self.said.value = (
            f'<div class="wb-said" role="note">{escape(view.said, limit=900)}</div>'
            if view.said
            else ""
        )
        self._impossible.value = _impossible(view)
        content: dict[str, Any] = {
            "what": view.asked.fields,
            "copies": view.making or view.impossible,
            "others": view.others,
            "how": view.asked.options,
            "parameters": view.asked.parameters,
            "also": view.also_fields,
        }
        for name, there in content.items():
            self.sections[name].layout.display = "" if there else "none"

    def _what_changed(self) -> None:
        names = ("model", "data", "rows", "target", "against")
        values = {name: self.what.values.get(name) for name in names}
        before = self._view().choices
        rest = replace(before.rest, **values)
        if rest.model != before.rest.model:  # what was said of another model's copies is not meant
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

    def _method_changed(self) -> None:
        self._rest(replace(self._view().choices.rest, method=self.method.value))

    def _form_changed(self) -> None:
        choices = self._view().choices.rest
        forms = {**choices.forms, str(choices.method): dict(self.form.values)}
        self._rest(replace(choices, forms=forms))

    def _also_changed(self) -> None:
        ticked = tuple(
            one["name"].removeprefix("also-")
            for one in self._view().also_fields
            if self.also.values.get(one["name"])
        )
        self._chosen(replace(self._view().choices, also=ticked))

    def _rest(self, choices: Choices) -> None:
        self._chosen(replace(self._view().choices, rest=choices))


def _fill(form: Form, fields: Any, values: dict[str, Any]) -> None:
    form.fields = list(fields)
    form.values = values


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
