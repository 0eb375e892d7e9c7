"""Controls that write a view and turn clicks into choices: a form, and the question of explaining."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets

from workbench.panels.kit.choices import Choices, View
from workbench.panels.kit.form import Field
from workbench.panels.kit.shell import Choice, Form, Shell, section

WHAT = ("model", "data", "rows", "target", "against")


def fill(form: Form, fields: Sequence[Field], values: Mapping[str, Any]) -> None:
    """Write a form."""
    form.fields = list(fields)
    form.values = dict(values)


def show_sections(sections: Mapping[str, ipywidgets.Widget], content: Mapping[str, Any]) -> None:
    """Hide sections without content, together with their headings."""
    for name, there in content.items():
        sections[name].layout.display = "" if there else "none"


class Fields(ipywidgets.Box):  # type: ignore[misc]
    """A form under a heading, whose fields are those of the choices.

    Args:
        panel: whose guard and choices are used.
        title: its heading.
        fields: of the view.
    """

    def __init__(self, panel: Any, title: str, fields: Callable[[Any], Sequence[Field]]) -> None:
        self._fields = fields
        self._form = Form(label=title)

        def changed() -> None:
            names = [one["name"] for one in self._form.fields]
            values = {name: self._form.values.get(name) for name in names}
            panel.choose(replace(panel.view.choices, **values))

        self._form.observe(panel.event(changed), "values")
        self._section = section(title, self._form)
        super().__init__([self._section])
        self.add_class("wb-column")

    def apply(self, view: Any) -> None:
        """Write a view to the form."""
        fields = self._fields(view)
        fill(
            self._form, fields, {one["name"]: getattr(view.choices, one["name"]) for one in fields}
        )
        show_sections({"form": self._section}, {"form": fields})


class Question:
    """Model, rows, target, method and its parameters: three sections for a panel to place.

    Args:
        panel: whose lock and guard are used.
        view: returns the question as it is shown now.
        chosen: called with other choices.
        above: widgets in "What", above its form.
        before: widgets in "How", above the methods.
    """

    def __init__(
        self,
        panel: Shell,
        view: Callable[[], View],
        chosen: Callable[[Choices], None],
        *,
        above: Sequence[ipywidgets.Widget] = (),
        before: Sequence[ipywidgets.Widget] = (),
    ) -> None:
        self._view, self._chosen = view, chosen
        self._what = Form(label="What to explain")
        self._method = Choice(label="Method", name="method")
        self._form = Form(label="Parameters")
        self.sections = {
            "what": section("What", *above, self._what),
            "how": section("How", *before, self._method),
            "parameters": section("Parameters", self._form),
        }
        self._what.observe(panel.event(self._what_changed), "values")
        self._method.observe(panel.event(self._method_changed), "value")
        self._form.observe(panel.event(self._form_changed), "values")

    def apply(self, view: View, *, note: str = "") -> None:
        """Write a view to every control that differs, under the panel's lock.

        Args:
            view: the question's.
            note: the text above the methods; with it the section is shown even where there are no methods.
        """
        choices = view.choices
        fill(
            self._what,
            view.fields,
            {one["name"]: getattr(choices, one["name"]) for one in view.fields},
        )
        self._method.options = [
            {"value": one.name, "label": one.name, "detail": one.detail, "reason": one.reason}
            for one in view.options
        ]
        self._method.value = choices.method or ""
        defaults = {one["name"]: one["default"] for one in view.parameters}
        given = choices.forms.get(choices.method or "", {})
        fill(self._form, view.parameters, {**defaults, **given})
        content = {"what": view.fields, "how": view.options or note, "parameters": view.parameters}
        show_sections(self.sections, content)

    def _what_changed(self) -> None:
        values = {name: self._what.values.get(name) for name in WHAT}
        self._chosen(replace(self._view().choices, **values))

    def _method_changed(self) -> None:
        self._chosen(replace(self._view().choices, method=self._method.value))

    def _form_changed(self) -> None:
        choices = self._view().choices
        forms = {**choices.forms, str(choices.method): dict(self._form.values)}
        self._chosen(replace(choices, forms=forms))
