"""A module as a graph over its own parts, and the shapes of all tensors in it."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn

from workbench.core import Inputs, Model, clean
from workbench.errors import IncompatibleError, InputError
from workbench.models.asking import first_line
from workbench.models.torch import as_found, engine_of, remade
from workbench.variants.record import rows_to_try

Shapes = dict[fx.Node, tuple[int, ...]]
"""The shape of every node that is a tensor."""


def run_graph(
    model: Model, module: nn.Module, rows: Inputs | None
) -> tuple[fx.GraphModule, Shapes]:
    """The graph of `module`, a copy of the model's own, and the shapes when it runs on one row, twice.

    Raises:
        IncompatibleError: torch.fx cannot trace the module.
        InputError: no row is known to try it on.
    """
    given = first_batch(model, module, rows)
    graph = traced(model.name, module)
    with as_found(module, model.name), torch.no_grad():
        shapes = _Shapes(graph)
        answer = shapes.run(*(one.clone() for one in given))  # the module may write into them
        expected = module(*given)
    if isinstance(answer, torch.Tensor) and not torch.equal(answer, expected):
        raise IncompatibleError(
            f"A network that computes the same at every call is needed, but {model.name!r} answers "
            "otherwise as a graph. Use prune(model, share), which needs no graph."
        )
    return graph, shapes.found


def traced(name: str, module: nn.Module) -> fx.GraphModule:
    """The module as a graph over its own parts.

    Raises:
        IncompatibleError: its forward depends on values, or does something that torch.fx cannot follow.
    """
    tracer = fx.Tracer()
    with as_found(module, name):
        try:
            return fx.GraphModule(module, tracer.trace(module))
        except (
            AttributeError,
            LookupError,
            NotImplementedError,
            RuntimeError,
            TypeError,
            ValueError,  # torch.fx's own TraceError among them
        ) as error:
            raise IncompatibleError(
                f"A network whose forward torch.fx can trace is needed, but that of {name!r} cannot be: "
                f"{clean(first_line(error))} Replace control flow that depends on values, or use "
                "prune(model, share), which needs no graph."
            ) from error


def first_batch(model: Model, module: nn.Module, rows: Inputs | None) -> tuple[Any, ...]:
    """The module's input for the first row, taken twice, so that no length is 1 by chance."""
    tried = rows_to_try(model, rows)
    if tried is None:
        raise InputError(
            f"A row to run model {model.name!r} on is needed, but none is known. Give rows=inputs, or wrap "
            "it with like=inputs."
        )
    engine_of(model).prepared(tried[:1])  # refuses a module that reads several tensors
    seen: list[tuple[Any, ...]] = []
    handle = module.register_forward_pre_hook(lambda _, given: seen.append(given))
    try:
        engine_of(remade(model, module, name=model.name)).predict(tried[[0, 0]])
    finally:
        handle.remove()
    return seen[-1]


class _Shapes(fx.Interpreter):
    """Runs a graph and keeps the shape of every tensor."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.found: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Runs the node as the interpreter does, and records the shape of its output."""
        answer = super().run_node(n)
        if isinstance(answer, torch.Tensor):
            self.found[n] = tuple(answer.shape)
        return answer
