"""A user's choices in the Explain panel and what is shown of them: values and pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from workbench.core import Inputs, Method, Model, Study, Target, parameters
from workbench.core.plan import Rows, rows_in_words
from workbench.errors import InputError, WorkbenchError
from workbench.panels.kit.bench import Bench
from workbench.panels.kit.form import Field, fields, label_of, recipe_as_code, recipe_from
from workbench.panels.kit.rows import positions, rows_as_code
from workbench.study.fit import mismatch, obstacle
from workbench.study.plan import evaluations

ShownTarget = Literal["predicted"] | int

MOST_PIXELS = 2**18
"""At most so many pixels are cut into superpixels to count model rows: a click waits for it, some tenths
of a second."""


@dataclass(frozen=True)
class Choices:
    """What a user chose; None where nothing was chosen.

    Args:
        model: a name on the bench.
        data: the name of a set of rows on the bench.
        rows: which of them, as `workbench.panels.kit.rows` reads it.
        target: "predicted" or an output's position.
        against: an output's position, for a contrast.
        method: a class name of the catalog.
        forms: {method: {parameter: value}}, so that a method keeps its values while others are tried.
    """

    model: str | None = None
    data: str | None = None
    rows: str | None = None
    target: ShownTarget | None = None
    against: int | None = None
    method: str | None = None
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Option:
    """One method of the menu; `reason` says why it is impossible, or is ""."""

    name: str
    detail: str
    reason: str


@dataclass(frozen=True, eq=False)
class View:
    """Everything the panel shows about a choice, and the study it makes.

    Args:
        choices: the choices, made valid.
        fields: the controls for model, rows and target.
        options: the methods.
        parameters: the controls of the chosen method.
        note: what was changed for the user, and what is left out and why.
        blocked: why there is nothing to run, or "".
        study: what Run computes, unless blocked.
        source: the set of rows that the study's rows come from.
        code: the study as code that runs without the panel.
        evaluations: the fewest and the most model rows of the study; None where that is unknown.
        cost: the same in words.
    """

    choices: Choices
    fields: tuple[Field, ...] = ()
    options: tuple[Option, ...] = ()
    parameters: tuple[Field, ...] = ()
    note: str = ""
    blocked: str = ""
    study: Study | None = None
    source: Inputs | None = None
    code: str = ""
    evaluations: Rows | None = None
    cost: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What the study depends on: equal keys have equal results."""
        if self.study is None:
            return (self.blocked,)
        rows = self.source, self.choices.rows
        return (*self.study.models, *rows, *self.study.targets, *self.study.methods)


class Asked(Protocol):
    """What a preview and a result need to know of a panel's view: a `View` or one like it."""

    @property
    def study(self) -> Study | None:
        """What Run computes, unless blocked."""

    @property
    def blocked(self) -> str:
        """Why there is nothing to run, or ""."""

    @property
    def evaluations(self) -> Rows | None:
        """The fewest and the most model rows; None where that is unknown."""

    @property
    def cost(self) -> str:
        """The same in words."""

    @property
    def key(self) -> tuple[object, ...]:
        """What the results depend on: equal keys have equal results."""


