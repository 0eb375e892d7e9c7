"""Measurements beyond a drift's verdicts: how fast the copies are, and which layers cause the drift."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets

from workbench.compare import Latency, latency
from workbench.core import Step, TableCell, clean, html_table
from workbench.errors import InputError
from workbench.lab import DriftStudy, LayerFinding, responsible_layers
from workbench.panels.kit import Job, Shell, button, row, text

LINES = 12
"""Layers listed."""

LATENCY = "One engine per process, models in turns: the median and quartiles of one row's seconds."
LAYERS = "Puts one layer of the copy shown at a time into the model, and explains that."


class CompressionExtras(ipywidgets.Box):  # type: ignore[misc]
    """Two buttons and their results, kept while they belong to the result shown.

    Args:
        panel: whose lock, jobs and guard are used.
        shown: the result part of the panel.
        changed: called under the panel's lock when a job began or ended.
    """

    def __init__(self, panel: Shell, shown: Callable[[], Any], changed: Callable[[], None]) -> None:
        self._panel, self._shown, self._changed = panel, shown, changed
        self._of: DriftStudy | None = None
        self._latency = ""
        self._layers = ""
        self.latency = button("Measure latency")
        self.latency.tooltip = LATENCY
        self.layers = button("Which layers did it")
        self.layers.tooltip = LAYERS
        self._found = text("extras")
        super().__init__([row(self.latency, self.layers), self._found])
        self.add_class("wb-second")
        self.latency.on_click(panel.event(lambda: (self.measure_latency(), None)[1]))
        self.layers.on_click(panel.event(lambda: (self.find_layers(), None)[1]))

    @property
    def html(self) -> str:
        """The findings as HTML; "" while there are none about the result shown."""
        return self._latency + self._layers if self._of is self._study() else ""

    def refresh(self, *, running: bool) -> None:
        """Disable the buttons while a job runs; hide findings about another result, or all without rows."""
        study = self._study()
        self.layout.display = "" if self._shown().has_ranking else "none"
        self.latency.disabled = self.layers.disabled = running or study is None
        self._found.value = self.html

    def measure_latency(self) -> Job:
        """Seconds per row of the model and its copies, as a running job.

        Raises:
            InputError: there are no copies yet.
            WorkbenchError: another job is running.
        """
        panel = self._panel
        with panel.lock:
            study = self._needed()

            def work(_: Callable[[], bool]) -> Iterator[Step[Any]]:
                yield _step(0, "Measuring latency")
                found = latency((study.reference, *study.candidates), study.inputs)
                yield _step(1, "Measuring latency")
                with panel.lock, panel.applying():
                    self._keep(study)
                    self._latency = latency_html(found)
                    shown = self._shown()
                    if shown.outcome is not None and shown.outcome.study is study:
                        seconds = {one.model: one.median for one in found}
                        shown.show(replace(shown.outcome, seconds=seconds))

            return panel.aside("Latency", work, _ended, self._changed)

    def find_layers(self) -> Job:
        """The layers of the copy shown, by the drift that each makes alone, as a running job.

        Raises:
            InputError: there are no copies yet.
            WorkbenchError: another job is running.
        """
        panel = self._panel
        with panel.lock:
            study = self._needed()
            shown = self._shown()
            look, drift = shown.look, shown.outcome.drift
            chosen = next((one for one in study.candidates if one.name == look.copy), None)
            if drift is None or chosen is None:
                raise InputError(
                    "Layers are looked for in the copy that is shown, and there is none. Run first, then "
                    "choose a copy."
                )
            method = study.methods[drift.methods.index(look.method)]

            def work(_: Callable[[], bool]) -> Iterator[Step[Any]]:
                yield _step(0, "One layer at a time")
                found = responsible_layers(
                    study.reference, chosen, study.inputs, method, target=study.target
                )
                yield _step(1, "One layer at a time")
                with panel.lock:
                    self._keep(study)
                    self._layers = layers_html(found, chosen.name, look.method)

            name = f"Layers of {clean(chosen.name, limit=60)}"
            return panel.aside(name, work, _ended, self._changed)

    def _keep(self, study: DriftStudy) -> None:
        """From now on, findings are about this study."""
        if self._of is not study:
            self._of, self._latency, self._layers = study, "", ""

    def _study(self) -> DriftStudy | None:
        outcome = self._shown().outcome
        ready = outcome is not None and outcome.drift is not None
        return outcome.study if ready else None

    def _needed(self) -> DriftStudy:
        study = self._study()
        if study is None:
            raise InputError("There are no judged copies to look into yet. Press Run first.")
        return study


def latency_html(found: Sequence[Latency]) -> str:
    """Median and quartiles per model, and whether the copy's differ from the model's."""
    lines = [
        (
            TableCell(one.model, remarks=(one.note,) if one.note else (), limit=60),
            one.engine,
            f"{1000 * one.median:.3g} ms",
            f"{1000 * one.low:.3g} to {1000 * one.high:.3g} ms",
            one.pace,
        )
        for one in found
    ]
    rows = found[0].rows
    return html_table(
        ("model", "engine", "median", "middle half", "against the model"),
        lines,
        f"Latency of {rows} row{'' if rows == 1 else 's'} per call, in turns; inconclusive where the "
        "middle halves overlap",
        look="wide",
        limit=120,
    )


def layers_html(found: Sequence[LayerFinding], copy: str, method: str) -> str:
    """The layers of a copy, ranked by how much each changes the reasons when only it is the copy's."""
    lines = [
        (
            TableCell(one.layer, limit=60),
            one.kind,
            f"{one.drift:.3g}",
            f"{one.largest:.3g}",
            f"{one.change:.3g}",
        )
        for one in found[:LINES]
    ]
    whole = f"{found[0].whole:.3g}" if found else "–"
    return html_table(
        ("layer", "kind", "mean drift", "largest of a row", "largest score difference"),
        lines,
        f"One layer of {clean(copy, limit=60)} at a time, by {method}; the whole copy: {whole}. Layers "
        "need not add up to it",
        look="wide",
        limit=120,
    )


def _ended(job: Job) -> str:
    return f"{job.name}: {job.state} after {job.seconds:.1f} s."


def _step(done: int, label: str) -> Step[Any]:
    return Step(done, 1, label, ())
