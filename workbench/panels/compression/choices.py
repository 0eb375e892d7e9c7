"""What the Compression panel is asked for, and all it shows about that: values and pure functions."""

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
    """What a user asked for; None where nothing was asked.

    Args:
        recipes: {name of a recipe: its levels as text}.
        made_with: the name of the rows that copies are made with.
        held: {model on the bench: "copy" or "sibling"}; one that is not in it is left out.
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
        impossible: the titles of those that do not, with the reason.
        making: the controls for recipes and levels.
        with_rows: the control for the rows to make copies with.
        others: the further models on the bench that speak of the same outputs.
        also_fields: one box per further method.
        asked: model, rows, target and first method.
        families: what Run makes.
        made_with: the rows that copies are made with, if any are made.
        copies: models on the bench that are held against the reference too.
        siblings: models on the bench that give the retraining line.
        methods: all methods, the first one's parameters as in the form.
        said: what was assumed, and what is left out and why.
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
    asked: View = field(default_factory=lambda: View(Choices()))
    families: tuple[Family, ...] = ()
    made_with: MadeWith | None = None
    copies: tuple[Model, ...] = ()
    siblings: tuple[Model, ...] = ()
    methods: tuple[Method, ...] = ()
    said: str = ""
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
        return None if self.asked.study is None else self.asked.study.models[0]

    @property
    def target(self) -> Target | None:
        """What is explained; None for the reference's own prediction of each row."""
        if self.asked.study is None or self.asked.study.targets[0] == Target.predicted():
            return None
        return self.asked.study.targets[0]

    @property
    def study(self) -> Study | None:
        """The reference's part of what Run computes, unless blocked: what an estimate tries."""
        if self.blocked or self.asked.study is None:
            return None
        return replace(self.asked.study, methods=self.methods)

    @property
    def made(self) -> int:
        """How many copies Run makes."""
        return sum(len(family.levels) for family in self.families)

    @property
    def models(self) -> int:
        """How many models are explained, the reference lines among them."""
        return 1 + LINES + self.made + len(self.copies) + len(self.siblings)

    @property
    def evaluations(self) -> Rows | None:
        """The fewest and the most model rows, as if each model were asked as often as the reference."""
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
        what = (self.asked.source, self.asked.choices.rows, self.target, *self.methods)
        return (self.reference, *self.families, made, *held, *what)


def resolve_compression(bench: Bench, choices: CompressionChoices) -> CompressionView:
    """The view of these choices: what is stale becomes the first thing that is valid."""
    asked = _asked(bench, choices.rest)
    choices = replace(choices, rest=asked.choices)
    view = CompressionView(choices, asked=asked, said=asked.said, blocked=asked.blocked)
    model = bench.models.get(asked.choices.model or "")
    if model is None:
        return view
    able, impossible = possible(model)
    view = replace(view, able=able, impossible=impossible)
    view = _held(bench, view, model)
    view = _families(view)
    if asked.study is None or asked.source is None:
        return view
    view = _made_with(bench, view, asked.source)
    view = _methods(view)
    if view.blocked:
        return view
    if not view.families and not view.copies:
        return replace(
            view,
            blocked="There is no copy to hold against the model. Tick a way to make one, or hold another "
            "model of the bench against it.",
        )
    picked = positions(asked.choices.rows or "", len(asked.source))
    few = _few(len(picked))
    return replace(
        view,
        said=" ".join(filter(None, (view.said, few))),
        code=compression_code(
            bench.code("models", model.name),
            bench.code("inputs", str(asked.choices.data)) + rows_as_code(picked),
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
    """What so few rows cannot decide of rows like these; "" where they can decide all."""
    enough = rows_to_bound(0, n, ALLOWANCE)
    if n < FEWEST_ROWS:
        return f"Below {FEWEST_ROWS} rows nothing is decided for rows like these."
    if enough is not None and n < enough:
        return f"Below {enough} rows no copy is preserved for rows like these."
    return ""


def _asked(bench: Bench, rest: Choices) -> View:
    """The view of the reference's study; at first 60 rows, by the methods that the lab takes."""
    asked = resolve(bench, rest)
    model = bench.models.get(asked.choices.model or "")
    inputs = bench.inputs.get(asked.choices.data or "")
    if model is None or inputs is None:
        return asked
    choices = asked.choices
    if rest.rows is None:
        choices = replace(choices, rows=f"0-{min(FIRST_ROWS, len(inputs)) - 1}")
    if rest.method is None:
        recipe = default_methods((model,), inputs)[0]
        forms = {**choices.forms, type(recipe).__name__: recipe_values(recipe)}
        choices = replace(choices, method=type(recipe).__name__, forms=forms)
    return asked if choices == asked.choices else resolve(bench, choices)


def _held(bench: Bench, view: CompressionView, model: Model) -> CompressionView:
    """The view with the models that can stand beside the reference."""
    inputs = bench.inputs.get(view.asked.choices.data or "")
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
    """The view with the recipes ticked; at first one, unless copies are there already."""
    asked = view.choices.recipes
    if asked is None:
        first = () if view.copies else view.able[:1]
        asked = {one.name: levels_as_text(one.levels) for one in first}
    asked = {one.name: asked[one.name] for one in view.able if one.name in asked}
    view = replace(
        view,
        choices=replace(view.choices, recipes=asked),
        making=fields_of(view.able, asked),
    )
    try:
        made = [
            Family(one, levels_of(one, asked[one.name])) for one in view.able if one.name in asked
        ]
    except InputError as error:
        return replace(view, blocked=view.blocked or str(error))
    return replace(view, families=tuple(made))


def _made_with(bench: Bench, view: CompressionView, source: Inputs) -> CompressionView:
    """The view with the rows that copies are made with: by choice others than are explained."""
    if not view.families:
        return view
    explained = str(view.asked.choices.data)
    there = [
        name for name, one in bench.inputs.items() if one.kind == source.kind and _wide(one, source)
    ]
    others = [name for name in there if name != explained]
    name = view.choices.made_with
    if name not in there:
        name = next((one for one in others if "train" in one.lower()), explained)
    options = [[one, label_of(one)] for one in there]
    picked = positions(view.asked.choices.rows or "", len(source))
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
        said=" ".join(filter(None, (view.said, made.said))),
    )


def _wide(one: Inputs, other: Inputs) -> bool:
    return not one.of_kind.columns or one.features == other.features


def _methods(view: CompressionView) -> CompressionView:
    """The view with further methods, and all of them as recipes."""
    study = view.asked.study
    assert study is not None
    model, inputs = study.models[0], study.inputs
    first = view.asked.choices.method
    able = [one.name for one in view.asked.options if not one.reason and one.name != first]
    forms = dict(view.asked.choices.forms)
    also = view.choices.also
    if also is None:
        more = [one for one in default_methods((model,), inputs) if type(one).__name__ in able]
        forms = {**{type(one).__name__: recipe_values(one) for one in more}, **forms}
        also = tuple(type(one).__name__ for one in more)
    also = tuple(name for name in able if name in also)
    asked = replace(view.asked, choices=replace(view.asked.choices, forms=forms))
    view = replace(
        view,
        choices=replace(view.choices, also=also, rest=asked.choices),
        asked=asked,
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