def resolve(bench: Bench, choices: Choices) -> View:
    """The view of these choices; a choice that is no longer valid becomes the first valid one."""
    models = bench.models
    if not models:
        return View(
            choices,
            blocked="There is no model yet. Load one with the Load panel, or call "
            "bench.add_model(workbench.wrap(object, name=...)).",
        )
    if not bench.inputs:
        return View(
            choices,
            blocked="There are no rows yet. Add an example with the Load panel, or call "
            "bench.add_inputs(workbench.data.table(frame)).",
        )
    name = _valid(choices.model, models)
    model = models[name]
    wrong = {key: mismatch(model, inputs) for key, inputs in bench.inputs.items()}
    fitting = [key for key, reason in wrong.items() if reason is None]
    notes = []
    if fitting and choices.data in wrong and choices.data not in fitting:
        notes.append(f"Other rows are chosen now, because: {wrong[choices.data]}")
    choices = replace(choices, model=name)
    first: Field = {
        "name": "model",
        "label": "Model",
        "kind": "choice",
        "options": _plain(models),
    }
    if not fitting:
        blocked = next(reason for reason in wrong.values() if reason is not None)
        return View(choices, fields=(first,), blocked=f"No rows on the bench fit. {blocked}")
    data = _valid(choices.data, fitting)
    choices = replace(choices, data=data)
    inputs = bench.inputs[data]
    text = f"0-{min(4, len(inputs)) - 1}" if choices.rows is None else choices.rows
    choices = _target_settled(replace(choices, rows=text), model)
    fields = (
        first,
        {"name": "data", "label": "Rows of", "kind": "choice", "options": _plain(fitting)},
        {
            "name": "rows",
            "label": "Which rows",
            "kind": "text",
            "doc": f"positions 0 to {len(inputs) - 1}, such as 0-7, 12 or 5 random",
        },
        *_target_fields(choices, model),
    )
    options = tuple(_option(method, model, inputs) for method in _catalog())
    options = tuple(sorted(options, key=lambda option: bool(option.reason)))
    possible = [option.name for option in options if not option.reason]
    if not possible:
        blocked = "No method here can explain this model on these rows. " + options[0].reason
        return View(choices, fields, options, blocked=blocked)
    method = _valid(choices.method, possible)
    if choices.method not in (None, method):
        reason = next((one.reason for one in options if one.name == choices.method), "")
        notes.append(f"{method} is chosen now. {reason}")
    choices = replace(choices, method=method)
    view = View(choices, fields, options, _parameters(choices, model, inputs), " ".join(notes))
    try:
        study, chosen = _study(choices, model, inputs)
    except InputError as error:
        return replace(view, blocked=str(error))
    recipe = study.methods[0]
    if hindrance := obstacle(recipe, model, study.inputs):
        return replace(view, blocked=hindrance)
    try:
        count, cost = _counted(study)
    except InputError as error:
        return replace(view, blocked=str(error))
    code = _code(bench, choices, study, chosen)
    return replace(view, study=study, source=inputs, code=code, evaluations=count, cost=cost)


def target_choices(
    model: Model | None, target: Target | None
) -> tuple[ShownTarget | None, int | None]:
    """A `Target` as the panel's two controls.

    Raises:
        InputError: one output per row, which the panel has no control for; or an unknown output.
    """
    if target is None:
        return None, None
    outputs = () if model is None else model.outputs

    def position(one: Any) -> int:
        if isinstance(one, tuple):
            raise InputError(
                "The panel explains one output for all rows, but this target names one per row. Use "
                "workbench.explain(model, inputs, method, target) for that."
            )
        if isinstance(one, str) and one in outputs:
            return outputs.index(one)
        if isinstance(one, int) and 0 <= one < len(outputs):
            return one
        raise InputError(f"The target must be one of the outputs {list(outputs)}, not {one!r}.")

    shown: ShownTarget = "predicted" if target.index is None else position(target.index)
    return shown, None if target.against is None else position(target.against)


def _valid(name: str | None, there: Iterable[str]) -> str:
    """The name if it is among them, else the first of them."""
    names = tuple(there)
    return name if name is not None and name in names else names[0]


def _plain(names: Iterable[str]) -> list[list[str]]:
    return [[name, label_of(name)] for name in names]


def _catalog() -> tuple[Any, ...]:
    from workbench import methods

    return methods.catalog()


def _option(method: Any, model: Model, inputs: Inputs) -> Option:
    detail = (method.__doc__ or "").strip().partition("\n")[0].replace("`", "")
    reason = obstacle(method, model, inputs)
    if reason is not None and any(
        obstacle(other, model, inputs) is None for other in _others(method)
    ):
        reason = None  # it depends on a parameter, so the form must be reachable
    return Option(method.__name__, detail, reason or "")


def _others(method: Any) -> list[Any]:
    """The recipes that differ from the default in one parameter."""
    return [
        method(**{one.name: choice})
        for one in parameters(method)
        for choice in one.choices
        if choice != one.default
    ]


