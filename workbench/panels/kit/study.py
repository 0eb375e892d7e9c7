"""`StudyPanel`: the common part of panels that explain: run, cancel, estimate, look, copy as code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import ipywidgets

from workbench.core import Attribution, Plan, Step, Study, escape
from workbench.errors import InputError
from workbench.panels.kit.attribution import Outcome, summary
from workbench.panels.kit.bench import Bench
from workbench.panels.kit.choices import Asked
from workbench.panels.kit.jobs import Job
from workbench.panels.kit.panel import C, Panel, Resolved
from workbench.panels.kit.preview import First, Preview, at_once, study_name
from workbench.panels.kit.result import Keyed, Result
from workbench.panels.kit.shell import Code, box, button, row, section
from workbench.study.run import steps


class StudyView(Resolved, Asked, Protocol):
    """A view whose choices make a study."""

    @property
    def code(self) -> str:
        """The run as code that needs no panel; "" while there is nothing to run."""


class Beside(Protocol):
    """A part that is disabled while a job runs, and adds its HTML to the panel's static twin."""

    @property
    def html(self) -> str:
        """Its content, for the twin."""

    def refresh(self, *, running: bool) -> None:
        """Show what belongs to the result; disable it while a job runs."""


S = TypeVar("S", bound=StudyView)
O = TypeVar("O", bound=Keyed)  # noqa: E741 - an outcome


@dataclass(frozen=True)
class Run(Generic[O]):
    """One run: its steps, and what happens with its results.

    Args:
        name: what a person calls it.
        steps: the work.
        outcome: makes the outcome of the job once it has ended, or None; may take long.
        summary: how it ended, in one sentence; in rows and seconds when left out.
        so_far: the outcome so far, where it is shown during the run; called at every sign of life.
        keep: puts finished results on the bench; the attributions when left out.
        fit: the outcome under the present choices.
    """

    name: str
    steps: Iterator[Step[Any]]
    outcome: Callable[[Job], O | None]
    summary: Callable[[Job], str] = summary
    so_far: Callable[[], O | None] = lambda: None
    keep: Callable[[Job], None] | None = None
    fit: Callable[[O], O] = lambda outcome: outcome


def explaining(view: StudyView, first: First) -> Run[Outcome]:
    """The run of a view's study, for panels that need no more: its one attribution is the outcome."""
    study = view.study
    assert study is not None

    def outcome(job: Job) -> Outcome | None:
        return Outcome(job.result[0], view.key) if job.result else None

    return Run(study_name(study), first(steps)(study), outcome)


