"""The Compression panel: copies of a model, and whether they kept its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from workbench.compare.drift import Curve, Drift
from workbench.core import Attribution, Method, Model, Target, clean
from workbench.errors import InputError
from workbench.lab import DriftStudy
from workbench.panels.compression.choices import (
    CompressionChoices,
    CompressionView,
    resolve_compression,
)
from workbench.panels.compression.controls import CompressionControls
from workbench.panels.compression.extras import CompressionExtras
from workbench.panels.compression.recipes import levels_as_text
from workbench.panels.compression.result import curve_of
from workbench.panels.compression.run import CompressionOutcome, compression_steps, ended
from workbench.panels.compression.shown import compression_shown
from workbench.panels.kit import Bench, First, Job, Run, StudyPanel, choices_of, on_bench
from workbench.variants import recipe
from workbench.variants.recipes import Level

Recipes = str | Sequence[str] | Mapping[str, Sequence[Level]]


class CompressionPanel(StudyPanel[CompressionChoices, CompressionView]):
    """Copies are made, explained like their model, and judged; each is shown as it is finished.

    `panel.code` is the code of what Run does. After a run, `panel.copies` are the copies (they are on the
    bench too), `panel.study` is the study that was computed and `panel.drift` its result. Without a
    browser: `panel.start().wait()`.

    Args:
        bench: the models and rows to choose from.
        model: the name of the model to compress.
        recipes: names from `workbench.variants.recipes()`, or {name: levels}; () for none. When left
            out, one that applies, or none if copies are on the bench.
        copies: names of models on the bench to compare with it too; when left out, those made from it.
        siblings: names of models trained anew, for a reference line.
        data: the name of a set of rows.
        rows: which of them, such as "0-23" or "all"; below 20 there is no verdict.
        made_with: the name of the rows that copies are calibrated and trained with.
        target: what to explain; when left out, the model's own prediction of each row.
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
        choices = _choices(
            bench, model, recipes, copies, siblings, data, rows, made_with, target, methods
        )
        purpose = "Do the copies of a model still decide for the same reasons, and at what price?"
        super().__init__("Compression", purpose, bench, resolve_compression, choices)
        self._extras = CompressionExtras(self, lambda: self.result, self.refresh)
        self.assemble(
            CompressionControls(self, lambda: self.view, self.choose),
            compression_shown(self, self._extras),
            self._run_of,
            asked=_in_words,
            beside=(self._extras,),
            times=lambda: self.view.models,
        )
        self.present()

    @property
    def study(self) -> DriftStudy:
        """What the last run explained: the model, its copies, the rows and the methods.

        Raises:
            InputError: there are no copies yet.
        """
        outcome = self.outcome
        if outcome is None or outcome.study is None:
            raise InputError(
                "There is no drift study yet: its copies are made by a run. Press Run, or call "
                "panel.start().wait(); panel.code says what it does."
            )
        return outcome.study

    @property
    def outcome(self) -> CompressionOutcome | None:
        """Everything the last run gave, including what failed; None before the first run."""
        outcome: CompressionOutcome | None = self.result.outcome
        return outcome

    @property
    def copies(self) -> tuple[Model, ...]:
        """The copies of the last run."""
        return () if self.outcome is None else self.outcome.models

    @property
    def drift(self) -> Drift | None:
        """How the reasons changed in the finished copies; None before the first copy is finished."""
        return None if self.outcome is None else self.outcome.drift

    @property
    def curve(self) -> Curve | None:
        """The copies as a curve, by the first method; None before a run."""
        outcome = self.outcome
        return None if outcome is None or outcome.drift is None else curve_of(outcome)

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """The explanations of the model and of its copies."""
        return () if self.drift is None else self.drift.attributions

    def measure_latency(self) -> Job:
        """What Measure latency does, as a running job; afterwards the curve has one more axis.

        Raises:
            InputError: there are no copies yet.
        """
        return self._extras.measure_latency()

    def find_layers(self) -> Job:
        """What the button "Which layers did it" does, as a running job, for the copy that is shown.

        Raises:
            InputError: there are no copies yet.
        """
        return self._extras.find_layers()

    def __repr__(self) -> str:
        choices = self.view.question.choices
        made = [family.recipe.name for family in self.view.families]
        return (
            f"CompressionPanel(model={choices.model!r}, recipes={made}, data={choices.data!r}, "
            f"rows={choices.rows!r}, method={choices.method!r})"
        )

    def _run_of(self, view: CompressionView, first: First) -> Run[CompressionOutcome]:
        study, reference = view.study, view.reference
        assert study is not None
        assert reference is not None
        outcomes: list[CompressionOutcome] = []

        def known() -> CompressionOutcome | None:
            """What is known so far, or at the end."""
            return outcomes[-1] if outcomes else None

        def tell(outcome: CompressionOutcome) -> None:
            outcomes[:] = [replace(outcome, running=True)]

        def outcome(_: Job) -> CompressionOutcome | None:
            return replace(outcomes[-1], running=False) if outcomes else None

        def keep(_: Job) -> None:
            if not outcomes:
                return
            code = self.bench.code("models", reference.name)
            for model, made in outcomes[-1].new(code):
                self.bench.add_model(model, code=made)
            if outcomes[-1].drift is not None:
                self.bench.add_results(outcomes[-1].drift.attributions)

        return Run(
            f"copies of {clean(reference.name, limit=60)}",
            # Making the copies is part of the run, so it is more than the study.
            first(lambda _: compression_steps(view, tell))(study),
            outcome,
            lambda job: ended(job, known()),
            so_far=known,
            keep=keep,
        )


def _choices(
    bench: Bench,
    model: str | None,
    recipes: Recipes | None,
    copies: Sequence[str] | None,
    siblings: Sequence[str],
    data: str | None,
    rows: str | None,
    made_with: str | None,
    target: Target | None,
    methods: Method | type | Sequence[Method | type] | None,
) -> CompressionChoices:
    """The constructor's arguments as choices; a wrong name is an error, unlike a stale choice."""
    several = (
        [] if methods is None else list(methods if isinstance(methods, Sequence) else [methods])
    )
    rest = choices_of(bench, model, data, rows, target, several[0] if several else None)
    for one in several[1:]:
        more = choices_of(bench, model, data, rows, target, one)
        rest = replace(rest, forms={**rest.forms, **more.forms})
    on_bench(bench, "inputs", made_with)
    choices = CompressionChoices(
        None if recipes is None else _levels(recipes),
        made_with,
        _held(bench, rest.model, copies, siblings),
        None if methods is None else tuple(map(_named, several[1:])),
        rest,
    )
    impossible = dict(resolve_compression(bench, choices).impossible)
    for name in choices.recipes or {}:
        title = recipe(name).title
        if title in impossible:
            raise InputError(f"{title} does not apply. {impossible[title]}")
    return choices


def _in_words(view: CompressionView) -> Mapping[str, str | None]:
    """The choices in words, for the static HTML twin."""
    if view.study is None:
        return {}
    choices = view.question.choices
    made = [
        f"{family.recipe.title} ({levels_as_text(family.levels)})"
        if family.recipe.level
        else family.recipe.title
        for family in view.families
    ]
    return {
        "model": choices.model,
        "copies": ", ".join([*made, *(clean(one.name, limit=60) for one in view.copies)]),
        "trained anew": ", ".join(clean(one.name, limit=60) for one in view.siblings),
        "rows": f"{choices.rows} of {choices.data}",
        "methods": ", ".join(map(repr, view.methods)),
    }


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
    """Which models of the bench are compared with the reference; at first those made from it."""
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
