"""Static graphs: the same network as TorchScript, an exported program, or compiled code."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from workbench.core import Inputs, Model, clean
from workbench.errors import IncompatibleError, InputError, MissingDependency
from workbench.models.asking import first_line
from workbench.models.torch import as_found, remade
from workbench.variants.recipes import Recipe
from workbench.variants.record import copied, recorded, running

if TYPE_CHECKING:
    import torch

Graph = Literal["trace", "export", "compile"]
"""How the graph is taken: `torch.jit.trace`, `torch.export`, or `torch.compile` at the first call."""

_MOST_ROWS = 65_536  # torch.export wants a bound for the number of rows; no batch here comes near


def static_graph(
    model: Model, graph: Graph = "trace", *, rows: Inputs | None = None, name: str | None = None
) -> Model:
    """A copy that computes the same as a static graph: its scores differ by rounding at most.

    All three pass gradients. The outputs of single layers cannot be seen inside a graph, so class
    activation maps are not offered. A traced graph holds the branches that one row took; an exported one
    reads only rows of exactly this shape.

    Args:
        graph: see `Graph`. "compile" needs a C++ compiler, and its first calls take seconds to minutes.
        rows: to trace or export the graph with, and to try both models on; else those it was wrapped for.
        name: of the copy.

    Raises:
        InputError: another word; no row is known.
        IncompatibleError: the module cannot be traced or exported.
        MissingDependency: "compile" without a C++ compiler.
    """
    if graph not in get_args(Graph):
        raise InputError(f"graph must be one of {list(get_args(Graph))}, not {graph!r}.")
    if graph == "compile":
        _need_compiler()
    module = copied(model)
    label = name or f"{model.name}, {graph}"
    with _remembered() as fixed:
        made = _taken(model, module, graph, rows)
    notes = (
        (
            f"Decisions fixed by the row it was traced on: {len(fixed)}, each a line of its code. Where "
            "such decisions depend on values, other rows may get other scores than the original's.",
        )
        if fixed
        else ()
    )
    reason = (
        f"What single layers compute cannot be seen in a graph made by torch's {graph}: explain the model "
        "it was made from, which computes the same."
    )
    again = remade(model, made, name=label)
    copy = replace(
        again,
        activations=None,
        feature_maps=None,
        layers=None,
        absent={**again.absent, "activations": reason, "feature_maps": reason},
    )
    words = {
        "trace": "TorchScript, by torch.jit.trace",
        "export": "an exported program, by torch.export",
        "compile": "compiled code, by torch.compile",
    }
    return recorded(
        copy,
        model,
        recipe=f"static_graph(model, {graph!r})",
        description=f"the same network as {words[graph]}",
        runs_as=f"{running(module)}, {graph}",
        touched=1,
        layers=1,
        rows=rows,
        notes=notes,
    )


@contextmanager
def _remembered() -> Iterator[set[tuple[str, int]]]:
    """The lines at which torch's tracer saw a value become a Python number or a decision.

    Torch warns about them; as a note, the warning reaches the copy's users.
    """
    import torch

    tracers: type[Warning] = torch.jit.TracerWarning  # type: ignore[attr-defined]  # not in its stubs
    lines: set[tuple[str, int]] = set()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", tracers)
        # Recurrent layers assign their weights again while they run; the graph holds them once.
        warnings.filterwarnings("ignore", "The tensor attributes .* were assigned", UserWarning)
        yield lines
    for one in seen:
        if issubclass(one.category, tracers):
            lines.add((one.filename, one.lineno))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def _taken(model: Model, module: torch.nn.Module, graph: Graph, rows: Inputs | None) -> Any:
    import torch

    from workbench.variants.rewriting.graph import first_batch

    with warnings.catch_warnings():
        # torch.jit is deprecated but works; torch.compile itself imports it.
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        if graph == "compile":
            return torch.compile(module, dynamic=True)
        given = first_batch(model, module, rows)
        return _captured(model.name, module, graph, given)


def _captured(
    name: str, module: torch.nn.Module, graph: Graph, given: tuple[torch.Tensor, ...]
) -> Any:
    import torch

    with as_found(module, name):
        try:
            if graph == "trace":
                # The check runs the module again and warns about kernels that add in another order.
                return torch.jit.trace(module, given, check_trace=False)  # type: ignore[no-untyped-call]
            free = {0: torch.export.Dim("rows", min=1, max=_MOST_ROWS)}
            return torch.export.export(module, given, dynamic_shapes=(free,)).module()
        except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError) as error:
            raise IncompatibleError(
                f"A network that torch's {graph} can take as a graph is needed, but {name!r} cannot "
                f"be: {clean(first_line(error))} Try another of {list(get_args(Graph))}."
            ) from error


def _need_compiler() -> None:
    """Inductor writes C++ on CPUs; without a compiler its first call fails deep inside torch."""
    if not any(shutil.which(one) for one in ("g++", "c++", "clang++", "cl")):
        raise MissingDependency(
            "torch.compile needs a C++ compiler, but neither g++, c++, clang++ nor cl was found. Install "
            "one (on Debian: apt install g++), or use static_graph(model, 'export')."
        )


RECIPE = Recipe(
    "static_graph",
    "Static graph (changes nothing)",
    "static_graph",
    "how the graph is taken",
    ("trace", "export", "compile"),
    order=51,
)
