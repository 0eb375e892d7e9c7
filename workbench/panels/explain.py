"""The Explain panel: choose model, rows, target and method; run, look, copy as code."""

from __future__ import annotations

from dataclasses import replace

import ipywidgets

from workbench.core import Attribution, Method, Plan, Study, Target, clean, escape
from workbench.errors import InputError
from workbench.panels.arguments import choices_of
from workbench.panels.bench import Bench
from workbench.panels.choices import View, resolve
from workbench.panels.jobs import Job
from workbench.panels.opinion import SecondLook
from workbench.panels.outcome import Outcome, stale_sentence, summary
from workbench.panels.preview import Preview, Work
from workbench.panels.result import Look, looks, result_html, settled
from workbench.panels.shell import (
    Choice,
    Code,
    Form,
    Shell,
    box,
    button,
    reporting,
    row,
    say_stale,
    section,
)
from workbench.run import steps

EMPTY = (
    '<div class="wb-empty">Choose what to explain and press Run. The picture appears here.</div>'
)


class ExplainPanel(Shell):
    """One model's output on some rows, shared out over their features, by clicking.

    `panel.study` is what Run computes, `panel.code` the same as text, `panel.attributions` what came out.
    Without a browser: `panel.start().wait()`.

    Args:
        bench: the models and rows to choose from.
        model: a model's name; the first one when left out, as with all that follow.
        data: the name of a set of rows.
        rows: which of them, such as "0-7, 12", "5 random" or "all".
        target: what to explain.
        method: a recipe or a method class.

    Raises:
        InputError: a name that is not on the bench, or a target that the model does not have.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        model: str | None = None,
        data: str | None = None,
        rows: str | None = None,
        target: Target | None = None,
        method: Method | type | None = None,
    ) -> None:
        super().__init__("Explain", "How much did each feature raise or lower what the model says?")
        self.bench = bench
        self.attributions: tuple[Attribution, ...] = ()
        self._outcome: Outcome | None = None
        self._look = Look()
        self._choices = choices_of(bench, model, data, rows, target, method)
        self._view = View(self._choices)
        self._build()
        self._apply()
        self._stop_watching = bench.watch(self._bench_changed)

    @property
    def study(self) -> Study:
        """What Run computes.

        Raises:
            InputError: there is nothing to run; says why.
        """
        if self._view.study is None:
            raise InputError(self._view.blocked)
        return self._view.study

    @property
    def code(self) -> str:
        """The study as code that runs without this panel; "" while there is nothing to run."""
        return self._view.code

    @property
    def view(self) -> View:
        """Everything shown about the choices."""
        return self._view

    def start(self) -> Job:
        """What Run does: the study as a running job. `panel.start().wait()` needs no browser.

        Raises:
            InputError: there is nothing to run; says why.
            WorkbenchError: another job is running.
        """
        return self._begin(steps)

    def estimate(self) -> Job:
        """What Estimate time does: the run, begun and left, as a job; then `panel.plan` is there."""
        return self._preview.start()

    @property
    def plan(self) -> Plan | None:
        """The estimate for the present choices, if there is one."""
        return self._preview.plan

    @property
    def asking(self) -> bool:
        """Whether Run has found the present choices long and waits for "Run anyway"."""
        return self._preview.asking

    def _begin(self, work: Work) -> Job:
        with self.lock:
            study, key = self.study, self._view.key
            method, model = type(study.methods[0]).__name__, clean(study.models[0].name, limit=60)

            def update(job: Job) -> None:
                with reporting(self):
                    self._follow(job, key)

            job = Job(f"{method} of {model}", work(study), update)
            job.start()
            self.job = job
            self.status.error = ""
            return job

    def cancel(self) -> None:
        """Stop after the batch in progress; what is known by then is kept and shown."""
        with self.lock:
            if self.job is not None and self.job.state == "running":
                self.job.cancel()
                self.status.follow(self.job)
                self._cancel.disabled = True

    def second_opinion(self) -> Job:
        """What Second opinion does: another library is asked about the row shown, as a running job."""
        return self._second.start()

    def close(self) -> None:
        """End the panel: it no longer follows the bench."""
        self._stop_watching()
        super().close()

    def twin(self) -> str:
        """The panel as HTML that needs no kernel: what was asked, and what came out."""
        with self.lock:
            choices, outcome = self._view.choices, self._outcome
            asked = {
                "model": choices.model,
                "rows": f"{choices.rows} of {choices.data}",
                "method": None if self._view.study is None else repr(self._view.study.methods[0]),
            }
            items = "".join(
                f"<li>{name}: {escape(value, limit=300)}</li>"
                for name, value in asked.items()
                if value is not None and choices.data is not None
            )
            stale = self._stale_sentence()
        shown = "<p>Run the notebook to use this panel.</p>" if outcome is None else outcome.html
        return (
            f"<p><b>{escape(self.title)}</b></p><ul>{items}</ul>"
            + (f"<p>{escape(stale, limit=400)}</p>" if stale else "")
            + self._preview.html
            + shown
            + self._second.html
        )

    def __repr__(self) -> str:
        choices = self._view.choices
        return (
            f"ExplainPanel(model={choices.model!r}, data={choices.data!r}, rows={choices.rows!r}, "
            f"method={choices.method!r})"
        )

    def _build(self) -> None:
        self._what = Form(label="What to explain")
        self._method = Choice(label="Method")
        self._form = Form(label="Parameters")
        self._run = button("Run", primary=True)
        self._cancel = button("Cancel")
        self._cancel.disabled = True
        self._preview = Preview(self, lambda: self._view, self._buttons)
        self._said = ipywidgets.HTML()
        self._stale = ipywidgets.HTML()
        self._looks = Form(label="Picture")
        self._picture = ipywidgets.HTML(EMPTY)
        self._second = SecondLook(self, self._shown, self._buttons)
        self._code = Code()
        self._result = box("wb-result", self._stale, self._looks, self._picture, self._second)
        self._sections = {
            "what": section("What", self._what),
            "how": section("How", self._said, self._method),
            "parameters": section("Parameters", self._form),
            "code": section("As code", self._code),
        }
        choices = box(
            "wb-column", *(self._sections[name] for name in ("what", "how", "parameters"))
        )
        result = box(
            "wb-column",
            box(
                "wb-section",
                row(self._run, self._cancel, self._preview.button),
                self._preview,
                self.status,
            ),
            section("Result", self._result),
            self._sections["code"],
        )
        self.children = (self.head, box("wb-body", choices, result))
        self._what.observe(self.event(self._what_changed), "values")
        self._method.observe(self.event(self._method_changed), "value")
        self._form.observe(self.event(self._form_changed), "values")
        self._looks.observe(self.event(self._look_changed), "values")
        self._run.on_click(self.event(self._run_clicked))
        self._cancel.on_click(self.event(self.cancel))

    def _what_changed(self) -> None:
        values = {
            name: self._what.values.get(name)
            for name in ("model", "data", "rows", "target", "against")
        }
        self._choices = replace(self._choices, **values)
        self._apply()

    def _method_changed(self) -> None:
        self._choices = replace(self._choices, method=self._method.value)
        self._apply()

    def _form_changed(self) -> None:
        forms = {**self._choices.forms, str(self._view.choices.method): dict(self._form.values)}
        self._choices = replace(self._choices, forms=forms)
        self._apply()

    def _look_changed(self) -> None:
        values = self._looks.values
        self._look = replace(
            self._look, **{name: values[name] for name in vars(self._look) if name in values}
        )
        if self._outcome is not None:
            attribution = self._outcome.attribution
            html = result_html(attribution, self._look)
            self._outcome = replace(self._outcome, html=html)
            self._show()

    def _run_clicked(self) -> None:
        work = self._preview.pressed()
        if work is not None:
            self._begin(work)
        else:
            self.status.text = self._preview.sentence
        self._buttons()

    def _shown(self) -> tuple[Attribution, int] | None:
        """The result shown and its row."""
        if self._outcome is None:
            return None
        shown = self._outcome.attribution
        return shown, settled(self._look, shown).row

    def _bench_changed(self) -> None:
        with reporting(self), self.lock:
            self._apply()

    def _apply(self) -> None:
        """The one way of change: the choices, resolved, written to every control that differs."""
        with self.applying():
            view = self._view = resolve(self.bench, self._choices)
            self._choices = view.choices
            choices = view.choices
            self._what.fields = list(view.fields)
            self._what.values = {one["name"]: getattr(choices, one["name"]) for one in view.fields}
            self._method.options = [
                {"value": one.name, "label": one.name, "detail": one.detail, "reason": one.reason}
                for one in view.options
            ]
            self._method.value = choices.method or ""
            self._form.fields = list(view.parameters)
            defaults = {one["name"]: one["default"] for one in view.parameters}
            self._form.values = {**defaults, **choices.forms.get(choices.method or "", {})}
            self._said.value = (
                f'<div class="wb-said">{escape(view.said, limit=600)}</div>' if view.said else ""
            )
            self.status.notice = view.blocked
            self._code.code = view.code
            shown = {
                "what": view.fields,
                "how": view.options or view.said,
                "parameters": view.parameters,
                "code": view.code,
            }
            for name, content in shown.items():
                self._sections[name].layout.display = "" if content else "none"
            self._buttons()
            self._show()

    def _buttons(self) -> None:
        running = self.job is not None and self.job.state == "running"
        self._run.disabled = running or self._view.study is None
        self._run.description = "Run anyway" if self.asking else "Run"
        self._cancel.disabled = not running or (self.job is not None and self.job.cancelling)
        self._preview.refresh(running=running)
        self._second.refresh(running=running)

    def _follow(self, job: Job, key: tuple[object, ...]) -> None:
        """What the job's thread says, on that thread."""
        if job.state == "running":
            with self.lock:
                self.status.follow(job)
                self._buttons()
            return
        self.bench.add_results(job.result)
        outcome = None
        try:
            if job.result:
                look = settled(self._look, job.result[0])
                outcome = Outcome(job.result[0], key, result_html(job.result[0], look))
        finally:
            with self.lock:
                self.status.follow(job)
                self._ended(job, outcome)

    def _ended(self, job: Job, outcome: Outcome | None) -> None:
        asked = job.state == "done" and not job.result
        if not asked:  # a question leaves what is there
            self.attributions = job.result
        if outcome is not None:
            self._outcome = outcome
            self._look = settled(self._look, outcome.attribution)
        self.status.text = self._preview.sentence if asked and self.asking else summary(job)
        with self.applying():
            self._buttons()
            self._show()

    def _stale_sentence(self) -> str:
        return stale_sentence(self._outcome, self._view, self.job)

    def _show(self) -> None:
        """The picture, its controls, and whether it is stale."""
        outcome = self._outcome
        if outcome is None:
            return
        with self.applying():
            self._looks.fields = list(looks(outcome.attribution))
            look = settled(self._look, outcome.attribution)
            self._looks.values = {
                one["name"]: getattr(look, one["name"]) for one in self._looks.fields
            }
            self._picture.value = outcome.html
            say_stale(self._result, self._stale, self._stale_sentence())
