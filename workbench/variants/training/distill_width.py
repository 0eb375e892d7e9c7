"""A student built from its teacher: the same network with fewer hidden channels, not yet trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.core import clean
from workbench.errors import IncompatibleError, InputError, WorkbenchError
from workbench.models.asking import first_line
from workbench.models.torch import device_of, module_copy

if TYPE_CHECKING:
    import torch

_CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
_TRANSPOSED = ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
_CHANNEL_NORMS = tuple(f"{kind}Norm{d}d" for kind in ("Batch", "Instance") for d in (1, 2, 3))
_MIXING = ("Linear", *_CONVOLUTIONS, *_TRANSPOSED)
_KNOWN = (*_MIXING, *_CHANNEL_NORMS, "GroupNorm", "LayerNorm", "PReLU")


def narrowed(
    module: torch.nn.Module, batch: torch.Tensor, width: float, *, seed: int, name: str
) -> torch.nn.Module:
    """The same network with `width` times the channels of every hidden layer, freshly initialized.

    The network is traced, and each layer is built anew when the batch reaches it: its input shows how many
    channels it reads, and it gives `width` times as many as before, at least one. Layers that are separated
    from the output only by normalizations, activations and pooling keep theirs. Layers keep their names.

    Args:
        module: in evaluation mode; read, not changed.
        batch: some rows in the form that the module reads.
        width: above 0, at most 1.
        seed: of the new weights.
        name: what messages call the model.

    Raises:
        IncompatibleError: a part that cannot be traced or built anew; the message names it.
        InputError: a width out of range, or no hidden layer.
    """
    import torch
    from torch import fx

    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width <= 1:
        raise InputError(
            f"width is a share of the hidden channels, above 0 and at most 1, not {width!r}. Take 0.5."
        )
    nothing = InputError(
        f"A narrower network needs hidden layers, but {name!r} has none between its rows and its "
        "outputs. Give student=a module of your own."
    )
    if not any(True for _ in module.children()):
        raise nothing
    student = module_copy(module)
    try:
        graph = fx.Tracer().trace(student)
    except (fx.proxy.TraceError, TypeError, RuntimeError, AttributeError, ValueError) as error:
        raise _refused(name, f"torch.fx cannot follow it: {clean(first_line(error))}") from error
    kept = _last_layers(graph, student)
    device = device_of(module)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
        torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
        try:
            scaled = _rebuilt(student, graph, batch, float(width), kept, name)
        except (RuntimeError, ValueError, IndexError, TypeError, KeyError) as error:
            if isinstance(error, WorkbenchError):
                raise
            raise _refused(
                name,
                f"with {width:g} times the channels it fails: {clean(first_line(error))} Something in its "
                "forward counts on the old number",
            ) from error
    if not scaled:
        raise nothing
    for part in student.modules():
        part.training = False
    return student


def _refused(name: str, why: str) -> IncompatibleError:
    return IncompatibleError(
        f"A student of another width needs a network whose layers can be built anew, but for {name!r} "
        f"{why}. Give student=a module of your own."
    )


def _last_layers(graph: torch.fx.Graph, module: torch.nn.Module) -> set[int]:
    """The layers that mix channels and have no other layer of that kind between them and the output."""
    named = dict(module.named_modules(remove_duplicate=False))
    found: set[int] = set()
    seen = set()
    pending = [node for node in graph.nodes if node.op == "output"]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        layer = named.get(str(node.target)) if node.op == "call_module" else None
        if layer is not None and type(layer).__name__ in _MIXING:
            found.add(id(layer))
        else:
            pending += node.all_input_nodes
    return found


def _rebuilt(
    student: torch.nn.Module,
    graph: torch.fx.Graph,
    batch: torch.Tensor,
    width: float,
    kept: set[int],
    name: str,
) -> int:
    """Replaces the student's layers in the order of execution; returns how many were scaled."""
    from torch import fx

    named = dict(student.named_modules(remove_duplicate=False))
    held = dict(student.named_parameters())
    fresh: dict[int, torch.nn.Module] = {}
    values: dict[Any, Any] = {}
    scaled = 0
    for node in graph.nodes:
        args = fx.map_arg(node.args, values.__getitem__)
        words = fx.map_arg(node.kwargs, values.__getitem__)
        if node.op == "placeholder":
            values[node] = batch if batch is not None else (args[0] if args else None)
            batch = None  # type: ignore[assignment]
        elif node.op == "get_attr":
            if node.target in held:
                raise _refused(name, f"{node.target!r} is a parameter of no layer torch knows")
            values[node] = _attribute(student, str(node.target))
        elif node.op == "call_function":
            values[node] = node.target(*args, **words)
        elif node.op == "call_method":
            values[node] = getattr(args[0], node.target)(*args[1:], **words)
        elif node.op == "call_module":
            layer = named[node.target]
            if id(layer) not in fresh:
                keeps = id(layer) in kept
                fresh[id(layer)] = _layer(
                    layer, args[0], 1.0 if keeps else width, name, node.target
                )
                scaled += type(layer).__name__ in _MIXING and not keeps
            values[node] = fresh[id(layer)](*args, **words)
    for path, layer in named.items():
        if id(layer) in fresh:
            above, _, own = path.rpartition(".")
            setattr(student.get_submodule(above), own, fresh[id(layer)])
    return scaled


