"""Which channels of a network belong together, read from its graph as it runs on one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError
from workbench.variants.rewriting.channel_ops import (
    BINARY,
    NORMS,
    SAME_FUNCTIONS,
    SAME_METHODS,
    SAME_MODULES,
    appends_axes,
    described,
    flattens,
    reduced_places,
    sizes_alone,
)
from workbench.variants.rewriting.graph import Shapes, run_graph

Units = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a layer's tensors that runs over channels.

    Args:
        layer: the layer's name.
        tensors: names of its parameters and buffers with their axis.
        counts: its attributes that hold the length.
        units: the unit of each channel `(length,)`; channels with equal numbers stay or go together.
        writes: whether the layer makes these channels, and does not only read or pass them.
    """

    layer: str
    tensors: tuple[tuple[str, int], ...]
    counts: tuple[str, ...]
    units: Units
    writes: bool


@dataclass(frozen=True, eq=False)
class Channels:
    """A module's axes that run over channels, and what cannot be moved.

    Args:
        module: the copy that was read.
        axes: see `Axis`.
        pinned: per unit, whether the input, the output or a part that is not understood depends on it.
        whole: the parts that are not understood, in words.
    """

    module: nn.Module
    axes: tuple[Axis, ...]
    pinned: NDArray[np.bool_]
    whole: tuple[str, ...]

    @property
    def note(self) -> tuple[str, ...]:
        """A sentence about what was left unchanged, if anything."""
        if not self.whole:
            return ()
        return (
            f"Channels that reach {', '.join(self.whole)} were left as they are: what these do with single "
            "channels is not known.",
        )

    def movable(self) -> tuple[Axis, ...]:
        """The axes of layers that make channels, some of which can be moved or removed.

        Raises:
            IncompatibleError: there is none.
        """
        found = tuple(
            axis for axis in self.axes if axis.writes and not self.pinned[axis.units].all()
        )
        if not found:
            why = f" Not understood: {', '.join(self.whole)}." if self.whole else ""
            raise IncompatibleError(
                "A network with hidden channels is needed, whose every use is understood, but this one "
                f"has none: all channels reach the input, the output or such a part.{why} Use "
                "prune(model, share), which needs no graph."
            )
        return found


def read_channels(model: Model, module: nn.Module, rows: Inputs | None) -> Channels:
    """The channels of `module`, a copy of the model's own, as they run on one row.

    Channels of parts that are not understood stay unchanged: nothing is guessed.

    Raises:
        IncompatibleError: torch.fx cannot trace the module.
        InputError: no row is known to try it on.
    """
    graph, shapes = run_graph(model, module, rows)
    reader = _Reader(graph, shapes)
    for node in graph.graph.nodes:
        reader.visit(node)
    return reader.channels(module)


