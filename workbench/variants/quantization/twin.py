"""A differentiable version of an int8 model's graph, and taps that carry the names of its layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Taps = tuple[tuple[str, str, str], ...]
"""A layer's name and type in the module, and the graph node that computes its output; inner ones first."""


def twin_of(graph: torch.fx.GraphModule) -> tuple[torch.fx.GraphModule, tuple[str, ...]]:
    """A graph with the same scores whose rounding passes gradients straight through, and its obstacles.

    Each pair quantize, dequantize becomes one step that runs both, and whose gradient is 1 within the range
    and 0 where it clips. Weights are shared with the original.

    Args:
        graph: what torchao's `convert_pt2e` gives.

    Returns:
        The twin, and the layers (with their operators) without such a counterpart: where there are any,
        gradients do not pass through them.

    Source: Bengio et al. 2013, Estimating or propagating gradients through stochastic neurons (the
        straight-through estimator).
        **Differs:** torch's own `fake_quantize` is not used. It rounds in another order of operations, and
        lays pictures of one channel out otherwise, so that a convolution adds in another order. Averages of
        pooling lie halfway between two steps again and again, where a last digit decides on the step.
    """
    from workbench.variants.quantization.rounding import straight_through

    return _with_rounding(graph, straight_through)


def smooth_of(graph: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """A graph whose scores are those of the int8 graph without its steps: values are clipped, not rounded.

    The twin's gradient can be the slope of this function; no gradient is the slope of a staircase.
    """
    from workbench.variants.quantization.rounding import clipped

    return _with_rounding(graph, clipped)[0]


def _with_rounding(
    graph: torch.fx.GraphModule, step: Callable[..., Any]
) -> tuple[torch.fx.GraphModule, tuple[str, ...]]:
    """A copy with `step` in place of each pair quantize, dequantize; and the operators that remain."""
    import torch

    rounding = torch.ops.quantized_decomposed
    twin = shared_copy(graph)
    for node in list(twin.graph.nodes):
        if node.target is not rounding.quantize_per_tensor.default:
            continue
        back = [
            user
            for user in node.users
            if user.target is rounding.dequantize_per_tensor.default
            and user.args[1:6] == node.args[1:6]
        ]
        with twin.graph.inserting_after(node):
            rounded = twin.graph.call_function(step, tuple(node.args[:6]))
        rounded.meta = dict(node.meta)
        for user in back:
            user.replace_all_uses_with(rounded)
            twin.graph.erase_node(user)
        if not node.users:
            twin.graph.erase_node(node)
    twin.graph.eliminate_dead_code()
    twin.recompile()
    # Values that are stored rounded, such as weights, pass no gradient of the rows.
    left = tuple(
        f"{layer_of(node)} ({node.target})"
        for node in twin.graph.nodes
        if _rounds(node) and any(one.op != "get_attr" for one in node.all_input_nodes)
    )
    return twin, left


def first_apart(
    graph: torch.fx.GraphModule, twin: torch.fx.GraphModule, given: torch.Tensor
) -> str:
    """The first layer whose values are not the same in both graphs, or "" where all are."""
    import torch

    ours, theirs = (_values(one, given) for one in (graph, twin))
    for node in graph.graph.nodes:
        same = node.op != "get_attr" and node.name in theirs
        if same and not torch.equal(ours[node.name], theirs[node.name]):
            return layer_of(node)
    return ""


def _values(graph: torch.fx.GraphModule, given: torch.Tensor) -> dict[str, torch.Tensor]:
    """The output of every node."""
    import torch

    found: dict[str, torch.Tensor] = {}

    class Noting(torch.fx.Interpreter):
        def run_node(self, node: Any) -> Any:
            value = super().run_node(node)
            if isinstance(value, torch.Tensor):
                found[node.name] = value
            return value

    with torch.no_grad():
        Noting(graph).run(given)
    return found


def layer_of(node: Any) -> str:
    """The module's layer that a node belongs to, by its name there; or the node's own name.

    The steps that a quantizer adds belong to the layer whose values they round.
    """
    at = node
    while at is not None:
        named = [name for name, _ in (at.meta.get("nn_module_stack") or {}).values() if name]
        if named:
            return repr(str(named[-1]).partition("@")[0])
        at = at.all_input_nodes[0] if at.all_input_nodes else None
    return repr(node.name)


def shared_copy(graph: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """A graph of its own over the same weights."""
    import torch

    nodes = torch.fx.Graph()
    given: Any = nodes.graph_copy(graph.graph, {}, return_output_node=True)
    nodes.output(given[0])
    # Shared, not copied: it describes how to call the graph, and copying torch's own causes warnings.
    nodes.set_codegen(graph.graph._codegen)
    copied = torch.fx.GraphModule(graph, nodes)
    copied.meta = dict(graph.meta)
    return copied


def taps_of(exported: torch.fx.GraphModule) -> Taps:
    """The places in an exported graph where the layers of the module give their outputs.

    A layer's output is what other nodes read from it, so layers with several outputs have no tap. A
    convolution followed by batch normalization will be merged with it: its node then gives the
    normalization's output, and carries its name.
    """
    import torch

    runs: dict[tuple[str, str, str], list[Any]] = {}
    for node in exported.graph.nodes:
        if node.op == "call_function":
            for key, (name, kind) in (node.meta.get("nn_module_stack") or {}).items():
                if name:
                    runs.setdefault((key, name, _last(kind)), []).append(node)
    merged = {
        node: node.args[0]
        for node in exported.graph.nodes
        if node.target is torch.ops.aten.batch_norm.default
        and node.args[0].target in _convolutions()
        and len(node.args[0].users) == 1
    }
    taps = []
    for (_, name, kind), nodes in runs.items():
        given = [node for node in nodes if set(node.users) - set(nodes)]
        if len(given) == 1 and given[0] not in merged.values():
            taps.append((name, kind, merged.get(given[0], given[0]).name))
    return tuple(sorted(taps, key=lambda tap: -tap[0].count(".")))


def tapped(graph: torch.fx.GraphModule, taps: Taps) -> torch.fx.GraphModule:
    """A copy over the same weights in which each layer's output passes a module of the layer's name.

    These modules do nothing, so the scores stay the same; hooks find them, as in the exported module.
    """
    copied = shared_copy(graph)
    nodes = {node.name: node for node in copied.graph.nodes}
    last = dict(nodes)  # the latest tap after a node
    for name, kind, at in taps:
        if at not in nodes:
            continue
        _make_tap(copied, name, kind)
        node = last[at]
        with copied.graph.inserting_after(node):
            tap = copied.graph.call_module(name, (node,))
        node.replace_all_uses_with(tap, delete_user_cb=lambda user, tap=tap: user is not tap)
        last[at] = tap
    copied.recompile()
    return copied


def _make_tap(graph: torch.fx.GraphModule, name: str, kind: str) -> None:
    """Puts a module that does nothing in place of the empty one that holds a layer's weights, if any.

    Its type has the name of the layer's own, which distinguishes pooling at the very end from a finer map.
    """
    from torch import nn

    here = dict(graph.named_modules()).get(name)
    if isinstance(here, nn.Identity):
        return
    tap = type(kind, (nn.Identity,), {})()
    if here is not None:
        tap._parameters, tap._buffers, tap._modules = (
            here._parameters,
            here._buffers,
            here._modules,
        )
    graph.add_submodule(name, tap)


def _last(kind: Any) -> str:
    """The bare name of a type, which export gives as text or as the type itself."""
    return (kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2]


def _rounds(node: Any) -> bool:
    return node.op == "call_function" and getattr(node.target, "namespace", "") in (
        "quantized_decomposed",
        "torchao",
    )


def _convolutions() -> tuple[Any, ...]:
    import torch

    aten = torch.ops.aten
    return (aten.conv1d.default, aten.conv2d.default, aten.conv3d.default)