def _attribute(module: torch.nn.Module, path: str) -> Any:
    found: Any = module
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _layer(layer: Any, given: torch.Tensor, width: float, name: str, path: str) -> torch.nn.Module:
    """A new layer of the same type that fits the given input, in evaluation mode."""
    kind = type(layer).__name__
    torch_own = type(layer).__module__.startswith("torch.nn.modules.")
    weights = [*layer.parameters(), *layer.buffers()]
    if not weights and kind not in _KNOWN:
        return layer  # type: ignore[no-any-return]
    if not torch_own or kind not in _KNOWN:
        raise _refused(name, f"layer {path!r} is a {kind}, which is not known here")
    new = _built(layer, kind, given, width, name, path)
    if weights:
        new = new.to(device=weights[0].device, dtype=weights[0].dtype)
    new.training = False
    for own, old in zip(new.parameters(), layer.parameters(), strict=True):
        own.requires_grad_(old.requires_grad)
    return new


def _built(
    layer: Any, kind: str, given: torch.Tensor, width: float, name: str, path: str
) -> torch.nn.Module:
    from torch import nn

    if kind == "Linear":
        out = _scaled(layer.out_features, width)
        return nn.Linear(given.shape[-1], out, bias=layer.bias is not None)
    if kind in (*_CONVOLUTIONS, *_TRANSPOSED):
        return _convolution(layer, kind, int(given.shape[1]), width, name, path)
    if kind in _CHANNEL_NORMS:
        made: nn.Module = type(layer)(
            given.shape[1],
            eps=layer.eps,
            momentum=layer.momentum,
            affine=layer.affine,
            track_running_stats=layer.track_running_stats,
        )
        return made
    if kind == "GroupNorm":
        if given.shape[1] % layer.num_groups:
            raise _refused(
                name,
                f"layer {path!r} normalizes {layer.num_groups} groups, which {given.shape[1]} channels "
                "cannot be divided into",
            )
        return nn.GroupNorm(layer.num_groups, given.shape[1], layer.eps, layer.affine)
    if kind == "LayerNorm":
        lengths = list(given.shape[-len(layer.normalized_shape) :])
        return nn.LayerNorm(lengths, layer.eps, layer.elementwise_affine)
    return nn.PReLU(1 if layer.num_parameters == 1 else given.shape[1])


def _convolution(
    layer: Any, kind: str, channels: int, width: float, name: str, path: str
) -> torch.nn.Module:
    depthwise = layer.groups == layer.in_channels > 1
    groups = channels if depthwise else layer.groups
    if depthwise:
        out = channels * (layer.out_channels // layer.in_channels)
    else:
        out = _scaled(layer.out_channels, width)
        out = max(groups, out - out % groups)
    if channels % groups or (width == 1.0 and out != layer.out_channels):
        raise _refused(
            name, f"layer {path!r} has {layer.groups} groups, which {channels} channels do not fit"
        )
    more = {"output_padding": layer.output_padding} if kind in _TRANSPOSED else {}
    made: torch.nn.Module = type(layer)(
        channels,
        out,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=groups,
        bias=layer.bias is not None,
        padding_mode=layer.padding_mode,
        **more,
    )
    return made


def _scaled(channels: int, width: float) -> int:
    return max(1, round(width * channels))
