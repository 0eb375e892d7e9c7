"""A user's choices in the Compression panel and what is shown of them: values and pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from workbench.compare.drift import ALLOWANCE, FEWEST_ROWS, rows_to_bound
from workbench.core import Inputs, Method, Model, Study, Target
from workbench.core.plan import Rows, rows_in_words
from workbench.errors import InputError, WorkbenchError
from workbench.lab import default_methods
from workbench.panels.compression.code import compression_code
from workbench.panels.compression.recipes import (
    Family,
    MadeWith,
    fields_of,
    levels_as_text,
    levels_of,
    made_with,
    possible,
)
from workbench.panels.kit import (
    Bench,
    Choices,
    Field,
    View,
    label_of,
    positions,
    recipe_from,
    recipe_values,
    resolve,
    rows_as_code,
)
from workbench.study.fit import mismatch, obstacle
from workbench.study.plan import evaluations
from workbench.variants import Recipe

FIRST_ROWS = 60
"""Rows explained at first: 59 are the fewest that can show a copy preserved for rows like these."""

HELD = {
    "": "leave out",
    "copy": "hold against the model",
    "sibling": "trained anew: a reference line",
}

LINES = 2
"""Explanations of the reference beside its own: other seeds, random weights."""


@dataclass(frozen=True)
class CompressionChoices:
    """What a user chose; None where nothing was chosen.

    Args:
        recipes: {name of a recipe: its levels as text}.
        made_with: the name of the rows that copies are made with.
        held: {model on the bench: "copy" or "sibling"}; models that are not listed are left out.
        also: further methods of the catalog.
        rest: the model, rows, target and first method, as for any model.
    """

    recipes: Mapping[str, str] | None = None
    made_with: str | None = None
    held: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] | None = None
    rest: Choices = field(default_factory=Choices)


@dataclass(frozen=True, eq=False)
class CompressionView:
    """Everything the panel shows about a choice, and what Run needs.

    Args:
        choices: the choices, made valid.
        able: the recipes that apply to the model.
        impossible: the titles of the recipes that do not apply, each with the reason.
        making: the controls for recipes and levels.
        with_rows: the control for the rows to make copies with.
        others: the other models on the bench that have the same outputs.
        also_fields: one box per further method.
        question: model, rows, target and first method.
        families: what Run makes.
        made_with: the rows that copies are made with, if any are made.
        copies: models on the bench that are also compared with the reference.
        siblings: models on the bench that give the retraining line.
        methods: all methods, the first one's parameters as in the form.
        note: what was assumed, and what is left out and why.
        blocked: why there is nothing to run, or "".
        code: the same as code that runs without the panel.
    """

    choices: CompressionChoices
    able: tuple[Recipe, ...] = ()
    impossible: tuple[tuple[str, str], ...] = ()
    making: tuple[Field, ...] = ()
    with_rows: tuple[Field, ...] = ()
    others: tuple[Model, ...] = ()
    also_fields: tuple[Field, ...] = ()
    question: View = field(default_factory=lambda: View(Choices()))
    families: tuple[Family, ...] = ()
    made_with: MadeWith | None = None
    copies: tuple[Model, ...] = ()
    siblings: tuple[Model, ...] = ()
    methods: tuple[Method, ...] = ()
    note: str = ""
    blocked: str = ""
    code: str = ""

    @property
    def other_fields(self) -> tuple[Field, ...]:
        """One control per further model."""
        options = [[value, label] for value, label in HELD.items()]
        return tuple(
            {
                "name": f"held-{i}",
                "label": label_of(one.name),
                "kind": "choice",
                "options": options,
            }
            for i, one in enumerate(self.others)
        )

    @property
    def reference(self) -> Model | None:
        """The model that copies are held against."""
        return None if self.question.study is None else self.question.study.models[0]

    @property
    def target(self) -> Target | None:
        """The explained target; None for the reference's own prediction of each row."""
        if self.question.study is None or self.question.study.targets[0] == Target.predicted():
            return None
        return self.question.study.targets[0]

    @property
    def study(self) -> Study | None:
        """The reference's part of what Run computes, unless blocked; an estimate tries this part."""
        if self.blocked or self.question.study is None:
            return None
        return replace(self.question.study, methods=self.methods)

    @property
    def made(self) -> int:
        """How many copies Run makes."""
        return sum(len(family.levels) for family in self.families)

    @property
    def models(self) -> int:
        """How many models are explained, including the models of the reference lines."""
        return 1 + LINES + self.made + len(self.copies) + len(self.siblings)

    @property
    def evaluations(self) -> Rows | None:
        """The fewest and the most model rows, if every model needs as many as the reference."""
        study = self.study
        known = [] if study is None else evaluations(study)
        counts = [one for one in known if one is not None]
        if not counts or len(counts) < len(known):
            return None
        low, high = (sum(one[end] for one in counts) for end in (0, 1))
        return self.models * low, self.models * high

    @property
    def cost(self) -> str:
        """The same in words."""
        if self.study is None:
            return ""
        made = f"; making {_count(self.made, 'copy', 'copies')} comes on top" if self.made else ""
        return f"about {rows_in_words(self.evaluations)} for {self.models} models{made}"

    @property
    def key(self) -> tuple[object, ...]:
        """What the results depend on: equal keys have equal results."""
        if self.study is None:
            return (self.blocked,)
        made = "" if self.made_with is None else self.made_with.code
        held = (*self.copies, None, *self.siblings)
        what = (self.question.source, self.question.choices.rows, self.target, *self.methods)
        return (self.reference, *self.families, made, *held, *what)