def _target_settled(choices: Choices, model: Model) -> Choices:
    count = len(model.outputs)
    first: ShownTarget = "predicted" if _has_prediction(model) else 0
    target = choices.target
    if target is None or (target == "predicted" and not _has_prediction(model)):
        target = first
    if isinstance(target, int) and target >= count:
        target = first
    against = choices.against
    if against is not None and (against >= count or against == target):
        against = None
    return replace(choices, target=target, against=against)


def _has_prediction(model: Model) -> bool:
    """Whether the highest score means something: not for a single output, nor for different units."""
    return len(model.outputs) > 1 and model.scale != "raw"


def _target_fields(choices: Choices, model: Model) -> tuple[Field, ...]:
    outputs: list[list[Any]] = [[j, label_of(name)] for j, name in enumerate(model.outputs)]
    predicted: list[list[Any]] = (
        [["predicted", "each row's prediction"]] if _has_prediction(model) else []
    )
    target: Field = {
        "name": "target",
        "label": "Explain",
        "kind": "choice",
        "options": predicted + outputs,
        "doc": f"in {model.scale}",
    }
    if len(outputs) == 1:
        return (target,)
    others = [one for one in outputs if one[0] != choices.target]
    against: Field = {
        "name": "against",
        "label": "Rather than",
        "kind": "choice",
        "options": [[None, "(nothing)"], *others],
        "doc": "why this and not that",
    }
    return target, against


_layers: WeakKeyDictionary[Model, tuple[str, ...]] = WeakKeyDictionary()


def _parameters(choices: Choices, model: Model, inputs: Inputs) -> tuple[Field, ...]:
    method = _named(choices)
    offered = {}
    if model.layers is not None and any(one.name == "layer" for one in parameters(method)):
        if model not in _layers:
            try:
                _layers[model] = tuple(model.layers(np.array(inputs.values[:1])))
            except WorkbenchError:
                _layers[
                    model
                ] = ()  # the names are only suggestions; the run itself will report the error
        offered["layer"] = _layers[model]
    return fields(method, offered, inputs.kind)


def _named(choices: Choices) -> Any:
    return next(method for method in _catalog() if method.__name__ == choices.method)


def _study(choices: Choices, model: Model, inputs: Inputs) -> tuple[Study, tuple[int, ...]]:
    chosen = positions(choices.rows or "", len(inputs))
    recipe: Method = recipe_from(_named(choices), choices.forms.get(choices.method or "", {}))
    target = Target(
        None if choices.target == "predicted" else _output(model, choices.target),
        None if choices.against is None else _output(model, choices.against),
    )
    return Study((model,), (recipe,), inputs[list(chosen)], (target,)), chosen


def _counted(study: Study) -> tuple[Rows | None, str]:
    """The study's model rows, and the same in words."""
    inputs, n = study.inputs, len(study.inputs)
    cut = max(1, MOST_PIXELS // int(np.prod(inputs.places)))
    if inputs.of_kind.shared_players or n <= cut:
        (count,) = evaluations(study)
        return count, rows_in_words(count)
    (some,) = evaluations(replace(study, inputs=inputs[:cut]))
    scaled = None if some is None else (some[0] * n // cut, some[1] * n // cut)
    return scaled, f"about {rows_in_words(scaled)}"


def _output(model: Model, position: Any) -> int | str:
    """An output by name, which reads best in code; by position where names repeat."""
    name = model.outputs[position]
    return name if model.outputs.count(name) == 1 else int(position)


def _code(bench: Bench, choices: Choices, study: Study, chosen: tuple[int, ...]) -> str:
    model = bench.code("models", str(choices.model))
    inputs = bench.code("inputs", str(choices.data))
    return (
        "import workbench as wb\n"
        "from workbench import data, methods\n"
        "\n"
        f"model = {model}\n"
        f"inputs = {inputs}{rows_as_code(chosen)}\n"
        f"{study_as_code(study)}"
    )


def study_as_code(study: Study) -> str:
    """The lines that make and run a study of one method and target, after `model` and `inputs`."""
    return (
        "study = wb.Study(\n"
        "    models=(model,),\n"
        f"    methods=({recipe_as_code(study.methods[0])},),\n"
        "    inputs=inputs,\n"
        f"    targets=({study.targets[0].code},),\n"
        ")\n"
        "attributions = tuple(wb.run(study))\n"
    )
