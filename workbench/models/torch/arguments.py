"""What a torch module is called with: one tensor or several, in its precision and number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NO_SLOPE = "some of its columns reach the module as whole numbers, which have no slope."


def as_tuple(ready: Any) -> tuple[Any, ...]:
    """The tensors of a tuple or list; a single one as a tuple of one."""
    return tuple(ready) if isinstance(ready, tuple | list) else (ready,)


def in_precision(ready: Any, dtype: torch.dtype) -> Any:
    """Every floating tensor in the module's precision; whole numbers are not changed."""

    def placed(one: torch.Tensor) -> torch.Tensor:
        return one.to(dtype) if one.is_floating_point() else one

    if isinstance(ready, dict):
        return {name: placed(one) for name, one in ready.items()}
    if isinstance(ready, tuple | list):
        return tuple(placed(one) for one in ready)
    return placed(ready)


def in_order(ready: Any) -> Any:
    """A tensor whose strides are those of its axes in their order; the same one where they are already.

    Torch calls an image of one channel contiguous whatever its strides are, since an axis of length 1 has
    none. They still say that channels come last, convolutions answer so, and `view` refuses.

    >>> import torch
    >>> turned = torch.zeros(2, 5, 4, 1).permute(0, 3, 1, 2)
    >>> turned.is_contiguous(), turned.stride(), in_order(turned).stride()
    (True, (20, 1, 4, 1), (20, 20, 4, 1))
    """
    import torch

    if not isinstance(ready, torch.Tensor) or ready.layout is not torch.strided:
        return ready
    stride, strides = 1, []
    for length in reversed(ready.shape):
        strides.append(stride)
        stride *= max(length, 1)
    if ready.stride() == tuple(reversed(strides)):
        return ready
    return ready.clone(memory_format=torch.contiguous_format)


def rows_taken(module: torch.nn.Module) -> tuple[int, int | None]:
    """The smallest and the largest batch an exported graph takes; None where it has no bound."""
    import torch

    if not isinstance(module, torch.fx.GraphModule):
        return 1, None
    for node in module.graph.nodes:
        shape: tuple[Any, ...] = tuple(getattr(node.meta.get("val"), "shape", ()))
        if node.op != "placeholder" or not shape:
            continue
        if isinstance(shape[0], int):
            return shape[0], shape[0]
        # From the program's own conditions: the ranges of its tracing start at 2 where it accepts 1.
        bounds = getattr(module, "range_constraints", {}).get(shape[0].node.expr)
        if bounds is None:
            return 1, None
        most = int(bounds.upper) if bounds.upper.is_Integer else None  # infinity counts as no bound
        return max(1, int(bounds.lower)), most
    return 1, None


def filled(batch: torch.Tensor, rows: int) -> torch.Tensor:
    """A batch of at least that many rows, filled up with copies of its last row, or with zeros if empty."""
    import torch

    missing = rows - len(batch)
    if missing <= 0:
        return batch
    last = batch[-1:] if len(batch) else batch.new_zeros(1, *batch.shape[1:])
    return torch.cat([batch, last.expand(missing, *batch.shape[1:])])


def opaque(module: torch.nn.Module) -> str:
    """Why the layers of a module cannot be seen, or "" where they can."""
    import torch

    why = "Wrap the module it was made from for that."
    if isinstance(module, torch.jit.ScriptModule):
        return f"What single layers compute cannot be seen inside TorchScript. {why}"
    operators = (
        torch._ops.OpOverload
    )  # an exported graph calls these where the module called its layers
    if isinstance(module, torch.fx.GraphModule) and any(
        isinstance(node.target, operators) for node in module.graph.nodes
    ):
        return f"What single layers compute cannot be seen inside an exported program. {why}"
    if type(module).__name__ == "OptimizedModule":
        return f"What single layers compute cannot be seen inside compiled code. {why}"
    return ""


def not_ready(module: torch.nn.Module) -> str:
    """Why a module has no weights to compute with yet, and what to do; or ""."""
    import torch

    lazy = (torch.nn.parameter.UninitializedParameter, torch.nn.parameter.UninitializedBuffer)
    for name, part in module.named_modules():
        held = [*part._parameters.values(), *part._buffers.values()]
        if any(isinstance(one, lazy) for one in held):
            return (
                f"its layer {name or type(part).__name__!r} is lazy and has none. Call the module once on "
                "a batch, then wrap it."
            )
        if any(one is not None and one.device.type == "meta" for one in held):
            return (
                "its module is on the meta device and has none. Load them first "
                "(module.to_empty(...), load_state_dict(...))."
            )
    return ""
