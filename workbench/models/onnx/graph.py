"""What an ONNX graph states about itself, and what is refused before a runtime sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.core import Scale, clean
from workbench.errors import InputError, UnsafeFileError, missing

# ONNX's own operators, and those of ONNX Runtime; any other would need a library to be loaded.
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})

_PROBABILITIES = frozenset({"Softmax", "Sigmoid", "ZipMap"})


def graph_of(name: str, data: bytes) -> Any:
    """The `onnx.ModelProto` in the bytes, once it is known to need nothing outside them.

    Raises:
        InputError: the bytes hold no ONNX model, or one with functions of its own.
        MissingDependency: onnx is not installed.
        UnsafeFileError: it needs operators of another library, or weights from other files.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise missing("onnx", f"The ONNX model {name!r}") from None
    try:
        proto = onnx.load_model_from_string(data)
    except (DecodeError, ValueError):
        proto = None
    if proto is None or not proto.ir_version or not proto.graph.node:
        raise InputError(
            f"The bytes of an ONNX model are needed for {name!r}, but these {len(data)} bytes hold none. "
            "Read them from an .onnx file, or pass an onnxruntime.InferenceSession."
        )
    if proto.functions:
        raise InputError(
            f"A graph of plain operators is needed, but model {name!r} defines {len(proto.functions)} "
            f"functions of its own (such as {clean(proto.functions[0].name)!r}). Inline them with "
            "onnx.inliner.inline_local_functions(model)."
        )
    foreign = sorted({node.domain for node in _nodes(proto.graph)} - _DOMAINS)
    if foreign:
        raise UnsafeFileError(
            f"Operators of ONNX or ONNX Runtime are needed, but model {name!r} uses those of "
            f"{[clean(domain) for domain in foreign[:5]]}, which are code of another library. Export it "
            "without them, or wrap a function of a session that you made yourself."
        )
    outside = [tensor.name for tensor in _weights(proto.graph) if tensor.data_location == 1]
    if outside:
        raise UnsafeFileError(
            f"A model whose weights are inside it is needed, but {name!r} keeps {len(outside)} elsewhere "
            f"(such as {clean(outside[0])!r}). Load it with onnx.load(path) and wrap what that gives."
        )
    return proto


def classes_of(proto: Any) -> tuple[str, ...]:
    """The class labels of a converted classifier, or () where the graph names none."""
    for node in _nodes(proto.graph):
        for attribute in node.attribute:
            if attribute.name.startswith(("classlabels", "classlabels_")):
                labels = attribute.ints or [
                    label.decode("utf-8", "replace") for label in attribute.strings
                ]
                if labels:
                    return tuple(clean(label) for label in labels)
    return ()


def scale_of(proto: Any, output: str) -> tuple[Scale, str] | None:
    """The unit of an output and why, read from the operator that computes it; None where unclear."""
    makers = {result: node for node in proto.graph.node for result in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in ("Identity", "Cast", "Reshape", "DequantizeLinear"):
        node = makers.get(node.input[0])
        if node is not None and node.op_type == "QuantizeLinear":
            node = makers.get(node.input[0])
    if node is None:
        return None
    if node.op_type in _PROBABILITIES:
        return "probability", f"its last operator is {node.op_type}"
    if node.op_type.endswith("Regressor"):
        return "raw", f"its last operator is {node.op_type}"
    return None


def _nodes(graph: Any) -> Iterator[Any]:
    """Every node, including those of branches and loops."""
    waiting = [graph]
    while waiting:
        for node in waiting.pop().node:
            yield node
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += list(attribute.graphs)


def _weights(graph: Any) -> Iterator[Any]:
    """Every stored tensor: initializers and constants, wherever they are."""
    waiting = [graph]
    while waiting:
        one = waiting.pop()
        yield from one.initializer
        for sparse in one.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in one.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += list(attribute.graphs)