class StudyPanel(Panel[C, S]):
    """A panel whose choices make a study, which its Run button computes.

    A panel's own `__init__` calls `assemble` with its parts, then `present`.
    """

    def __init__(
        self,
        title: str,
        purpose: str,
        bench: Bench,
        resolve: Callable[[Bench, C], S],
        choices: C,
    ) -> None:
        super().__init__(title, purpose, bench, resolve, choices)
        self._results: tuple[Attribution, ...] = ()

    def assemble(
        self,
        left: ipywidgets.Box,
        result: Result[Any, Any],
        run: Callable[[S, First], Run[Any]],
        *,
        asked: Callable[[S], Mapping[str, str | None]],
        beside: Sequence[Beside] = (),
        times: Callable[[], int] = lambda: 1,
    ) -> None:
        """Choices on the left; on the right the buttons that run them, the result, and the same as code.

        Args:
            left: the controls; has `apply(view)`.
            result: the result of the last run.
            run: makes the run of a view that has a study; its second argument wraps the work.
            asked: the choices in words for the static twin, {word: text}.
            beside: other parts that are disabled while a job runs.
            times: the cost of the whole run, as a multiple of the study's.
        """
        self.result = result
        self._left, self._new_run, self._in_words = left, run, asked
        self._beside = tuple(beside)
        self._run = button("Run", primary=True)
        self._cancel = button("Cancel")
        self._cost = Preview(self, lambda: self._view, self.refresh, times)
        self._code = Code()
        self._code_section = section("As code", self._code)
        buttons = row(self._run, self._cancel, self._cost.button)
        work = box("wb-section", buttons, self._cost, self.status)
        right = box("wb-column", work, section("Result", result), self._code_section)
        self.children = (self.head, box("wb-body", left, right))
        self._run.on_click(self.event(self._run_clicked))
        self._cancel.on_click(self.event(self.cancel))

    @property
    def code(self) -> str:
        """The run as code that needs no panel; "" while there is nothing to run."""
        return self._view.code

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """The results of the last run; after a cancel, the results so far."""
        return self._results

    @property
    def plan(self) -> Plan | None:
        """The estimate for the present choices, if there is one."""
        return self._cost.plan

    @property
    def asking(self) -> bool:
        """Whether Run has found the present choices long and waits for "Run anyway"."""
        return self._cost.asking

    def needed_study(self) -> Study:
        """The study of the present choices.

        Raises:
            InputError: there is nothing to run; says why.
        """
        if self._view.study is None:
            raise InputError(self._view.blocked)
        return self._view.study

    def start(self) -> Job:
        """What Run does, as a running job. `panel.start().wait()` needs no browser.

        Raises:
            InputError: there is nothing to run; says why.
            WorkbenchError: another job is running.
        """
        return self._begin(at_once)

    def estimate(self) -> Job:
        """What Estimate time does: begin the run and leave it, as a job; it sets `panel.plan`."""
        return self._cost.start()

    def cancel(self) -> None:
        """Stop after the batch in progress; the results so far are kept and shown."""
        with self.lock:
            if self.job is not None and self.running:
                self.job.cancel()
                self.status.follow(self.job)
                self._cancel.disabled = True

    def settle(self) -> None:
        """Wait until the pictures show the same outcome as the numbers."""
        self.result.settle()

    def twin(self) -> str:
        """The panel as HTML that needs no kernel: the choices and the result."""
        self.settle()
        with self.lock:
            view = self._view
            items = "".join(
                f"<li>{word}: {escape(what, limit=900)}</li>"
                for word, what in self._in_words(view).items()
                if what
            )
            shown = self.result.html(view, self.job) or "<p>Run the notebook to use this panel.</p>"
            beside = "".join(one.html for one in self._beside)
            return f"<p><b>{escape(self.title)}</b></p><ul>{items}</ul>{self._cost.html}{shown}{beside}"

    def write(self, view: S) -> None:
        """Show a view, in every part of the panel."""
        self._left.apply(view)
        self.status.notice = view.blocked
        self._code.code = view.code
        self._code_section.layout.display = "" if view.code else "none"
        self.refresh()

    def refresh(self) -> None:
        """Update which buttons are disabled, and whether the result is stale; under the lock."""
        running = self.running
        self._run.disabled = running or self._view.study is None
        self._run.description = "Run anyway" if self.asking else "Run"
        self._cancel.disabled = not running or (self.job is not None and self.job.cancelling)
        self._cost.refresh(running=running)
        for one in self._beside:
            one.refresh(running=running)
        self.result.refresh(self._view, self.job)

    def _run_clicked(self) -> None:
        first = self._cost.pressed()
        if first is not None:
            self._begin(first)
        else:
            self.status.text = self._cost.sentence
        self.refresh()

    def _begin(self, first: First) -> Job:
        with self.lock:
            self.needed_study()
            run = self._new_run(self._view, first)
            return self.begin(run.name, run.steps, lambda job: self._follow(job, run))

    def _follow(self, job: Job, run: Run[Any]) -> None:
        """Handle a sign of life of the job, on the job's thread."""
        if job.state == "running":
            known = run.so_far()
            with self.lock, self.applying():
                self.status.follow(job)
                if known is not None and known is not self.result.outcome:
                    self.result.show(known)
                self.refresh()
            return
        if run.keep is None:
            self.bench.add_results(job.result)
        else:
            run.keep(job)
        outcome = None
        try:
            made = run.outcome(job)
            if made is not None:
                self.result.prepare(made)
                outcome = made
        finally:
            with self.lock, self.applying():
                self.status.follow(job)
                self._ended(job, run, outcome)
        self.settle()

    def _ended(self, job: Job, run: Run[Any], outcome: Any) -> None:
        has_question = job.state == "done" and not job.result
        if not has_question:  # a question leaves the last results as they are
            self._results = job.result
        if outcome is not None:
            self.result.show(run.fit(outcome))
        if not has_question:
            self.status.text = run.summary(job)
        elif self.asking:
            self.status.text = self._cost.sentence
        else:
            self.status.text = f"{job.name} was not started: it would take long."
        self.refresh()
