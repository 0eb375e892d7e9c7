"""The catalog of compressors: what each is called, what its level means, and when it does not apply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

from workbench.core import Inputs, Model
from workbench.errors import InputError, MissingDependency
from workbench.variants.applies import (
    Applies,
    for_batch_norm,
    for_fewer_trees,
    for_leaves,
    for_pruned_trees,
    for_tables,
    for_torch,
)

Level = float | str | None
"""How far a recipe goes; None for a recipe that has no level."""

_EXTRAS = {"torchao": "compress", "onnx": "onnx", "onnxruntime": "onnx", "onnxscript": "onnx"}


@dataclass(frozen=True)
class Recipe:
    """One way to make a copy of a model: a public function of `workbench.variants` and its arguments.

    >>> recipe("prune").code("model", 0.5)
    'variants.prune(model, 0.5, rows=inputs)'

    Args:
        name: unique in the catalog.
        title: what menus call it.
        function: the function of `workbench.variants` that it calls.
        level: what the level means, or "" where there is none.
        levels: the levels that are tried unless others are asked for, from gentle to harsh.
        parameter: the keyword of the level; "" where it stands right after the model.
        fixed: further keywords and their values.
        rows_as: what the rows are to the function: `calibration` and `inputs` stand right after the
            model, `rows` is the keyword of rows to try both models on.
        needs_rows: whether it cannot do without rows.
        applies: the reason why a model cannot be changed like this, or None.
        modules: the modules it needs beyond the core.
    """

    name: str
    title: str
    function: str
    level: str
    levels: tuple[Level, ...]
    parameter: str = ""
    fixed: tuple[tuple[str, Any], ...] = ()
    rows_as: Literal["calibration", "inputs", "rows"] = "rows"
    needs_rows: bool = False
    applies: Applies = for_torch
    modules: tuple[str, ...] = ()

    def make(self, model: Model, level: Level, rows: Inputs | None = None) -> Model:
        """The copy of `model` at this level.

        Raises:
            InputError: it needs rows and has none.
            MissingDependency: a library it needs is not installed.
            WorkbenchError: whatever the function refuses.
        """
        self._check(model, rows)
        positional, named = self._arguments(level, rows)
        copy: Model = self._function()(model, *positional, **named)
        return copy

    def steps(self, model: Model, level: Level, rows: Inputs | None = None) -> Iterator[Any] | None:
        """The same as a generator of epochs, each with `.label` and `.model()`; None where it has none."""
        from workbench import variants

        generator = getattr(variants, f"{self.function}_steps", None)
        if generator is None:
            return None
        self._check(model, rows)
        positional, named = self._arguments(level, rows)
        epochs: Iterator[Any] = generator(model, *positional, **named)
        return epochs

    def code(self, model: str, level: Level, rows: str = "inputs") -> str:
        """The call as code.

        Args:
            model: an expression for the model.
            level: the level, or None without one.
            rows: an expression for the rows; "" for none, where they are not needed.
        """
        positional, named = self._arguments(level, _Code(rows) if rows else None)
        words = [
            model,
            *map(repr, positional),
            *(f"{key}={value!r}" for key, value in named.items()),
        ]
        return f"variants.{self.function}({', '.join(words)})"

    def obstacle(self, model: Model) -> str | None:
        """Why this cannot be done to the model, as a sentence that says what to do; None if it can."""
        return self._missing() or self.applies(model)

    def _arguments(self, level: Level, rows: Any) -> tuple[list[Any], dict[str, Any]]:
        given = rows is not None
        positional = [rows] if given and self.rows_as != "rows" else []
        named: dict[str, Any] = {}
        if self.level and not self.parameter:
            positional.append(level)
        elif self.level:
            named[self.parameter] = level
        named |= dict(self.fixed)
        if given and self.rows_as == "rows":
            named["rows"] = rows
        return positional, named

    def _check(self, model: Model, rows: Inputs | None) -> None:
        if missing := self._missing():
            raise MissingDependency(missing)
        if self.needs_rows and rows is None:
            what = {"calibration": "calibration", "inputs": "training"}.get(self.rows_as, "some")
            raise InputError(
                f"{self.title} of {model.name!r} needs {what} rows, and there are none. Give rows=inputs, "
                "rows such as the model was trained on."
            )

    def _missing(self) -> str | None:
        absent = [module for module in self.modules if find_spec(module) is None]
        if not absent:
            return None
        extra = _EXTRAS[absent[0]]
        return (
            f"{self.title} needs {', '.join(absent)}, which is not installed. Run: "
            f'pip install "explainability-workbench[{extra}]"'
        )

    def _function(self) -> Any:
        from workbench import variants

        return getattr(variants, self.function)


class _Code:
    """An expression that prints as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        InputError: there is none; names those there are.
    """
    found = {one.name: one for one in recipes()}
    if name not in found:
        raise InputError(f"There is no recipe {name!r}. There are {', '.join(map(repr, found))}.")
    return found[name]


_BITS = "bits per weight"
_ZEROS = "share of weights set to zero"


@cache
def recipes() -> tuple[Recipe, ...]:
    """Every compressor, in the order menus list them.

    >>> [one.name for one in recipes()][:3]
    ['quantize', 'cast', 'quantize_weights']
    """
    return (*_quantization(), *_pruning(), *_training(), *_trees(), *_rewrites())


def _quantization() -> tuple[Recipe, ...]:
    return (
        Recipe(
            "quantize",
            "Quantize and dequantize",
            "quantize",
            _BITS,
            (8, 4, 3),
            parameter="weight_bits",
            rows_as="calibration",
            needs_rows=True,
        ),
        Recipe("cast", "Half precision", "cast", "number format", ("bfloat16", "float16")),
        Recipe(
            "quantize_weights",
            "Weight-only integers (torchao)",
            "quantize_weights",
            _BITS,
            (8, 4),
            parameter="bits",
            modules=("torchao",),
        ),
        Recipe(
            "quantize_dynamic",
            "Dynamic int8 (torchao)",
            "quantize_dynamic",
            "",
            (None,),
            modules=("torchao",),
        ),
        Recipe(
            "quantize_static",
            "Static int8 (torchao, PT2E)",
            "quantize_static",
            "",
            (None,),
            rows_as="calibration",
            needs_rows=True,
            modules=("torchao",),
        ),
        Recipe(
            "quantize_onnx",
            "Static int8 (ONNX Runtime)",
            "quantize_onnx",
            "",
            (None,),
            rows_as="calibration",
            needs_rows=True,
            modules=("onnx", "onnxruntime", "onnxscript"),
        ),
    )


def _pruning() -> tuple[Recipe, ...]:
    sparse = (0.3, 0.5, 0.7, 0.9)
    return (
        Recipe("prune", "Magnitude pruning", "prune", _ZEROS, sparse),
        Recipe(
            "prune_random",
            "Random pruning (the control)",
            "prune",
            _ZEROS,
            sparse,
            fixed=(("by", "random"),),
        ),
        Recipe(
            "prune_attribution",
            "Attribution-ranked pruning",
            "prune",
            _ZEROS,
            sparse,
            fixed=(("by", "attribution"),),
            needs_rows=True,
        ),
        Recipe(
            "prune_channels",
            "Channels removed",
            "prune_channels",
            "share of channels removed",
            (0.25, 0.5, 0.75),
        ),
        Recipe("prune_2_of_4", "2 of 4 pruning", "prune_2_of_4", "", (None,)),
        Recipe(
            "low_rank",
            "Low rank",
            "low_rank",
            "kept share of the squared singular values",
            (0.99, 0.9, 0.7),
            parameter="energy",
        ),
    )


def _training() -> tuple[Recipe, ...]:
    return (
        Recipe(
            "repair",
            "Pruning, then repair by fine-tuning",
            "prune_and_repair",
            _ZEROS,
            (0.5, 0.7, 0.9),
            rows_as="inputs",
            needs_rows=True,
        ),
        Recipe(
            "distill",
            "Distillation into a narrower network",
            "distill",
            "width, as a share of the hidden channels",
            (0.75, 0.5, 0.25),
            parameter="width",
            rows_as="inputs",
            needs_rows=True,
        ),
        Recipe(
            "distill_to_tree",
            "Distillation into a tree",
            "distill_to_tree",
            "depth of the tree",
            (8, 5, 3),
            parameter="depth",
            rows_as="inputs",
            needs_rows=True,
            applies=for_tables,
        ),
        Recipe(
            "distill_to_linear",
            "Distillation into a linear model",
            "distill_to_linear",
            "",
            (None,),
            rows_as="inputs",
            needs_rows=True,
            applies=for_tables,
        ),
    )


def _trees() -> tuple[Recipe, ...]:
    return (
        Recipe(
            "fewer_trees",
            "Fewer trees",
            "fewer_trees",
            "share of trees kept",
            (0.5, 0.25, 0.1),
            applies=for_fewer_trees,
        ),
        Recipe(
            "prune_trees",
            "Cost-complexity pruning",
            "prune_trees",
            "share of leaves kept",
            (0.75, 0.5, 0.25),
            parameter="keep",
            applies=for_pruned_trees,
        ),
        Recipe(
            "quantize_leaves",
            "Rounded leaves",
            "quantize_leaves",
            "bits per leaf value",
            (8, 4, 2),
            parameter="bits",
            applies=for_leaves,
        ),
    )


def _rewrites() -> tuple[Recipe, ...]:
    return (
        Recipe(
            "fold_batch_norm",
            "Folded batch norm (changes nothing)",
            "fold_batch_norm",
            "",
            (None,),
            applies=for_batch_norm,
        ),
        Recipe(
            "static_graph",
            "Static graph (changes nothing)",
            "static_graph",
            "how the graph is taken",
            ("trace", "export", "compile"),
        ),
    )
