"""The result part of the Compression panel: a table that fills at once, pictures a moment later."""

from __future__ import annotations

from dataclasses import replace

import ipywidgets

from workbench.core import clean, escape
from workbench.panels.compression_choices import CompressionView
from workbench.panels.compression_result import (
    CompressionLook,
    findings_html,
    look_fields,
    notes_html,
    overview_html,
    ranking_options,
    row_html,
    settled_look,
    table_html,
    tables_html,
    warnings_html,
)
from workbench.panels.compression_run import CompressionOutcome
from workbench.panels.jobs import Job
from workbench.panels.later import DRAWN_WITHIN, Later
from workbench.panels.shell import Choice, Form, Shell, box, reporting, say_stale

EMPTY = (
    '<div class="wb-empty">Choose how copies are made and press Run. Each copy appears here as it is '
    "finished, with what it cost and whether it kept the reasons.</div>"
)

TWIN_ROWS = 10
"""Rows of the ranking that a notebook's copy lists."""


class CompressionShown(ipywidgets.Box):  # type: ignore[misc]
    """Table, verdicts, curve, ranking, the row shown and findings of the last result.

    Numbers are written where they change; pictures follow on a thread of their own, and are dimmed until
    they are those of the numbers.

    Args:
        panel: whose lock and guard are used.
        extras: a widget shown below the row, such as buttons that look further.
    """

    def __init__(self, panel: Shell, extras: ipywidgets.Widget) -> None:
        self._panel = panel
        self.outcome: CompressionOutcome | None = None
        self.look = CompressionLook()
        self.running = False
        self._chosen = False  # whether a user chose what is shown
        self._later = Later(self._draw)
        self._drawn_for: tuple[object, ...] = ()
        self._stale = ipywidgets.HTML()
        self.warnings = ipywidgets.HTML()
        self.table = ipywidgets.HTML(EMPTY)
        self.looks = Form(label="Picture")
        self.overview = ipywidgets.HTML()
        self._heading = ipywidgets.HTML()
        self.ranking = Choice(label="Rows by drift, prediction kept first")
        self.ranking.add_class("wb-ranking")
        self.row = ipywidgets.HTML()
        self.tables = ipywidgets.HTML()
        self.findings = ipywidgets.HTML()
        self.notes = ipywidgets.HTML()
        self._extras = extras
        self._drawn = box("wb-drawn", self.overview)
        self._row_drawn = box("wb-drawn", self.row)
        super().__init__(
            [
                self._stale,
                self.warnings,
                self.table,
                self.looks,
                self._drawn,
                self._heading,
                self.ranking,
                self._row_drawn,
                self.findings,
                self._extras,
                self.tables,
                self.notes,
            ]
        )
        self.add_class("wb-result")
        for part in (self.ranking, self._extras):
            part.layout.display = "none"
        self.ranking.observe(panel.event(self._row_chosen), "value")
        self.looks.observe(panel.event(self._look_changed), "values")

    def show(self, outcome: CompressionOutcome, *, running: bool) -> None:
        """What is known now, under the panel's lock."""
        self.outcome, self.running = outcome, running
        look = self.look if self._chosen else replace(self.look, copy="", row=-1, method="")
        self.look = settled_look(look, outcome)
        self._numbers()
        self._later.ask()

    def refresh(self, view: CompressionView, job: Job | None) -> None:
        """Whether it is what is asked for now."""
        say_stale(self, self._stale, self._stale_sentence(view, job))

    def settle(self) -> None:
        """Wait until the pictures are those of the numbers."""
        self._later.wait(DRAWN_WITHIN)

    def html(self, view: CompressionView, job: Job | None) -> str:
        """All of it as HTML, "" without a result."""
        if self.outcome is None:
            return ""
        stale = self._stale_sentence(view, job)
        rows = "".join(
            f"<li>{escape(one['label'])}: {escape(one['detail'], limit=300)}</li>"
            for one in ranking_options(self.outcome, self.look)[:TWIN_ROWS]
        )
        ranked = f"{self._heading.value}<ol>{rows}</ol>" if rows else ""
        html: str = (
            (f"<p>{escape(stale, limit=400)}</p>" if stale else "")
            + self.warnings.value
            + self.table.value
            + self.overview.value
            + ranked
            + self.row.value
            + self.findings.value
            + self.tables.value
            + self.notes.value
        )
        return html

    def _stale_sentence(self, view: CompressionView, job: Job | None) -> str:
        outcome = self.outcome
        if outcome is None or self.running:
            return ""
        made = f"copies of {clean(outcome.reference.name, limit=60)}"
        if outcome.key != view.key:
            return f"From the previous run ({made}): the choices have changed since. Press Run."
        if not outcome.complete:
            judged = 0 if outcome.drift is None else len(outcome.drift.models)
            state = "failed" if job is not None and job.state == "failed" else "cancelled"
            return (
                f"The run was {state}: {len(outcome.models)} of {len(outcome.copies)} copies are here, "
                f"{judged} with a verdict."
            )
        return ""

    def _row_chosen(self) -> None:
        self._chosen = True
        if self.ranking.value.isdigit():
            self.look = replace(self.look, row=int(self.ranking.value))
            self._look_at()

    def _look_changed(self) -> None:
        names = ("copy", "method", "stratum", "opacity")
        changed = {name: self.looks.values[name] for name in names if name in self.looks.values}
        if changed.get("copy", self.look.copy) != self.look.copy:
            self._chosen = True
            changed["row"] = -1  # another copy: the row where it is farthest off
        if changed.get("method", self.look.method) != self.look.method:
            self._chosen = True
        self.look = replace(self.look, **changed)
        self._look_at()

    def _look_at(self) -> None:
        if self.outcome is not None:
            self.look = settled_look(self.look, self.outcome)
            self._numbers()
            self._later.ask()

    def _numbers(self) -> None:
        """Everything but pictures, at once."""
        outcome, look = self.outcome, self.look
        assert outcome is not None
        with self._panel.applying():
            self.warnings.value = warnings_html(outcome)
            self.table.value = table_html(outcome, running=self.running)
            self.looks.fields = list(look_fields(outcome))
            self.looks.values = {
                one["name"]: getattr(look, one["name"]) for one in self.looks.fields
            }
            options = ranking_options(outcome, look)
            self._heading.value = (
                '<div class="wb-heading" role="heading" aria-level="4">Rows of '
                f"{escape(look.copy, limit=60)} by drift, prediction kept first: choose one to look at it"
                "</div>"
                if options
                else ""
            )
            shown = "" if options else "none"
            self.ranking.layout.display = shown
            self._extras.layout.display = shown
            self.ranking.options = options
            self.ranking.value = str(look.row) if options else ""
            self.findings.value = findings_html(outcome, look)
            self.tables.value = tables_html(outcome)
            self.notes.value = notes_html(outcome)
            self._drawn.add_class("wb-pending")
            self._row_drawn.add_class("wb-pending")

    def _draw(self) -> None:
        """The pictures, on their own thread: drawn without the lock, written with it."""
        with reporting(self._panel):
            with self._panel.lock:
                outcome, look = self.outcome, self.look
            if outcome is None:
                return
            # Neither row nor copy plays a part in the overview, so choosing one leaves it as it is.
            wanted = (outcome, look.method, look.stratum)
            overview = self.overview.value
            if wanted != self._drawn_for:
                overview = overview_html(outcome, look)
            row = row_html(outcome, look)
            with self._panel.lock:
                if outcome is not self.outcome or look != self.look:
                    return  # it was asked for again meanwhile, and will be drawn then
                self._drawn_for = wanted
                self.overview.value = overview
                self.row.value = row
                self._drawn.remove_class("wb-pending")
                self._row_drawn.remove_class("wb-pending")
