"""The Ensemble panel: members, their weights, one study for all; who says what, and who disagrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from workbench.compare import Disagreement
from workbench.core import (
    Attribution,
    Method,
    Plan,
    Step,
    Study,
    Target,
    checked_weights,
    clean,
    escape,
)
from workbench.errors import InputError
from workbench.panels.arguments import choices_for, on_bench
from workbench.panels.bench import Bench
from workbench.panels.ensemble_choices import (
    BENCH,
    HOW,
    EnsembleChoices,
    EnsembleView,
    resolve_ensemble,
)
from workbench.panels.ensemble_controls import EnsembleControls, scores_html
from workbench.panels.ensemble_outcome import Extra, outcome_of, weighted, with_classes
from workbench.panels.ensemble_shown import EnsembleShown
from workbench.panels.jobs import Job
from workbench.panels.outcome import summary
from workbench.panels.preview import Preview, Work
from workbench.panels.shell import Code, Shell, button, reporting, row, section
from workbench.run import steps
from workbench.variants import Weighing, weigh


class EnsemblePanel(Shell):
    """An ensemble and its members explained together; weights are moved without asking a model again.

    `panel.study` is what Run computes, `panel.code` the same as text, `panel.attributions` what came out
    and `panel.disagreement` how its members differ, both under the present weights. Without a browser:
    `panel.start().wait()`, `panel.reweight([...])`.

    Args:
        bench: the models and rows to choose from.
        members: names of models on the bench; or of one model that has members, which is taken apart.
            All that go with the first one when left out.
        combination: "probability", "logit" or "raw" for the mean in that unit, or "hard".
        weights: one per member, by position or name; equal when left out.
        data: the name of a set of rows.
        rows: which of them, such as "0-7, 12", "5 random" or "all".
        target: what to explain.
        method: a recipe or a method class.

    Raises:
        InputError: a name that is not on the bench, or a target that the models do not have.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        members: Sequence[str] | str | None = None,
        combination: str | None = None,
        weights: Sequence[float] | Mapping[str, float] | None = None,
        data: str | None = None,
        rows: str | None = None,
        target: Target | None = None,
        method: Method | type | None = None,
    ) -> None:
        super().__init__(
            "Ensemble", "Do the members give the same reasons, and who decides what the whole says?"
        )
        self.bench = bench
        self.weighing: Weighing | None = None
        self._runs: tuple[Attribution, ...] = ()
        self._choices = self._asked(members, combination)
        self._view = resolve_ensemble(bench, self._choices)
        if combination not in (None, self._view.choices.combination):
            raise InputError(
                f"combination must be one that the members allow, of {list(HOW)}, not {combination!r}."
            )
        study = self._view.study
        if study is None and target is not None:
            raise InputError(self._view.blocked)
        rest = choices_for(
            bench, None if study is None else study.models[0], data, rows, target, method
        )
        self._choices = replace(self._view.choices, rest=rest)
        self._build()
        self._apply()
        if weights is not None:
            self.reweight(weights)
        self._stop_watching = bench.watch(self._bench_changed)

    @property
    def study(self) -> Study:
        """What Run computes.

        Raises:
            InputError: there is nothing to run; says why.
        """
        study = self._view.study
        if study is None:
            raise InputError(self._view.blocked)
        return study

    @property
    def code(self) -> str:
        """The study as code that runs without this panel; "" while there is nothing to run."""
        return self._view.code

    @property
    def view(self) -> EnsembleView:
        """Everything shown about the choices."""
        return self._view

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """The last run's result under the present weights; its `parts` are the members'."""
        outcome = self._shown.outcome
        return self._runs if outcome is None or not self._runs else (outcome.attribution,)

    @property
    def disagreement(self) -> Disagreement | None:
        """How the members differ under the present weights; None before a run."""
        return None if self._shown.outcome is None else self._shown.outcome.found

    @property
    def plan(self) -> Plan | None:
        """The estimate for the present choices, if there is one."""
        return self._preview.plan

    @property
    def asking(self) -> bool:
        """Whether Run has found the present choices long and waits for "Run anyway"."""
        return self._preview.asking

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

    def cancel(self) -> None:
        """Stop after the batch in progress; what is known by then is kept and shown."""
        with self.lock:
            if self.job is not None and self.job.state == "running":
                self.job.cancel()
                self.status.follow(self.job)
                self._cancel.disabled = True

    def reweight(self, weights: Sequence[float] | Mapping[str, float] | None) -> None:
        """Give the members other weights; what was explained is added anew, no model is asked.

        Args:
            weights: one per member, by position or name; not negative; None makes them equal.

        Raises:
            InputError: weights that do not fit the members, or that are fixed.
        """
        with self.lock:
            view = self._view
            if not view.shares:
                raise InputError(view.weights_said or view.blocked)
            given, _ = checked_weights(weights, view.members)
            self._weights_set(tuple(map(float, given)))

    def find_weights(self) -> Job:
        """What Weights from held-out rows does, as a running job: then `panel.weighing` is there.

        Raises:
            InputError: there are no held-out rows of known class; says why.
            WorkbenchError: another job is running.
        """
        with self.lock:
            view, before = self._view, self.job
            if view.held_out is None:
                raise InputError(view.weights_said or view.blocked)

            def update(job: Job) -> None:
                with reporting(self), self.lock:
                    self.status.follow(job)
                    if job.state == "running":
                        self._buttons()
                        return
                    self.job = before  # the run that the pictures are of
                    ended = "found" if job.state == "done" else job.state
                    self.status.text = f"{job.name}: {ended} after {job.seconds:.1f} s."
                    if job.state == "done" and self.weighing is not None:
                        self._weights_set(tuple(map(float, self.weighing.weights)))
                    self._buttons()

            job = Job("Weights from held-out rows", self._weighing(view), update)
            job.start()
            self.job = job
            self.status.error = ""
            return job

    def close(self) -> None:
        """End the panel: it no longer follows the bench."""
        self._stop_watching()
        super().close()

    def twin(self) -> str:
        """The panel as HTML that needs no kernel: what was asked, and what came out."""
        self._shown.settle()
        with self.lock:
            view = self._view
            study = view.study
            parts = view.shares or (None,) * len(view.members)
            listed = ", ".join(
                clean(name, limit=60) + ("" if share is None else f" {share:.1%}")
                for name, share in zip(view.members[:12], parts, strict=False)
            )
            more = f" and {len(view.members) - 12} more" if len(view.members) > 12 else ""
            items = {
                "members": listed + more,
                "rows": f"{view.asked.choices.rows} of {view.asked.choices.data}",
                "method": None if study is None else repr(study.methods[0]),
            }
            asked = "".join(
                f"<li>{name}: {escape(value, limit=900)}</li>"
                for name, value in items.items()
                if value and study is not None
            )
            html = self._shown.html(view, self.job) or "<p>Run the notebook to use this panel.</p>"
            return (
                f"<p><b>{escape(self.title)}</b></p><ul>{asked}</ul>{self._preview.html}{html}"
                f"{scores_html(view, self.weighing)}"
            )

    def __repr__(self) -> str:
        choices = self._view.asked.choices
        return (
            f"EnsemblePanel({len(self._view.members)} members, data={choices.data!r}, "
            f"rows={choices.rows!r}, method={choices.method!r})"
        )

    def _asked(
        self, members: Sequence[str] | str | None, combination: str | None
    ) -> EnsembleChoices:
        """Members and combination of the constructor; here a wrong name is an error, not a first choice."""
        models = self.bench.models
        names = (members,) if isinstance(members, str) else tuple(members or ())
        for name in names:
            on_bench(self.bench, "models", name)
        whole = len(names) == 1 and models[names[0]].combination is not None
        if members is None or whole:
            return EnsembleChoices(source=names[0] if whole else None, combination=combination)
        return EnsembleChoices(source=BENCH, members=names, combination=combination)

    def _build(self) -> None:
        self._controls = EnsembleControls(
            self, lambda: self._view, self._chosen, self._weights_set, self.find_weights
        )
        self._run = button("Run", primary=True)
        self._cancel = button("Cancel")
        self._preview = Preview(self, lambda: self._view, self._buttons)
        self._shown = EnsembleShown(self)
        self._code = Code()
        self._code_section = section("As code", self._code)
        buttons = row(self._run, self._cancel, self._preview.button)
        self.lay_out(self._controls, buttons, self._preview, self._shown, self._code_section)
        self._run.on_click(self.event(self._run_clicked))
        self._cancel.on_click(self.event(self.cancel))

    def _chosen(self, choices: EnsembleChoices) -> None:
        self._choices = choices
        self._apply()

    def _weights_set(self, given: tuple[float, ...]) -> None:
        """Other weights, under the panel's lock: first the numbers, then all that follows from them."""
        weights = dict(zip(self._view.members, given, strict=True))
        self._choices = replace(self._view.choices, weights=weights)
        self._view = replace(self._view, shares=given)
        with self.applying():
            self._shown.reweight(weights)
        self._apply()

    def _run_clicked(self) -> None:
        work = self._preview.pressed()
        if work is not None:
            self._begin(work)
        else:
            self.status.text = self._preview.sentence
        self._buttons()

    def _bench_changed(self) -> None:
        with reporting(self), self.lock:
            self._apply()

    def _begin(self, work: Work) -> Job:
        with self.lock:
            study, key = self.study, self._view.key
            told: list[Extra] = []
            name = f"{type(study.methods[0]).__name__} of {clean(study.models[0].name, limit=60)}"

            def update(job: Job) -> None:
                with reporting(self):
                    self._follow(job, study, key, told)

            job = Job(name, with_classes(work(study), study, told.append), update)
            job.start()
            self.job = job
            self.status.error = ""
            return job

    def _weighing(self, view: EnsembleView) -> Iterator[Step[Any]]:
        members = [model for model in view.candidates if model.name in view.members]
        yield Step(0, 1, "Weights from held-out rows", ())
        assert view.held_out is not None
        self.weighing = weigh(members, view.held_out)
        yield Step(1, 1, "Weights from held-out rows", ())

    def _follow(
        self, job: Job, study: Study, key: tuple[object, ...], told: Sequence[Extra]
    ) -> None:
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
                extra = told[-1] if told else None
                outcome = outcome_of(job.result[0], key, study.models[0], extra)
        finally:
            asked = job.state == "done" and not job.result
            with self.lock:
                self.status.follow(job)
                if not asked:  # a question leaves what is there
                    self._runs = job.result
                self.status.text = self._preview.sentence if asked and self.asking else summary(job)
                with self.applying():
                    if outcome is not None:
                        weights = dict(zip(self._view.members, self._view.shares, strict=False))
                        same = outcome.key == self._view.key
                        self._shown.show(weighted(outcome, weights) if same else outcome)
                    self._buttons()
                    self._shown.refresh(self._view, self.job)
            self._shown.settle()

    def _apply(self) -> None:
        """The one way of change: the choices, resolved, written to every control that differs."""
        with self.applying():
            view = self._view = resolve_ensemble(self.bench, self._choices)
            self._choices = view.choices
            self._controls.apply(view, self.weighing)
            self.status.notice = view.blocked
            self._code.code = view.code
            self._code_section.layout.display = "" if view.code else "none"
            self._buttons()
            self._shown.refresh(view, self.job)

    def _buttons(self) -> None:
        running = self.job is not None and self.job.state == "running"
        self._run.disabled = running or self._view.study is None
        self._run.description = "Run anyway" if self.asking else "Run"
        self._cancel.disabled = not running or (self.job is not None and self.job.cancelling)
        self._controls.alike.disabled = not self._view.shares
        self._controls.find.disabled = running or self._view.held_out is None
        self._preview.refresh(running=running)
