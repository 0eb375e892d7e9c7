"""`Study`: what to compute, as a value; `Cell`: one model by one method of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from workbench.core.codes import written
from workbench.core.inputs import Inputs
from workbench.core.method import Method, check_method
from workbench.core.model import Model
from workbench.core.result_writing import recipe_text
from workbench.core.target import Target
from workbench.errors import InputError


@dataclass(frozen=True, eq=False)
class Cell:
    """One model explained by one method, independent of other cells.

    Args:
        model: the model to explain.
        method: the recipe.
        inputs: the rows.
        targets: at least one; all of them come from the same pass.
    """

    model: Model
    method: Method
    inputs: Inputs
    targets: tuple[Target, ...] = (Target.predicted(),)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))
        _check_some(self.targets, "A cell", "targets")
        check_method(self.method)
        _check_rows(self.inputs, "A cell")

    @property
    def label(self) -> str:
        """Method and model in words."""
        return f"{type(self.method).__name__} of {self.model.name}"

    @property
    def study(self) -> Study:
        """The study of this cell alone."""
        return Study((self.model,), (self.method,), self.inputs, self.targets)

    def __repr__(self) -> str:
        return f"Cell({self.label}, {_count(self.targets, 'target')}, {self.inputs!r})"

    @cached_property
    def digest(self) -> str:
        """The sha256 of model, recipe, rows and targets: cells with one digest have the same answer.

        "" where the model's weights, a method of your own or a label cannot be hashed. A method counts by
        its class and fields, not by its code; versions of libraries do not count.
        """
        model = self.model
        if not model.digest:
            return ""
        try:
            recipes = [recipe_text(one) for one in (self.method, *self.targets)]
            labels = None if model.categories is None else written(model.categories)
            classes = None if model.classes is None else written({"": model.classes})
            rows = self.inputs.digest
        except InputError:
            return ""
        # The same weights may answer in logits or in probabilities, so the scale counts too.
        identity = [
            model.digest,
            model.outputs,
            model.scale,
            *([model.unit] if model.unit else []),
            model.kind,
            model.features,
            model.shape,
            labels,
            classes,
            model.opposite,
        ]
        described = json.dumps(
            [*identity, model.capabilities, rows, recipes], sort_keys=True, ensure_ascii=False
        )
        return hashlib.sha256(described.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, eq=False)
class Study:
    """Every model explained by every method, on the same rows, for the same targets.

    Args:
        models: at least one, with different names.
        methods: at least one.
        inputs: the rows.
        targets: at least one; each row's own prediction when left out.
    """

    models: tuple[Model, ...]
    methods: tuple[Method, ...]
    inputs: Inputs
    targets: tuple[Target, ...] = (Target.predicted(),)

    def __post_init__(self) -> None:
        for name in ("models", "methods", "targets"):
            given = getattr(self, name)
            items = (
                tuple(given)
                if isinstance(given, Iterable) and not isinstance(given, str)
                else (given,)
            )
            object.__setattr__(self, name, items)
            _check_some(items, "A study", name)
        for method in self.methods:
            check_method(method)
        for model in self.models:
            _check_is(model, Model, "models", "Wrap it: workbench.wrap(model, like=rows).")
        for target in self.targets:
            _check_is(target, Target, "targets", f"Write Target({target!r}).")
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise InputError(f"The models of a study need different names, but are called {names}.")
        _check_rows(self.inputs, "A study")

    @property
    def cells(self) -> tuple[Cell, ...]:
        """One per model and method, in the order of the run: models, then methods."""
        return tuple(
            Cell(model, method, self.inputs, self.targets)
            for model in self.models
            for method in self.methods
        )

    def __repr__(self) -> str:
        counts = (self.models, "model"), (self.methods, "method"), (self.targets, "target")
        return f"Study({' x '.join(_count(*one) for one in counts)}, {self.inputs!r})"

    def __len__(self) -> int:
        """How many attributions it makes: models x methods x targets."""
        return len(self.models) * len(self.methods) * len(self.targets)


def _count(items: tuple[object, ...], what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"


def _check_some(items: tuple[object, ...], who: str, what: str) -> None:
    if not items:
        raise InputError(f"{who} needs at least one of its {what}; none was given.")


def check_study(study: object) -> None:
    """Refuses anything but a `Study`, such as a model that was meant for `explain`.

    Raises:
        InputError: it is none.
    """
    if not isinstance(study, Study):
        raise InputError(
            f"A Study is needed, not a {type(study).__name__}. Write Study(models, methods, inputs, "
            "targets), or explain(model, rows, method, target) for one result."
        )


def _check_is(item: object, cls: type, what: str, advice: str) -> None:
    if not isinstance(item, cls):
        raise InputError(
            f"A study needs {cls.__name__} objects as its {what}, but one is a {type(item).__name__}. "
            f"{advice}"
        )


def _check_rows(inputs: Inputs, who: str) -> None:
    if not isinstance(inputs, Inputs):
        raise InputError(
            f"{who} needs Inputs, but was given a {type(inputs).__name__}. Read it: "
            "workbench.data.table(frame), or Inputs(array, kind=...)."
        )
    if len(inputs) == 0:
        raise InputError(f"{who} needs at least one row to explain, but the selection is empty.")