def resolve_compression(bench: Bench, choices: CompressionChoices) -> CompressionView:
    """The view of these choices; a choice that is no longer valid becomes the first valid one."""
    question = _question(bench, choices.rest)
    choices = replace(choices, rest=question.choices)
    view = CompressionView(choices, question=question, note=question.note, blocked=question.blocked)
    model = bench.models.get(question.choices.model or "")
    if model is None:
        return view
    able, impossible = possible(model)
    view = replace(view, able=able, impossible=impossible)
    view = _held(bench, view, model)
    view = _families(view)
    if question.study is None or question.source is None:
        return view
    view = _made_with(bench, view, question.source)
    view = _methods(view)
    if view.blocked:
        return view
    if not view.families and not view.copies:
        return replace(
            view,
            blocked="There is no copy to hold against the model. Tick a way to make one, or hold another "
            "model of the bench against it.",
        )
    picked = positions(question.choices.rows or "", len(question.source))
    few = _few(len(picked))
    return replace(
        view,
        note=" ".join(filter(None, (view.note, few))),
        code=compression_code(
            bench.code("models", model.name),
            bench.code("inputs", str(question.choices.data)) + rows_as_code(picked),
            view.families,
            None if view.made_with is None else view.made_with.code,
            [bench.code("models", one.name) for one in view.copies],
            [bench.code("models", one.name) for one in view.siblings],
            view.methods,
            view.target,
        ),
    )


@cache
def _few(n: int) -> str:
    """Which verdict for rows like these needs more rows than there are; "" where none does."""
    enough = rows_to_bound(0, n, ALLOWANCE)
    if n < FEWEST_ROWS:
        return f"Below {FEWEST_ROWS} rows nothing is decided for rows like these."
    if enough is not None and n < enough:
        return f"Below {enough} rows no copy is preserved for rows like these."
    return ""


def _question(bench: Bench, rest: Choices) -> View:
    """The view of the reference's study; at first 60 rows and the lab's default methods."""
    question = resolve(bench, rest)
    model = bench.models.get(question.choices.model or "")
    inputs = bench.inputs.get(question.choices.data or "")
    if model is None or inputs is None:
        return question
    choices = question.choices
    if rest.rows is None:
        choices = replace(choices, rows=f"0-{min(FIRST_ROWS, len(inputs)) - 1}")
    if rest.method is None:
        recipe = default_methods((model,), inputs)[0]
        forms = {**choices.forms, type(recipe).__name__: recipe_values(recipe)}
        choices = replace(choices, method=type(recipe).__name__, forms=forms)
    return question if choices == question.choices else resolve(bench, choices)


