"""What every panel is made of: status, guard, native controls, and a twin that needs no kernel."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets
import traitlets

from workbench.core import Step, escape, printable
from workbench.errors import WorkbenchError
from workbench.panels.kit.jobs import Job

# Read once as text: anywidget keeps widgets whose code is a file alive forever (anywidget#929).
_STATIC = files("workbench.panels.kit") / "static"


LONGEST = 20_000
"""The most characters of an error that a panel shows."""


def _static(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


class Status(anywidget.AnyWidget):  # type: ignore[misc]
    """Progress, elapsed and remaining seconds, a live region, an alert; and the panel's key guard."""

    _esm = _static("status.js")
    _css = _static("panel.css")

    title = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("Progress").tag(sync=True)
    done = traitlets.Float(0.0).tag(sync=True)
    total = traitlets.Float(0.0).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    elapsed = traitlets.Float(0.0).tag(sync=True)
    remaining = traitlets.Float(None, allow_none=True).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    notice = traitlets.Unicode("").tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)
    guarded = traitlets.Bool(True).tag(sync=True)

    def follow(self, job: Job) -> None:
        """Show how far a job is."""
        with self.hold_sync():
            self.busy = job.state == "running"
            self.done, self.total = float(job.done), float(job.total)
            self.elapsed, self.remaining = job.seconds, job.remaining
            if job.state == "running":
                self.text = "Cancelling after this batch …" if job.cancelling else f"{job.label} …"
            if job.error is not None:
                self.error = sentence(job.error)


class Choice(anywidget.AnyWidget):  # type: ignore[misc]
    """One of several options; those that are impossible are greyed and say why.

    `options` are dictionaries with `value`, `label`, `detail` and `reason` ("" when possible). `name` is
    what tests call it.
    """

    _esm = _static("choice.js")

    name = traitlets.Unicode("")
    label = traitlets.Unicode("").tag(sync=True)
    options = traitlets.List(traitlets.Dict()).tag(sync=True)
    value = traitlets.Unicode("").tag(sync=True)


class Form(anywidget.AnyWidget):  # type: ignore[misc]
    """Native controls: `fields` say which (see `workbench.panels.kit.form`), `values` what is in them."""

    _esm = _static("form.js")

    label = traitlets.Unicode("").tag(sync=True)
    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)


class Code(anywidget.AnyWidget):  # type: ignore[misc]
    """Code to read, with a button that copies it."""

    _esm = _static("code.js")

    code = traitlets.Unicode("").tag(sync=True)


