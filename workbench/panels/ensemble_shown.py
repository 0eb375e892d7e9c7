"""The result part of the Ensemble panel: numbers at once, pictures a moment later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import ipywidgets

from workbench.core import escape
from workbench.panels.ensemble_choices import EnsembleView
from workbench.panels.ensemble_outcome import EnsembleOutcome, weighted
from workbench.panels.ensemble_result import (
    EnsembleLook,
    badge_html,
    cancelling_html,
    ensemble_notes_html,
    look_fields,
    matrix_html,
    members_html,
    pictures_html,
    ranking_options,
    row_html,
    settled_look,
    warnings_html,
)
from workbench.panels.jobs import Job
from workbench.panels.later import DRAWN_WITHIN, Later
from workbench.panels.outcome import Outcome, stale_sentence
from workbench.panels.shell import Choice, Form, Shell, box, reporting, say_stale

EMPTY = (
    '<div class="wb-empty">Choose members and press Run. The ensemble appears here beside its members.'
    "</div>"
)


class EnsembleShown(ipywidgets.Box):  # type: ignore[misc]
    """Badge, ranking, the row shown, members, matrix and notes of the last result.

    Numbers are written where they change; pictures follow on a thread of their own, and are dimmed until
    they are those of the numbers.

    Args:
        panel: whose lock and guard are used.
    """

    def __init__(self, panel: Shell) -> None:
        self._panel = panel
        self.outcome: EnsembleOutcome | None = None
        self.look = EnsembleLook()
        self._later = Later(self._draw)
        self._matrix: tuple[object, ...] = ()
        self._stale = ipywidgets.HTML()
        self._warnings = ipywidgets.HTML()
        self._badge = ipywidgets.HTML(EMPTY)
        self._heading = ipywidgets.HTML()
        self.ranking = Choice(label="Rows by disagreement")
        self.ranking.add_class("wb-ranking")
        self._row = ipywidgets.HTML()
        self._pictures = ipywidgets.HTML()
        self._members = ipywidgets.HTML()
        self._cancelling = ipywidgets.HTML()
        self.looks = Form(label="Picture")
        self._alike = ipywidgets.HTML()
        self._notes = ipywidgets.HTML()
        self._drawn = box("wb-drawn", self._pictures)
        super().__init__(
            [
                self._stale,
                self._warnings,
                self._badge,
                self._members,
                self._heading,
                self.ranking,
                self._row,
                self._drawn,
                self._cancelling,
                self.looks,
                self._alike,
                self._notes,
            ]
        )
        self.add_class("wb-result")
        self.ranking.layout.display = "none"
        self.ranking.observe(panel.event(self._row_chosen), "value")
        self.looks.observe(panel.event(self._look_changed), "values")

    def show(self, outcome: EnsembleOutcome) -> None:
        """Another result, under the panel's lock."""
        self.outcome = outcome
        self.look = settled_look(self.look, outcome)
        self._numbers()
        self._later.ask()

    def reweight(self, weights: Mapping[str, float]) -> None:
        """Other weights for the result that is there, under the panel's lock.

        Raises:
            InputError: no member that is left has a weight.
        """
        if self.outcome is None or not self.outcome.movable or self.outcome.found is None:
            return
        if not set(self.outcome.found.members.names) & set(weights):
            return  # other members were chosen since
        self.outcome = weighted(self.outcome, weights)
        self._numbers()
        self._later.ask()

    def refresh(self, view: EnsembleView, job: Job | None) -> None:
        """Whether it is what is asked for now."""
        say_stale(self, self._stale, self._stale_sentence(view, job))

    def settle(self) -> None:
        """Wait until the pictures are those of the numbers."""
        self._later.wait(DRAWN_WITHIN)

    def html(self, view: EnsembleView, job: Job | None) -> str:
        """All of it as HTML, "" without a result."""
        if self.outcome is None:
            return ""
        stale = self._stale_sentence(view, job)
        rows = "".join(
            f"<li>{escape(one['label'])}: {escape(one['detail'], limit=300)}</li>"
            for one in ranking_options(self.outcome)[:10]
        )
        parts: tuple[ipywidgets.HTML, ...] = (
            self._row,
            self._pictures,
            self._cancelling,
            self._alike,
            self._notes,
        )
        head: str = self._warnings.value + self._badge.value + self._members.value
        return (
            (f"<p>{escape(stale, limit=400)}</p>" if stale else "")
            + head
            + f"<p>Rows by disagreement</p><ol>{rows}</ol>"
            + "".join(part.value for part in parts)
        )

    def _stale_sentence(self, view: EnsembleView, job: Job | None) -> str:
        if self.outcome is None:
            return ""
        return stale_sentence(Outcome(self.outcome.attribution, self.outcome.key, ""), view, job)

    def _row_chosen(self) -> None:
        if self.ranking.value.isdigit():
            self.look = replace(self.look, row=int(self.ranking.value))
            self._look_at()

    def _look_changed(self) -> None:
        values = self.looks.values
        changed = {name: values[name] for name in ("metric", "of", "opacity") if name in values}
        self.look = replace(self.look, **changed)
        self._look_at()

    def _look_at(self) -> None:
        if self.outcome is not None:
            self.look = settled_look(self.look, self.outcome)
            self._numbers()
            self._later.ask()

    def _numbers(self) -> None:
        """Everything but pictures, at once."""
        outcome = self.outcome
        assert outcome is not None
        with self._panel.applying():
            self._warnings.value = warnings_html(outcome)
            self._badge.value = badge_html(outcome)
            self._members.value = members_html(outcome)
            self._heading.value = (
                '<div class="wb-heading" role="heading" aria-level="4">Rows by disagreement: choose one to '
                "look at it</div>"
            )
            self.ranking.layout.display = ""
            self.ranking.options = ranking_options(outcome)
            self.ranking.value = str(self.look.row)
            self._row.value = row_html(outcome, self.look.row)
            found = outcome.found
            self._cancelling.value = (
                ""
                if found is None
                else f"<details><summary>What cancels</summary>{cancelling_html(found)}</details>"
            )
            self.looks.fields = list(look_fields(outcome))
            self.looks.values = {
                one["name"]: getattr(self.look, one["name"]) for one in self.looks.fields
            }
            self._notes.value = ensemble_notes_html(outcome)
            self._drawn.add_class("wb-pending")

    def _draw(self) -> None:
        """The pictures, on their own thread: drawn without the lock, written with it."""
        with reporting(self._panel):
            with self._panel.lock:
                outcome, look = self.outcome, self.look
            if outcome is None:
                return
            found = outcome.found
            pictures = pictures_html(outcome, look.row, look.opacity)
            # Weights play no part in the matrix, so a slider leaves it as it is.
            of = None if found is None else found.members.parts
            wanted = (of, look.metric, look.of, look.row if look.of != EnsembleLook.of else None)
            matrix = self._alike.value
            if wanted != self._matrix:
                many = found is not None and len(found.members) > 1
                matrix = matrix_html(found, look) if found is not None and many else ""
            with self._panel.lock:
                if outcome is not self.outcome or look != self.look:
                    return  # it was asked for again meanwhile, and will be drawn then
                self._matrix = wanted
                self._pictures.value = pictures
                self._alike.value = matrix
                self._drawn.remove_class("wb-pending")
