"""A module's graph of derivatives after one forward pass: only read, nothing is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.models.torch.layer_outputs import each_layer, tensors_in

if TYPE_CHECKING:
    import torch

# Straight-through rounding: its gradient is a convention, so it has to be tried.
_BY_CONVENTION = "FakeQuantize"


@dataclass
class Scan:
    """What one pass showed; later passes are not watched.

    Args:
        tracked: whether the scores have a graph at all.
        connected: whether the graph reaches the leaf through operators that have a derivative.
        missing: operators on the way without a derivative.
        odd: what else makes a wrong gradient possible, in words; if empty, nothing need be checked.
        done: whether the pass is over.
        ways: the layers that ran, with the graph nodes of their outputs; emptied when the graph is read.
    """

    tracked: bool = True
    connected: bool = True
    missing: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    done: bool = False
    ways: list[tuple[str, list[Any]]] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every operator that the graph lists between leaf and scores has a derivative."""
        return self.tracked and self.connected and not self.missing

    @property
    def fault(self) -> str:
        """Why the graph is not whole, as a sentence; "" where it is."""
        if not self.tracked:
            return "The scores carry no graph of derivatives."
        if self.missing:
            way = "on one of several ways" if self.connected else "on the way"
            return f"An operator without a derivative is {way} ({', '.join(self.missing)})."
        if not self.connected:
            return "The graph of derivatives does not reach the rows."
        return ""

    def read(self, scores: torch.Tensor, leaf: torch.Tensor) -> Scan:
        """Walk the graph from the scores back to the leaf, once."""
        import torch

        if self.done:
            return self
        self.done = True
        self.tracked = scores.grad_fn is not None
        self.connected = False
        waiting: list[Any] = [scores.grad_fn]
        seen: set[Any] = set()
        missing: set[str] = set()
        odd: set[str] = set()
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if getattr(node, "variable", None) is leaf:
                self.connected = True
                continue
            name = node.name()
            if "NotImplemented" in name:
                missing.add(name.rsplit("::", 1)[-1])
                continue
            if isinstance(node, torch.autograd.function.BackwardCFunction):
                odd.add(f"a derivative written by hand ({name})")
            elif _BY_CONVENTION in name:
                odd.add(f"straight-through rounding ({name})")
            waiting += [before for before, _ in node.next_functions]
        self.missing = tuple(sorted(missing))
        # A layer that ran, but to whose nodes the scores do not lead, was cut off behind it.
        for layer, nodes in self.ways:
            if not any(node in seen for node in nodes):
                odd.add(f"layer {layer!r}, which the graph of the scores does not lead to")
        self.ways.clear()
        self.odd += tuple(sorted(odd))
        return self


@contextmanager
def watching(module: torch.nn.Module, scan: Scan | None, *, behind: bool = False) -> Iterator[None]:
    """Records, in a first forward pass, the parts that block a gradient; removes its hooks.

    Args:
        module: the module that runs.
        scan: where the parts are recorded; nothing happens without one, or once it is done.
        behind: whether only the part after a layer is differentiated, so that earlier parts have no graph.
    """
    if scan is None or scan.done:
        yield
        return
    odd: set[str] = set(_unusual_weights(module))

    def see(name: str, part: torch.nn.Module, given: Any, out: Any) -> None:
        floats = [one for one in tensors_in(out) if one.is_floating_point()]
        lost = bool(floats) and not any(one.requires_grad for one in floats)
        reached = any(one.requires_grad for one in tensors_in(given))
        nodes = [one.grad_fn for one in floats if one.grad_fn is not None]
        if nodes:
            scan.ways.append((name, nodes))
        if lost and (reached or (not behind and _weighted(part))):
            odd.add(f"layer {name!r}, which gives numbers without a derivative")

    # Compiled code would compile the hooks too.
    with nullcontext() if compiled(module) else each_layer(module, see):
        yield
    scan.odd = tuple(sorted(odd))


def compiled(module: torch.nn.Module) -> bool:
    """Whether the module, or a part of it, came from `torch.compile`."""
    return any(type(part).__name__ == "OptimizedModule" for part in module.modules())


def _weighted(part: torch.nn.Module) -> bool:
    return any(True for _ in part.parameters())


def _unusual_weights(module: torch.nn.Module) -> Iterator[str]:
    """Weights that are not plain floating tensors, and graphs that quantize; each is named once."""
    import torch

    plain = (torch.Tensor, torch.nn.Parameter)
    integers = (torch.int8, torch.uint8, torch.qint8, torch.quint8)
    tensors = [*module.parameters(), *module.buffers()]
    for kind in sorted({type(one).__name__ for one in tensors if type(one) not in plain}):
        yield f"weights of the type {kind}"
    if any(one.dtype in integers and one.numel() > 1 for one in tensors):
        yield "weights of whole numbers"
    if any(".quantized" in type(part).__module__ for part in module.modules()):
        yield "layers that compute in whole numbers"
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        yield "parts in TorchScript, whose layers cannot be watched"
    if compiled(module):
        yield "compiled parts, whose layers cannot be watched"
    graphs = [part.graph for part in module.modules() if isinstance(part, torch.fx.GraphModule)]
    steps = [str(node.target) for graph in graphs for node in graph.nodes]
    if any("quantize" in step for step in steps):
        yield "a graph that quantizes"
    if any("detach" in step for step in steps):
        yield "a graph that cuts derivatives off (detach)"
