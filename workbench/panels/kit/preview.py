"""What a run will cost, beside the Run button: model rows at once, time and memory when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import ipywidgets

from workbench.core import Plan, Step, Study, clean, escape
from workbench.errors import InputError
from workbench.panels.kit.choices import Asked
from workbench.panels.kit.jobs import Job
from workbench.panels.kit.shell import Shell, button, text
from workbench.study.plan import planning

PURPOSE = "Begin this run, leave it after a moment, and say how long the whole would take."

PROBE_SECONDS = 1.0
"""How long an estimate takes; one batch of the model may take longer."""

ASK_SECONDS = 60.0
"""Run asks before it starts work that takes longer than this."""

MANY_ROWS = 60_000
"""Run estimates the time first for more model rows than these: a slow model answers a thousand a second."""

QUESTION = "That may be long: press Run anyway, or ask for fewer rows or a smaller budget."

Work = Callable[[Study], Iterator[Step[Any]]]

First = Callable[[Work], Work]
"""Wraps the work of a run: as it is, or after an estimate, which may ask a question instead."""


def at_once(work: Work) -> Work:
    """The work, unchanged."""
    return work


def study_name(study: Study) -> str:
    """What a person calls the run of a study."""
    return f"{type(study.methods[0]).__name__} of {clean(study.models[0].name, limit=60)}"


class Preview(ipywidgets.Box):  # type: ignore[misc]
    """The expected cost of the study that the present choices make.

    An estimate belongs to its choices: it disappears when they change, and is shown again when they return.

    Args:
        panel: whose job, status and lock are used.
        view: what the panel shows now.
        changed: called under the panel's lock when an estimate began or ended.
        times: the cost of the whole run, as a multiple of the study's.
    """

    def __init__(
        self,
        panel: Shell,
        view: Callable[[], Asked],
        changed: Callable[[], None],
        times: Callable[[], int] = lambda: 1,
    ) -> None:
        self._panel, self._view, self._changed = panel, view, changed
        self._times = times
        self._made: tuple[tuple[object, ...], Plan] | None = None
        self._question_key: tuple[object, ...] | None = None
        self.button = button("Estimate time")
        self.button.tooltip = PURPOSE
        self.button.on_click(panel.event(self._clicked))
        self._line = text("expected")
        super().__init__([self._line])
        self.add_class("wb-cost")

    @property
    def plan(self) -> Plan | None:
        """The estimate for the present choices, if there is one."""
        if self._made is None or self._made[0] != self._view().key:
            return None
        return self._made[1]

    @property
    def asking(self) -> bool:
        """Whether Run has asked about the present choices and waits for a second press."""
        return self._question_key is not None and self._question_key == self._view().key

    @property
    def sentence(self) -> str:
        """The expected cost in words, "" where nothing can run."""
        view, plan = self._view(), self.plan
        if view.study is None:
            return ""
        if plan is None:
            return f"Expected: {view.cost}."
        return f"Expected: {plan.sentence}." + (f" {QUESTION}" if self.asking else "")

    @property
    def html(self) -> str:
        """The estimate as HTML, "" while there is none."""
        plan = self.plan
        return "" if plan is None else f"<p>Expected: {escape(plan.sentence, limit=400)}.</p>"

    def refresh(self, *, running: bool) -> None:
        """Show the cost of the present choices; disable the button while a job runs."""
        self.button.disabled = running or self._view().study is None
        kind = ' class="wb-said" role="note"' if self.asking else ""
        sentence = self.sentence
        self._line.value = f"<div{kind}>{escape(sentence, limit=400)}</div>" if sentence else ""

    def pressed(self) -> First | None:
        """What a press of Run does before the run starts; None when it asks a question instead."""
        key, plan = self._view().key, self.plan
        if self.asking:
            self._question_key = None
            return at_once
        if plan is not None:
            if not _long(plan):
                return at_once
            self._question_key = key
            return None
        return self._look if _many(self._view()) else at_once

    def start(self) -> Job:
        """The estimate as a running job of the panel.

        Raises:
            InputError: there is nothing to run; says why.
            WorkbenchError: another job is running.
        """
        panel = self._panel
        with panel.lock:
            view = self._view()
            if view.study is None:
                raise InputError(view.blocked)
            study = view.study
            work = self._probe(study, view.key)
            name = f"Estimate of {study_name(study)}"
            return panel.aside(name, lambda _: work, self._summary, self._changed)

    def _clicked(self) -> None:
        self.start()

    def _probe(self, study: Study, key: tuple[object, ...]) -> Iterator[Step[Any]]:
        times = self._times()
        for now in planning(study, PROBE_SECONDS):
            if now.result is not None:
                self._made = key, replace(now.result, costs=now.result.costs * times)
            yield Step(now.done, now.total, now.label, ())

    def _look(self, work: Work) -> Work:
        """The work, unless an estimate of its study shows that it is long: then a question."""
        key = self._view().key

        def looked(study: Study) -> Iterator[Step[Any]]:
            yield from self._probe(study, key)
            if self._made is not None and _long(self._made[1]):
                self._question_key = key
            else:
                yield from work(study)

        return looked

    def _summary(self, job: Job) -> str:
        """How the estimate ended, in one sentence for the live region."""
        if job.state == "done" and self._made is not None:
            return f"Estimate: {self._made[1].estimate}."
        return f"{job.name} {'failed' if job.state == 'failed' else 'cancelled'} after {job.seconds:.1f} s."


def _many(view: Asked) -> bool:
    """Whether a slow model would take long for so many rows, or their number is unknown."""
    return view.evaluations is None or view.evaluations[1] > MANY_ROWS


def _long(plan: Plan) -> bool:
    """Whether Run should ask first: it will take longer than a minute, or the model's rows are paid for."""
    if any(cost.metered for cost in plan.costs):
        return True
    return plan.likely is not None and plan.likely[0] > ASK_SECONDS
