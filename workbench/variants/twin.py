"""The graph of an int8 model made differentiable, and taps that name its layers after the module's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Taps = tuple[tuple[str, str, str], ...]
"""A layer's name and type in the module, and the graph node that computes its output; inner ones first."""


def twin_of(graph: torch.fx.GraphModule) -> tuple[torch.fx.GraphModule, tuple[str, ...]]:
    """A graph of the same scores whose rounding passes gradients straight through, and what is in the way.

    Each pair quantize, dequantize becomes one `fake_quantize`, which computes the same numbers and has a
    gradient: 1 within the range and 0 where it clips. Weights are shared with the original.

    Args:
        graph: what torchao's `convert_pt2e` gives.

    Returns:
        The twin, and the names of operators that have no such counterpart: where there are any, gradients
        do not pass them.

    Source: Bengio et al. 2013, Estimating or propagating gradients through stochastic neurons (the
        straight-through estimator).
    """
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
            and user.args[1:5] == node.args[1:5]
        ]
        with twin.graph.inserting_after(node):
            rounded = twin.graph.call_function(
                torch.fake_quantize_per_tensor_affine, tuple(node.args[:5])
            )
        for user in back:
            user.replace_all_uses_with(rounded)
            twin.graph.erase_node(user)
        if not node.users:
            twin.graph.erase_node(node)
    twin.recompile()
    left = tuple(
        f"{node.target}"
        for node in twin.graph.nodes
        if _rounds(node) and node.target is not rounding.dequantize_per_channel.default
    )
    return twin, left


def shared_copy(graph: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """A graph of one's own over the same weights."""
    import torch

    nodes = torch.fx.Graph()
    given: Any = nodes.graph_copy(graph.graph, {}, return_output_node=True)
    nodes.output(given[0])
    # Shared, not copied: it says how to call the graph, and copying torch's own warns.
    nodes.set_codegen(graph.graph._codegen)
    copied = torch.fx.GraphModule(graph, nodes)
    copied.meta = dict(graph.meta)
    return copied


def taps_of(exported: torch.fx.GraphModule) -> Taps:
    """Where in an exported graph the layers of the module give their outputs.

    A layer's output is what others read of it, so layers of several outputs have no tap. A convolution
    that batch normalization follows will be one with it: its node then gives what the normalization gave,
    and goes by that name.
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
    last = dict(nodes)  # the latest tap behind a node
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
    """Puts a module that does nothing in the place of the empty one that holds a layer's weights, if any.

    Its type has the name of the layer's own, by which pooling at the very end is told from a finer map.
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
    """The bare name of a type that export gives as text or as the type itself."""
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
