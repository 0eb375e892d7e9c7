"""The left side of the Ensemble panel: members, weights, rows, target and method as native controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import ipywidgets

from workbench.core import escape
from workbench.errors import InputError
from workbench.panels import shares
from workbench.panels.choices import Choices
from workbench.panels.ensemble_choices import BENCH, EnsembleChoices, EnsembleView
from workbench.panels.shell import Choice, Form, Shell, button, row, section
from workbench.variants import Weighing

FIND = "The least log loss on the rows that are not explained. They must not be the members' training rows."

Weights = tuple[float, ...]


class EnsembleControls(ipywidgets.Box):  # type: ignore[misc]
    """What a user clicks, turned into choices; and a view, written to every control.

    Args:
        panel: whose lock and guard are used.
        view: what the panel shows now.
        chosen: called with other choices.
        weighed: called with other weights.
        find: called where weights are to be found on held-out rows.
    """

    def __init__(
        self,
        panel: Shell,
        view: Callable[[], EnsembleView],
        chosen: Callable[[EnsembleChoices], None],
        weighed: Callable[[Weights], None],
        find: Callable[[], object],
    ) -> None:
        self._view, self._chosen, self._weighed = view, chosen, weighed
        self.whose = Form(label="Members from")
        self.ticks = Form(label="Members")
        self.ticks.add_class("wb-members")
        self.weights = Form(label="Weights")
        self.weights.add_class("wb-members")
        self.alike = button("Equal weights")
        self.find = button("Weights from held-out rows")
        self.find.tooltip = FIND
        self._weights_said = ipywidgets.HTML()
        self.scores = ipywidgets.HTML()
        self.what = Form(label="What to explain")
        self.method = Choice(label="Method")
        self.form = Form(label="Parameters")
        self.said = ipywidgets.HTML()
        self.sections = {
            "members": section("Members", self.said, self.whose, self.ticks),
            "weights": section(
                "Weights",
                self.weights,
                row(self.alike, self.find),
                self._weights_said,
                self.scores,
            ),
            "what": section("What", self.what),
            "how": section("How", self.method),
            "parameters": section("Parameters", self.form),
        }
        super().__init__(list(self.sections.values()))
        self.add_class("wb-column")
        for form, changed in (
            (self.whose, self._whose_changed),
            (self.ticks, self._ticks_changed),
            (self.weights, self._weights_changed),
            (self.what, self._what_changed),
            (self.form, self._form_changed),
        ):
            form.observe(panel.event(changed), "values")
        self.method.observe(panel.event(self._method_changed), "value")
        self.alike.on_click(
            panel.event(lambda: self._weighed(shares.equal(len(self._view().members))))
        )
        self.find.on_click(panel.event(lambda: (find(), None)[1]))

    def apply(self, view: EnsembleView, weighing: Weighing | None) -> None:
        """Write a view to every control that differs, under the panel's lock.

        Args:
            view: what to show.
            weighing: weights found on held-out rows, shown as long as they are these members'.
        """
        asked = view.asked.choices
        self.whose.fields = list(view.whose)
        self.whose.values = {one["name"]: getattr(view.choices, one["name"]) for one in view.whose}
        self.ticks.fields = list(view.ticks)
        boxes = view.candidates[: len(view.ticks)]
        self.ticks.values = {
            f"member-{i}": model.name in view.members for i, model in enumerate(boxes)
        }
        fields = view.weight_fields
        self.weights.fields = list(fields)
        percents = shares.percents(view.shares) if fields else []
        self.weights.values = {f"weight-{i}": one for i, one in enumerate(percents)}
        self.what.fields = list(view.asked.fields)
        self.what.values = {one["name"]: getattr(asked, one["name"]) for one in view.asked.fields}
        self.method.options = [
            {"value": one.name, "label": one.name, "detail": one.detail, "reason": one.reason}
            for one in view.asked.options
        ]
        self.method.value = asked.method or ""
        self.form.fields = list(view.asked.parameters)
        defaults = {one["name"]: one["default"] for one in view.asked.parameters}
        self.form.values = {**defaults, **asked.forms.get(asked.method or "", {})}
        self.said.value = _boxed("wb-said", view.said)
        self._weights_said.value = _boxed("wb-doc", view.weights_said)
        self.scores.value = scores_html(view, weighing)
        content = {
            "members": view.whose,
            "weights": fields or view.weights_said,
            "what": view.asked.fields,
            "how": view.asked.options,
            "parameters": view.asked.parameters,
        }
        for name, there in content.items():
            self.sections[name].layout.display = "" if there else "none"
        self.alike.layout.display = "" if fields else "none"
        self.find.layout.display = "" if view.held_out is not None else "none"

    def _whose_changed(self) -> None:
        values, before = self.whose.values, self._view().choices
        source = values.get("source", BENCH)
        if source != before.source:  # other members: nothing that was said of these is meant
            self._chosen(EnsembleChoices(source=source, rest=before.rest))
        else:
            self._chosen(replace(before, combination=values.get("combination")))

    def _ticks_changed(self) -> None:
        view = self._view()
        ticked = tuple(
            model.name
            for i, model in enumerate(view.candidates)
            if self.ticks.values.get(f"member-{i}")
        )
        self._chosen(replace(view.choices, members=ticked))

    def _weights_changed(self) -> None:
        view = self._view()
        for i, was in enumerate(shares.percents(view.shares)):
            now = self.weights.values.get(f"weight-{i}")
            if now != was:
                try:
                    given = shares.moved(view.shares, i, now)
                except InputError:
                    self._chosen(view.choices)  # the slider goes back to what was there
                    raise
                self._weighed(given)
                return

    def _what_changed(self) -> None:
        names = ("data", "rows", "target", "against")
        values = {name: self.what.values.get(name) for name in names}
        self._rest(replace(self._view().asked.choices, **values))

    def _method_changed(self) -> None:
        self._rest(replace(self._view().asked.choices, method=self.method.value))

    def _form_changed(self) -> None:
        choices = self._view().asked.choices
        forms = {**choices.forms, str(choices.method): dict(self.form.values)}
        self._rest(replace(choices, forms=forms))

    def _rest(self, choices: Choices) -> None:
        self._chosen(replace(self._view().choices, rest=choices))


def scores_html(view: EnsembleView, weighing: Weighing | None) -> str:
    """The scores on held-out rows, as long as they are about these members; else ""."""
    if weighing is None or weighing.members != view.members:
        return ""
    return (
        '<details class="wb-scores"><summary>Scores on held-out rows</summary>'
        f"{weighing._repr_html_()}</details>"
    )


def _boxed(name: str, text: str) -> str:
    return f'<div class="{name}">{escape(text, limit=900)}</div>' if text else ""
