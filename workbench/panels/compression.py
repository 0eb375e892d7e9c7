"""The Compression panel: copies of a model, and whether they kept its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from workbench.compare.curve import Curve
from workbench.compare.drift import Drift
from workbench.core import Attribution, Method, Model, Plan, Step, Study, Target, clean, escape
from workbench.errors import InputError
from workbench.lab import DriftStudy
from workbench.panels.arguments import choices_of, on_bench
from workbench.panels.bench import Bench
from workbench.panels.compression_choices import (
    CompressionChoices,
    CompressionView,
    resolve_compression,
)
from workbench.panels.compression_controls import CompressionControls
from workbench.panels.compression_extras import CompressionExtras
from workbench.panels.compression_recipes import levels_as_text
from workbench.panels.compression_result import curve_of
from workbench.panels.compression_run import CompressionOutcome, compression_steps, ended
from workbench.panels.compression_shown import CompressionShown
from workbench.panels.jobs import Job
from workbench.panels.preview import Preview, Work
from workbench.panels.shell import Code, Shell, button, reporting, row, section
from workbench.variants import recipe
from workbench.variants.recipes import Level

Recipes = str | Sequence[str] | Mapping[str, Sequence[Level]]


class CompressionPanel(Shell):
    """Copies are made, explained like their model, and judged; each is shown as it is finished.

    `panel.code` is what Run does as code; after a run `panel.copies` are the copies, which also lie on the
    bench, `panel.study` what was computed and `panel.drift` what came out. Without a browser:
    `panel.start().wait()`.

    Args:
        bench: the models and rows to choose from.
        model: the name of the model to compress.
        recipes: names from `workbench.variants.recipes()`, or {name: levels}; () for none. One that
            applies when left out, unless copies are on the bench.
        copies: names of models on the bench to hold against it too; those made from it when left out.
        siblings: names of models trained anew, for a reference line.
        data: the name of a set of rows.
        rows: which of them, such as "0-23" or "all"; below 20 there is no verdict.
        made_with: the name of the rows that copies are calibrated and trained with.
        target: what to explain; the model's own prediction of each row when left out.
        methods: a recipe or method class, or several.

    Raises:
        InputError: a name that is not on the bench or in the catalog, or levels that cannot be read.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        model: str | None = None,
        recipes: Recipes | None = None,
        copies: Sequence[str] | None = None,
        siblings: Sequence[str] = (),
        data: str | None = None,
        rows: str | None = None,
        made_with: str | None = None,
        target: Target | None = None,
        methods: Method | type | Sequence[Method | type] | None = None,
    ) -> None:
        super().__init__(
            "Compression",
            "Do the copies of a model still decide for the same reasons, and at what price?",
        )
        self.bench = bench
        self._told: CompressionOutcome | None = None
        several = (
            [] if methods is None else list(methods if isinstance(methods, Sequence) else [methods])
        )
        rest = choices_of(bench, model, data, rows, target, several[0] if several else None)
        for one in several[1:]:
            more = choices_of(bench, model, data, rows, target, one)
            rest = replace(rest, forms={**rest.forms, **more.forms})
        on_bench(bench, "inputs", made_with)
        self._choices = CompressionChoices(
            None if recipes is None else _levels(recipes),
            made_with,
            _held(bench, rest.model, copies, siblings),
            None if methods is None else tuple(map(_named, several[1:])),
            rest,
        )
        self._view = resolve_compression(bench, self._choices)
        self._refuse_what_does_not_apply()
        self._build()
        self._apply()
        self._stop_watching = bench.watch(self._bench_changed)

    @property
    def study(self) -> DriftStudy:
        """What the last run explained: the model, its copies, the rows and the methods.

        Raises:
            InputError: there are no copies yet.
        """
        outcome = self._shown.outcome
        if outcome is None or outcome.study is None:
            raise InputError(
                "There is no drift study yet: its copies are made by a run. Press Run, or call "
                "panel.start().wait(); panel.code says what it does."
            )
        return outcome.study

    @property
    def code(self) -> str:
        """The run as code that needs no panel; "" while there is nothing to run."""
        return self._view.code

    @property
    def view(self) -> CompressionView:
        """Everything shown about the choices."""
        return self._view

    @property
    def outcome(self) -> CompressionOutcome | None:
        """Everything the last run gave, also what it could not make; None before the first."""
        return self._shown.outcome

    @property
    def copies(self) -> tuple[Model, ...]:
        """The copies of the last run."""
        return () if self._shown.outcome is None else self._shown.outcome.models

    @property
    def drift(self) -> Drift | None:
        """What became of the reasons; of the finished copies, None before the first."""
        return None if self._shown.outcome is None else self._shown.outcome.drift

    @property
    def curve(self) -> Curve | None:
        """The copies as a curve, by the first method; None before a run."""
        outcome = self._shown.outcome
        return None if outcome is None or outcome.drift is None else curve_of(outcome)

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """The explanations of the model and of its copies."""
        return () if self.drift is None else self.drift.attributions

    @property
    def plan(self) -> Plan | None:
        """The estimate for the present choices, if there is one."""
        return self._preview.plan

    @property
    def asking(self) -> bool:
        """Whether Run has found the present choices long and waits for "Run anyway"."""
        return self._preview.asking

    def start(self) -> Job:
        """What Run does, as a running job. `panel.start().wait()` needs no browser.

        Raises:
            InputError: there is nothing to run; says why.
            WorkbenchError: another job is running.
        """
        return self._begin(self._work)

    def estimate(self) -> Job:
        """What Estimate time does: the model's explanation, begun and left, as a job."""
        return self._preview.start()

    def measure_latency(self) -> Job:
        """What Measure latency does, as a running job; then the curve has an axis more.

        Raises:
            InputError: there are no copies yet.
        """
        return self._extras.measure_latency()

    def find_layers(self) -> Job:
        """What Which layers did it does, as a running job, for the copy that is shown.

        Raises:
            InputError: there are no copies yet.
        """
        return self._extras.find_layers()

    def cancel(self) -> None:
        """Stop after the batch in progress; copies that are finished are kept, and judged ones stay so."""
        with self.lock:
            if self.job is not None and self.job.state == "running":
                self.job.cancel()
                self.status.follow(self.job)
                self._cancel.disabled = True

    def close(self) -> None:
        """End the panel: it no longer follows the bench."""
        self._stop_watching()
        super().close()

    def twin(self) -> str:
        """The panel as HTML that needs no kernel: what was asked, and what came out."""
        self._shown.settle()
        with self.lock:
            view = self._view
            choices = view.asked.choices
            made = [
                f"{family.recipe.title} ({levels_as_text(family.levels)})"
                if family.recipe.level
                else family.recipe.title
                for family in view.families
            ]
            items = {
                "model": choices.model,
                "copies": ", ".join([*made, *(clean(one.name, limit=60) for one in view.copies)]),
                "trained anew": ", ".join(clean(one.name, limit=60) for one in view.siblings),
                "rows": f"{choices.rows} of {choices.data}",
                "methods": ", ".join(map(repr, view.methods)),
            }
            asked = "".join(
                f"<li>{name}: {escape(value, limit=900)}</li>"
                for name, value in items.items()
                if value and view.study is not None
            )
            html = self._shown.html(view, self.job) or "<p>Run the notebook to use this panel.</p>"
            return (
                f"<p><b>{escape(self.title)}</b></p><ul>{asked}</ul>{self._preview.html}{html}"
                f"{self._extras.html}"
            )

    def __repr__(self) -> str:
        choices = self._view.asked.choices
        made = [family.recipe.name for family in self._view.families]
        return (
            f"CompressionPanel(model={choices.model!r}, recipes={made}, data={choices.data!r}, "
            f"rows={choices.rows!r}, method={choices.method!r})"
        )

    def _refuse_what_does_not_apply(self) -> None:
        """Here a recipe that does not apply is an error, where a stale choice is dropped."""
        asked = dict(self._choices.recipes or {})
        reasons = dict(self._view.impossible)
        for name in asked:
            title = recipe(name).title
            if title in reasons:
                raise InputError(f"{title} does not apply. {reasons[title]}")

    def _build(self) -> None:
        self._controls = CompressionControls(self, lambda: self._view, self._chosen)
        self._run = button("Run", primary=True)
        self._cancel = button("Cancel")
        self._preview = Preview(
            self, lambda: self._view, self._buttons, self._work, lambda: self._view.models
        )
        self._extras = CompressionExtras(self, lambda: self._shown, self._buttons)
        self._shown = CompressionShown(self, self._extras)
        self._code = Code()
        self._code_section = section("As code", self._code)
        buttons = row(self._run, self._cancel, self._preview.button)
        self.lay_out(self._controls, buttons, self._preview, self._shown, self._code_section)
        self._run.on_click(self.event(self._run_clicked))
        self._cancel.on_click(self.event(self.cancel))

    def _chosen(self, choices: CompressionChoices) -> None:
        self._choices = choices
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
            view = self._running = self._view
            if view.study is None:
                raise InputError(view.blocked)
            self._told = None
            name = f"copies of {clean(view.study.models[0].name, limit=60)}"
            job = Job(name, work(view.study), self._follow)
            job.start()
            self.job = job
            self.status.error = ""
            return job

    def _work(self, _: Study) -> Iterator[Step[Any]]:
        """The run of the choices that it was started with: making the copies is part of it."""

        def told(outcome: CompressionOutcome) -> None:
            self._told = outcome

        return compression_steps(self._running, told)

    def _follow(self, job: Job) -> None:
        """What the job's thread says, on that thread."""
        with reporting(self):
            told = self._told
            if job.state == "running":
                with self.lock:
                    self.status.follow(job)
                    if told is not None and told is not self._shown.outcome:
                        self._shown.show(told, running=True)
                    self._buttons()
                return
            asked = job.state == "done" and told is None
            with self.lock, self.applying():
                self.status.follow(job)
                self.status.text = self._preview.sentence if asked else ended(job, told)
                if told is not None:
                    self._shown.show(told, running=False)
                self._buttons()
            if told is not None:
                reference = self.bench.code("models", told.reference.name)
                for model, code in told.new(reference):
                    self.bench.add_model(model, code=code)
            if told is not None and told.drift is not None:
                self.bench.add_results(told.drift.attributions)
            with self.lock, self.applying():
                self._shown.refresh(self._view, self.job)
            self._shown.settle()

    def _apply(self) -> None:
        """The one way of change: the choices, resolved, written to every control that differs."""
        with self.applying():
            view = self._view = resolve_compression(self.bench, self._choices)
            self._choices = view.choices
            self._controls.apply(view)
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
        self._preview.refresh(running=running)
        self._extras.refresh(running=running)


def _levels(recipes: Recipes) -> dict[str, str]:
    """Recipes as the panel's boxes and texts.

    Raises:
        InputError: one is not in the catalog.
    """
    if isinstance(recipes, str):
        recipes = (recipes,)
    if isinstance(recipes, Mapping):
        return {recipe(name).name: levels_as_text(levels) for name, levels in recipes.items()}
    return {name: levels_as_text(recipe(name).levels) for name in recipes}


def _held(
    bench: Bench, reference: str | None, copies: Sequence[str] | None, siblings: Sequence[str]
) -> dict[str, str]:
    """Which models of the bench stand beside the reference, at first those made from it."""
    for name in (*(copies or ()), *siblings):
        on_bench(bench, "models", name)
    if copies is None:
        first = reference if reference is not None else next(iter(bench.models), "")
        copies = [
            name
            for name, model in bench.models.items()
            if model.variant is not None and model.variant.of == first
        ]
    return {**dict.fromkeys(copies, "copy"), **dict.fromkeys(siblings, "sibling")}


def _named(method: Method | type) -> str:
    return (method if isinstance(method, type) else type(method)).__name__