class Shell(ipywidgets.VBox):  # type: ignore[misc]
    """A panel: title, status, the lock its handlers share, and its twin in plain HTML.

    Handlers run on the kernel's main thread or on a subshell's, and a job ends on its own. Each takes
    `lock` before it reads or writes the panel.
    """

    def __init__(self, title: str, purpose: str) -> None:
        self.title = title
        self.status = Status(title=title)
        self.lock = threading.RLock()
        self.job: Job | None = None
        self._applying = False
        self.head = ipywidgets.HTML(
            f'<div class="wb-title" role="heading" aria-level="2">{escape(title)}</div>'
            f'<div class="wb-purpose">{escape(purpose)}</div>'
        )
        super().__init__([])
        self.add_class("wb-panel")

    @property
    def running(self) -> bool:
        """Whether a job of this panel runs now."""
        return self.job is not None and self.job.state == "running"

    def refresh(self) -> None:
        """Update everything that depends on jobs and results; under the lock."""

    def event(self, function: Callable[[], None]) -> Callable[..., None]:
        """A handler for what a user does: guarded, locked, and ignoring the panel's own changes."""

        def handler(*_: Any) -> None:
            with self.lock:
                if self._applying:
                    return
                self.status.error = ""
                with reporting(self):
                    function()

        return handler

    @contextmanager
    def applying(self) -> Iterator[None]:
        """A context for writing to the panel's own controls: their change events are not a user's."""
        with self.lock:
            before, self._applying = self._applying, True
            try:
                yield
            finally:
                self._applying = before

    def begin(self, name: str, steps: Iterator[Step[Any]], follow: Callable[[Job], None]) -> Job:
        """A running job of the panel.

        Called under the panel's lock.

        Args:
            name: what a person calls it.
            steps: the work.
            follow: called on the job's thread with each sign of life; guarded.

        Raises:
            WorkbenchError: another job is running.
        """

        def update(job: Job) -> None:
            with reporting(self):
                follow(job)

        job = Job(name, steps, update)
        job.start()
        self.job = job
        self.status.error = ""
        return job

    def aside(
        self,
        name: str,
        work: Callable[[Callable[[], bool]], Iterator[Step[Any]]],
        summary: Callable[[Job], str],
        changed: Callable[[], None],
    ) -> Job:
        """A running job beside the panel's run: when it has ended, `job` is the run again.

        Called under the panel's lock.

        Args:
            name: what it is called.
            work: takes a function that says whether to stop; returns the steps.
            summary: how it ended, in one sentence for the live region.
            changed: called under the lock after each sign of life.

        Raises:
            WorkbenchError: another job is running.
        """
        before, steps = self.job, work(lambda: self.job is not None and self.job.cancelling)

        def follow(job: Job) -> None:
            with self.lock:
                self.status.follow(job)
                if job.state != "running":
                    self.job = before  # the run that is shown
                    self.status.text = summary(job)
                changed()

        return self.begin(name, steps, follow)

    def twin(self) -> str:
        """The panel as HTML that needs no kernel."""
        return f"<p><b>{escape(self.title)}</b></p>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/html"] = self.twin()
        return bundle


@contextmanager
def reporting(panel: Shell) -> Iterator[None]:
    """The one place that catches every error: shown in the panel, as nobody else reads a callback's."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above
        panel.status.error = sentence(error)


def sentence(error: BaseException) -> str:
    """An error as a user reads it: the message of a `WorkbenchError`, the traceback of any other."""
    if isinstance(error, WorkbenchError):
        return str(error)
    # The end of a long traceback says what went wrong.
    return printable("".join(traceback.format_exception(error))[-LONGEST:])


def say_stale(result: ipywidgets.Box, note: ipywidgets.HTML, sentence: str) -> None:
    """Writes why a result does not match the present choices, and dims it; "" means that it matches."""
    note.value = note_html(sentence, limit=400)
    (result.add_class if sentence else result.remove_class)("wb-stale")


def text(name: str, html: str = "") -> ipywidgets.HTML:
    """A place for markup, found by its name in what the panel shows."""
    made = ipywidgets.HTML(html)
    made.part = name
    return made


def note_html(sentence: str, *, limit: int = 900) -> str:
    """A remark on the choices or the result, set apart from other text; "" for none."""
    if not sentence:
        return ""
    return f'<div class="wb-said" role="note">{escape(sentence, limit=limit)}</div>'


def button(text: str, *, primary: bool = False) -> ipywidgets.Button:
    """A button with its name written on it."""
    made = ipywidgets.Button(description=text, button_style="primary" if primary else "")
    made.add_class("wb-button")
    return made


def row(*children: ipywidgets.Widget) -> ipywidgets.Box:
    """Widgets side by side, wrapped where there is little room."""
    return box("wb-row", *children)


def box(name: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    """Widgets in a box that the style sheet knows as `name`."""
    made = ipywidgets.Box(list(children))
    made.add_class(name)
    return made


def section(title: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    """Widgets under a small heading; `panel.shown.sections` names it while it is in sight."""
    heading = ipywidgets.HTML(
        f'<div class="wb-heading" role="heading" aria-level="3">{escape(title)}</div>'
    )
    made = box("wb-section", heading, *children)
    made.heading = title
    return made