class _Reader:
    """Follows units through the nodes of a graph: union-find over the channels that layers make."""

    def __init__(self, graph: fx.GraphModule, shapes: Shapes) -> None:
        self.graph = graph
        self.shapes = shapes
        self.units: dict[fx.Node, Units] = {}
        self.axes: dict[tuple[str, str], Axis] = {}
        self.parent: list[int] = []
        self.fixed: list[bool] = []
        self.whole: list[str] = []
        self.parts = dict(graph.named_modules())
        owners: dict[int, int] = {}
        for part in graph.modules():
            for one in part._parameters.values():
                owners[id(one)] = owners.get(id(one), 0) + (one is not None)
        read = {
            str(node.target).rpartition(".")[0] for node in graph.graph.find_nodes(op="get_attr")
        }
        self.closed = {
            path
            for path, part in self.parts.items()
            if path in read
            or part._forward_hooks
            or part._forward_pre_hooks
            or any(owners[id(one)] > 1 for one in part._parameters.values() if one is not None)
        }

    def channels(self, module: nn.Module) -> Channels:
        """The result, with every unit under one number."""
        roots = np.array([self._root(i) for i in range(len(self.parent))], dtype=np.intp)
        pinned = np.array([self.fixed[root] for root in roots], dtype=np.bool_)
        axes = []
        for axis in self.axes.values():
            units = roots[axis.units]
            if axis.writes:  # a channel tied to another one of the same layer keeps its place
                values, counts = np.unique(units, return_counts=True)
                pinned[values[counts > 1]] = True
            axes.append(Axis(axis.layer, axis.tensors, axis.counts, units, axis.writes))
        return Channels(module, tuple(axes), pinned, tuple(dict.fromkeys(self.whole)))

    def visit(self, node: fx.Node) -> None:
        """Records the units of a node's output, and what its layer does with the units it reads."""
        if node.op in ("placeholder", "get_attr"):
            self._fresh(node, fixed=True)
        elif node.op == "output":
            for source in node.all_input_nodes:
                self._pin(source)
        elif not self._understood(node):
            makes = node.op == "call_module" and any(
                True for _ in self.parts[str(node.target)].parameters()
            )
            if makes or any(not self._all_fixed(source) for source in node.all_input_nodes):
                self.whole.append(described(node, self.parts))
            for source in node.all_input_nodes:
                self._pin(source)
            self._fresh(node, fixed=True)

    def _understood(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            return self._module(node)
        if node.target in BINARY:
            return self._binary(node)
        if node.target is torch.cat:
            return self._cat(node)
        if sizes_alone(node):
            return True
        source = node.args[0] if node.args else None
        if not isinstance(source, fx.Node) or node.all_input_nodes[0] is not source:
            return False
        if flattens(node, self.shapes):
            return self._flatten(node, source)
        same = node.target in (SAME_METHODS if node.op == "call_method" else SAME_FUNCTIONS)
        if same or appends_axes(node) or reduced_places(node, self.shapes):
            return len(node.all_input_nodes) == 1 and self._same(node, source)
        return False

    def _module(self, node: fx.Node) -> bool:
        path, source = str(node.target), node.args[0]
        part = self.parts[path]
        if not isinstance(source, fx.Node) or len(node.all_input_nodes) != 1 or path in self.closed:
            return False
        kind = type(part)
        if kind in SAME_MODULES or (kind is nn.PReLU and part.num_parameters == 1):
            return self._same(node, source)
        if kind is nn.Flatten:
            return flattens(node, self.shapes, part) and self._flatten(node, source)
        if kind in NORMS:
            names = ("weight", "bias", "running_mean", "running_var")
            return self._passes(node, source, names, ("num_features",))
        if kind is nn.PReLU:
            return self._passes(node, source, ("weight",), ("num_parameters",))
        layer = _LAYERS.get(kind)
        if layer is None or source not in self.units:
            return False
        if len(self.shapes[source]) != layer.ndim or len(self.shapes[node]) != layer.ndim:
            return False
        groups = getattr(part, "groups", 1)
        if groups > 1:
            alone = groups == part.in_channels == part.out_channels and layer.axis_in == 1
            counts = ("in_channels", "out_channels", "groups")
            return alone and self._passes(node, source, ("weight", "bias"), counts)
        what = "features" if kind is nn.Linear else "channels"
        self._axis(path, "in", (("weight", layer.axis_in),), (f"in_{what}",), self.units[source])
        made = self._axis(
            path, "out", (("weight", 1 - layer.axis_in), ("bias", 0)), (f"out_{what}",), None
        )
        self.units[node] = made
        return True

    def _passes(
        self, node: fx.Node, source: fx.Node, names: tuple[str, ...], counts: tuple[str, ...]
    ) -> bool:
        """A layer with a weight of its own for every channel."""
        path = str(node.target)
        if not self._same(node, source):
            return False
        if getattr(self.parts[path], counts[0]) != len(self.units[source]):
            return False
        self._axis(path, "pass", tuple((name, 0) for name in names), counts, self.units[source])
        return True

    def _axis(
        self,
        path: str,
        role: str,
        tensors: tuple[tuple[str, int], ...],
        counts: tuple[str, ...],
        units: Units | None,
    ) -> Units:
        """The units of a layer's axis; a layer that runs twice ties the channels of both runs."""
        part: Any = self.parts[path]
        known = self.axes.get((path, role))
        if known is not None:
            if units is not None:
                self._tie(known.units, units)
            return known.units
        if units is None:
            units = self._new(int(getattr(part, counts[0])), fixed=False)
        held = tuple(
            (name, axis) for name, axis in tensors if getattr(part, name, None) is not None
        )
        self.axes[path, role] = Axis(path, held, counts, units, role == "out")
        return units

    def _same(self, node: fx.Node, source: fx.Node) -> bool:
        """Every channel of the output depends only on the same channel of the source."""
        if source not in self.units or self.shapes.get(node, ())[:2] != self.shapes[source][:2]:
            return False
        self.units[node] = self.units[source]
        return True

    def _flatten(self, node: fx.Node, source: fx.Node) -> bool:
        """Channels with places become columns; all places of the first channel come first."""
        if source not in self.units:
            return False
        places = int(np.prod(self.shapes[source][2:], dtype=np.int64))
        self.units[node] = np.repeat(self.units[source], places)
        return True

    def _binary(self, node: fx.Node) -> bool:
        """Sums and products: the channels of both sides go together; a broadcast one stays in place."""
        shape = self.shapes.get(node, ())
        sides = [source for source in node.all_input_nodes if self.shapes.get(source)]
        if len(shape) < 2 or not sides or any(len(self.shapes[one]) != len(shape) for one in sides):
            return False
        full = [one for one in sides if self.shapes[one][1] == shape[1]]
        for one in sides:
            if one not in full:
                self._pin(one)
        for one in full[1:]:
            self._tie(self.units[full[0]], self.units[one])
        self.units[node] = self.units[full[0]]
        return True

    def _cat(self, node: fx.Node) -> bool:
        parts = node.args[0] if node.args else node.kwargs.get("tensors")
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        ndim = len(self.shapes[node])
        if not isinstance(parts, list | tuple) or dim not in (1, 1 - ndim) or ndim < 2:
            return False
        if not all(isinstance(one, fx.Node) and one in self.units for one in parts):
            return False
        self.units[node] = np.concatenate([self.units[one] for one in parts])
        return True

    def _fresh(self, node: fx.Node, *, fixed: bool) -> None:
        shape = self.shapes.get(node, ())
        if len(shape) > 1:
            self.units[node] = self._new(shape[1], fixed=fixed)

    def _new(self, count: int, *, fixed: bool) -> Units:
        start = len(self.parent)
        self.parent.extend(range(start, start + count))
        self.fixed.extend([fixed] * count)
        return np.arange(start, start + count)

    def _root(self, unit: int) -> int:
        while self.parent[unit] != unit:
            self.parent[unit] = self.parent[self.parent[unit]]
            unit = self.parent[unit]
        return unit

    def _tie(self, some: Units, others: Units) -> None:
        for one, other in zip(some, others, strict=True):
            first, second = self._root(int(one)), self._root(int(other))
            self.parent[second] = first
            self.fixed[first] = self.fixed[first] or self.fixed[second]

    def _pin(self, node: fx.Node) -> None:
        for unit in self.units.get(node, ()):
            self.fixed[self._root(int(unit))] = True

    def _all_fixed(self, node: fx.Node) -> bool:
        return all(self.fixed[self._root(int(unit))] for unit in self.units.get(node, ()))


@dataclass(frozen=True)
class _Layer:
    """The number of axes of a layer's input, and the axis of its weight that reads channels."""

    ndim: int
    axis_in: int


_LAYERS: dict[type, _Layer] = {
    nn.Linear: _Layer(2, 1),
    nn.Conv1d: _Layer(3, 1),
    nn.Conv2d: _Layer(4, 1),
    nn.Conv3d: _Layer(5, 1),
    nn.ConvTranspose1d: _Layer(3, 0),
    nn.ConvTranspose2d: _Layer(4, 0),
    nn.ConvTranspose3d: _Layer(5, 0),
}

Layout = Callable[[Units], NDArray[np.intp]]
"""From the units of an axis `(length,)` to the positions to keep, in their new order."""


def relaid(channels: Channels, layout: Layout) -> None:
    """Rearranges every axis of the module in place: the tensors, and the numbers that state lengths."""
    parts = dict(channels.module.named_modules())
    for axis in channels.axes:
        part: Any = parts[axis.layer]
        order = layout(axis.units)
        if len(order) == len(axis.units) and (order == np.arange(len(order))).all():
            continue
        for name, dim in axis.tensors:
            old: torch.Tensor = getattr(part, name)
            index = torch.from_numpy(np.ascontiguousarray(order)).to(old.device)
            new = old.detach().index_select(dim, index).contiguous()
            if name in part._parameters:
                part._parameters[name] = nn.Parameter(new, requires_grad=old.requires_grad)
            else:
                part._buffers[name] = new
        for name in axis.counts:
            setattr(part, name, len(order))
