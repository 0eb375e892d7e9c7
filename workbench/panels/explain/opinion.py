"""The second opinion on the result that a panel shows: a button, a job, and the answer below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import ipywidgets

from workbench.core import Attribution, Step, clean
from workbench.errors import InputError
from workbench.panels.kit import Job, Shell, button, row, text
from workbench.second_opinion import SecondOpinion
from workbench.second_opinion.check import checking

PURPOSE = "Run this row again with another library (shap, lime or captum), and compare."


class SecondLook(ipywidgets.Box):  # type: ignore[misc]
    """Asks another library about one row of the result shown, and shows how far the two differ.

    The answer stays below its result, and disappears when another result is shown.

    Args:
        panel: whose job, status and lock are used.
        shown: the result shown and its row, or None.
        changed: called under the panel's lock when a check began or ended.
    """

    def __init__(
        self,
        panel: Shell,
        shown: Callable[[], tuple[Attribution, int] | None],
        changed: Callable[[], None],
    ) -> None:
        self._panel, self._shown, self._changed = panel, shown, changed
        self._answer: tuple[Attribution, SecondOpinion] | None = None
        self.button = button("Second opinion")
        self.button.tooltip = PURPOSE
        self.button.on_click(panel.event(self._clicked))
        self._markup = text("opinion")
        super().__init__([row(self.button), self._markup])
        self.add_class("wb-second")

    @property
    def opinion(self) -> SecondOpinion | None:
        """The second opinion on the result shown, if there is one."""
        shown = self._shown()
        if shown is None or self._answer is None or self._answer[0] is not shown[0]:
            return None
        return self._answer[1]

    @property
    def html(self) -> str:
        """The answer as HTML, "" while there is none."""
        opinion = self.opinion
        return "" if opinion is None else f'<div class="wb-opinion">{opinion._repr_html_()}</div>'

    def refresh(self, *, running: bool) -> None:
        """Show the answer that belongs to the result; disable the button while a job runs."""
        self.layout.display = "none" if self._shown() is None else ""
        self.button.disabled = running or self._shown() is None
        self._markup.value = self.html

    def start(self) -> Job:
        """The check of the row shown as a running job of the panel.

        Raises:
            InputError: there is no result yet.
            WorkbenchError: another job is running.
        """
        panel = self._panel
        with panel.lock:
            shown = self._shown()
            if shown is None:
                raise InputError(
                    "A second opinion needs a result, and there is none. Press Run first."
                )
            attribution, position = shown
            what = f"{type(attribution.method).__name__} of {clean(attribution.model, limit=60)}"
            work = partial(self._steps, attribution, position)
            return panel.aside(f"Second opinion on {what}", work, self._summary, self._changed)

    def _clicked(self) -> None:
        self.start()

    def _steps(
        self, attribution: Attribution, position: int, stop: Callable[[], bool]
    ) -> Iterator[Step[Any]]:
        self._answer = None
        now = None
        for now in checking(attribution, rows=[position], stop=stop):
            if now.result is not None:
                self._answer = attribution, now.result
            yield Step(now.done, now.total, now.label, ())
        if now is not None and now.result is None:  # stopped inside the other library's own loop
            yield Step(now.done, now.total, now.label, ())

    def _summary(self, job: Job) -> str:
        """How the check ended, in one sentence for the live region."""
        if job.state == "done" and self._answer is not None:
            return self._answer[1].verdict
        return f"{job.name} {'failed' if job.state == 'failed' else 'cancelled'} after {job.seconds:.1f} s."