def _held(bench: Bench, view: CompressionView, model: Model) -> CompressionView:
    """The view with the models that can be compared with the reference."""
    inputs = bench.inputs.get(view.question.choices.data or "")
    fitting = [
        one
        for one in bench.models.values()
        if one.name != model.name and _alike(one, model, inputs)
    ]
    held = {
        one.name: view.choices.held[one.name]
        for one in fitting
        if view.choices.held.get(one.name) in ("copy", "sibling")
    }
    return replace(
        view,
        choices=replace(view.choices, held=held),
        others=tuple(fitting),
        copies=tuple(one for one in fitting if held.get(one.name) == "copy"),
        siblings=tuple(one for one in fitting if held.get(one.name) == "sibling"),
    )


def _alike(one: Model, model: Model, inputs: Inputs | None) -> bool:
    same = one.outputs == model.outputs and one.scale == model.scale
    return same and (inputs is None or mismatch(one, inputs) is None)


def _families(view: CompressionView) -> CompressionView:
    """The view with the ticked recipes; at first one is ticked, unless there are copies already."""
    levels = view.choices.recipes
    if levels is None:
        first = () if view.copies else view.able[:1]
        levels = {one.name: levels_as_text(one.levels) for one in first}
    levels = {one.name: levels[one.name] for one in view.able if one.name in levels}
    view = replace(
        view,
        choices=replace(view.choices, recipes=levels),
        making=fields_of(view.able, levels),
    )
    try:
        made = [
            Family(one, levels_of(one, levels[one.name])) for one in view.able if one.name in levels
        ]
    except InputError as error:
        return replace(view, blocked=view.blocked or str(error))
    return replace(view, families=tuple(made))


def _made_with(bench: Bench, view: CompressionView, source: Inputs) -> CompressionView:
    """The view with the rows that copies are made with, preferably not the explained ones."""
    if not view.families:
        return view
    explained = str(view.question.choices.data)
    there = [
        name for name, one in bench.inputs.items() if one.kind == source.kind and _wide(one, source)
    ]
    others = [name for name in there if name != explained]
    name = view.choices.made_with
    if name not in there:
        name = next((one for one in others if "train" in one.lower()), explained)
    options = [[one, label_of(one)] for one in there]
    picked = positions(view.question.choices.rows or "", len(source))
    made = made_with(name, bench.inputs[name], explained, picked, bench.code("inputs", name))
    return replace(
        view,
        choices=replace(view.choices, made_with=name),
        with_rows=(
            {
                "name": "made_with",
                "label": "Made with rows of",
                "kind": "choice",
                "options": options,
                "doc": f"{len(made.inputs)} rows, for calibration and training",
            },
        ),
        made_with=made,
        note=" ".join(filter(None, (view.note, made.note))),
    )


def _wide(one: Inputs, other: Inputs) -> bool:
    return not one.of_kind.columns or one.features == other.features


def _methods(view: CompressionView) -> CompressionView:
    """The view with the further methods, and with every chosen method as a recipe."""
    study = view.question.study
    assert study is not None
    model, inputs = study.models[0], study.inputs
    first = view.question.choices.method
    able = [one.name for one in view.question.options if not one.reason and one.name != first]
    forms = dict(view.question.choices.forms)
    also = view.choices.also
    if also is None:
        more = [one for one in default_methods((model,), inputs) if type(one).__name__ in able]
        forms = {**{type(one).__name__: recipe_values(one) for one in more}, **forms}
        also = tuple(type(one).__name__ for one in more)
    also = tuple(name for name in able if name in also)
    question = replace(view.question, choices=replace(view.question.choices, forms=forms))
    view = replace(
        view,
        choices=replace(view.choices, also=also, rest=question.choices),
        question=question,
        also_fields=tuple(
            {"name": f"also-{name}", "label": name, "kind": "check"} for name in able
        ),
    )
    try:
        further = [recipe_from(_class(name), forms.get(name, {})) for name in also]
    except WorkbenchError as error:
        return replace(view, blocked=view.blocked or str(error))
    for one in further:
        if hindrance := obstacle(one, model, inputs):
            return replace(view, blocked=view.blocked or hindrance)
    return replace(view, methods=(study.methods[0], *further))


def _class(name: str) -> Any:
    from workbench import methods

    return next(one for one in methods.catalog() if one.__name__ == name)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
