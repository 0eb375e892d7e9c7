"""The left side of the Ensemble panel: members, weights, rows, target and method as native controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import ipywidgets

from workbench.core import escape
from workbench.ensembles import Weighing
from workbench.errors import InputError
from workbench.panels.ensemble import shares
from workbench.panels.ensemble.choices import BENCH, EnsembleChoices, EnsembleView
from workbench.panels.kit import (
    Choices,
    Form,
    Question,
    Shell,
    button,
    fill,
    note_html,
    row,
    section,
    show_sections,
    text,
)

FIND = "The least log loss on the rows that are not explained. They must not be the members' training rows."

Weights = tuple[float, ...]


class EnsembleControls(ipywidgets.Box):  # type: ignore[misc]
    """What a user clicks, turned into choices; and a view, written to every control.

    Args:
        panel: whose lock and guard are used.
        view: what the panel shows now.
        chosen: called with other choices.
        weighed: called with other weights.
        find: called when a user wants weights from held-out rows.
        weighing: the weights found on held-out rows; shown as long as they belong to these members.
    """

    def __init__(
        self,
        panel: Shell,
        view: Callable[[], EnsembleView],
        chosen: Callable[[EnsembleChoices], None],
        weighed: Callable[[Weights], None],
        find: Callable[[], object],
        weighing: Callable[[], Weighing | None],
    ) -> None:
        self._view, self._chosen, self._weighed = view, chosen, weighed
        self._weighing = weighing
        self.whose = Form(label="Members from")
        self.ticks = Form(label="Members")
        self.ticks.add_class("wb-members")
        self.weights = Form(label="Weights")
        self.weights.add_class("wb-members")
        self.alike = button("Equal weights")
        self.find = button("Weights from held-out rows")
        self.find.tooltip = FIND
        self._weights_note = text("weights_said")
        self._scores = text("scores")
        self._note = text("said")
        self._question = Question(panel, lambda: view().question, self._rest)
        self._sections = {
            "members": section("Members", self._note, self.whose, self.ticks),
            "weights": section(
                "Weights",
                self.weights,
                row(self.alike, self.find),
                self._weights_note,
                self._scores,
            ),
        }
        super().__init__([*self._sections.values(), *self._question.sections.values()])
        self.add_class("wb-column")
        for form, changed in (
            (self.whose, self._whose_changed),
            (self.ticks, self._ticks_changed),
            (self.weights, self._weights_changed),
        ):
            form.observe(panel.event(changed), "values")
        self.alike.on_click(
            panel.event(lambda: self._weighed(shares.equal(len(self._view().members))))
        )
        self.find.on_click(panel.event(lambda: (find(), None)[1]))

    @property
    def html(self) -> str:
        """The scores on held-out rows, as long as they are about these members; else ""."""
        return scores_html(self._view(), self._weighing())

    def refresh(self, *, running: bool) -> None:
        """Which buttons wait."""
        view = self._view()
        self.alike.disabled = not view.shares
        self.find.disabled = running or view.held_out is None

    def apply(self, view: EnsembleView) -> None:
        """Write a view to every control that differs, under the panel's lock."""
        fill(
            self.whose,
            view.whose,
            {one["name"]: getattr(view.choices, one["name"]) for one in view.whose},
        )
        boxes = view.candidates[: len(view.ticks)]
        fill(
            self.ticks,
            view.ticks,
            {f"member-{i}": model.name in view.members for i, model in enumerate(boxes)},
        )
        fields = view.weight_fields
        percents = shares.percents(view.shares) if fields else []
        fill(self.weights, fields, {f"weight-{i}": one for i, one in enumerate(percents)})
        self._question.apply(view.question)
        self._note.value = note_html(view.note)
        weights_note = view.weights_note
        self._weights_note.value = (
            f'<div class="wb-doc">{escape(weights_note, limit=900)}</div>' if weights_note else ""
        )
        self._scores.value = self.html
        show_sections(self._sections, {"members": view.whose, "weights": fields or weights_note})
        self.alike.layout.display = "" if fields else "none"
        self.find.layout.display = "" if view.held_out is not None else "none"

    def _whose_changed(self) -> None:
        values, before = self.whose.values, self._view().choices
        source = values.get("source", BENCH)
        if source != before.source:  # choices about the former members do not apply
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
                    self._chosen(view.choices)  # the slider goes back to its last value
                    raise
                self._weighed(given)
                return

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
