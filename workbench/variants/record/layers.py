"""A module's layers with weights, in a copy that may be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.core import Model
from workbench.errors import IncompatibleError
from workbench.models.torch import dtype_of, engine_of, module_copy

if TYPE_CHECKING:
    import torch

# Attention and transformer layers read the weights of these parts directly, without calling the parts.
_READ_FROM_OUTSIDE = ("MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer")


def refuse_script(module: torch.nn.Module, name: str) -> None:
    """Refuses TorchScript, whose layers and weights cannot be reached.

    Args:
        name: what a message calls the model.

    Raises:
        IncompatibleError: some part is TorchScript.
    """
    import torch

    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise IncompatibleError(
            f"A module whose layers can be reached is needed, but {name!r} is TorchScript, whose graph is "
            "fixed. Make this copy from the model that the graph was taken of, and take the graph last."
        )


def refuse_integers(module: torch.nn.Module, name: str) -> None:
    """Refuses weights that are tensors of special types, such as torchao's integers.

    Args:
        name: what a message calls the model.

    Raises:
        IncompatibleError: some weight is no plain tensor.
    """
    import torch

    for path, weight in module.named_parameters():
        if type(weight.data) is not torch.Tensor or weight.is_quantized:
            raise IncompatibleError(
                f"Plain weights are needed, but {path!r} of model {name!r} is a "
                f"{type(weight.data).__name__}. Make this copy first, and quantize the result."
            )


def copied(model: Model) -> torch.nn.Module:
    """A copy of a torch model's module, with masks of `torch.nn.utils.prune` folded into its weights.

    Raises:
        IncompatibleError: the model is of another library, or TorchScript.
    """
    from torch.nn.utils import prune

    module = engine_of(model).module
    refuse_script(module, model.name)
    made = module_copy(module)
    for part in made.modules():
        masks = [hook for hook in part._forward_pre_hooks.values() if hasattr(hook, "_tensor_name")]
        for name in dict.fromkeys(str(hook._tensor_name) for hook in masks):
            prune.remove(part, name)  # type: ignore[no-untyped-call]
    return made


def weighted_layers(module: torch.nn.Module, name: str) -> dict[str, torch.nn.Module]:
    """Linear and convolution layers by name; a weight counts once, however many layers share it.

    Args:
        name: what a message calls the model.

    Raises:
        IncompatibleError: there is none, or a weight is not a plain one (quantized, parametrized).
    """
    found = plain_layers(module, name)
    if not found:
        kinds = sorted({type(part).__name__ for part in module.modules()})
        raise IncompatibleError(
            f"A model with linear or convolution layers is needed, but {name!r} has none; its parts are "
            f"{kinds[:8]}. A quantized or compiled copy has to be made last, from the pruned model."
        )
    return found


def plain_layers(module: torch.nn.Module, name: str) -> dict[str, torch.nn.Module]:
    """The same, where there may be none."""
    from torch import nn
    from torch.nn.modules.conv import _ConvNd

    found: dict[str, nn.Module] = {}
    seen: set[int] = set()
    for path, part in module.named_modules():
        if not isinstance(part, nn.Linear | _ConvNd) or not hasattr(part, "weight"):
            continue
        weight = part._parameters.get("weight")
        if type(weight) is not nn.Parameter or not weight.is_floating_point():
            held = "computed from others" if weight is None else f"a {type(weight).__name__}"
            raise IncompatibleError(
                f"Plain weights are needed, but the weight of layer {path!r} of model {name!r} is {held} "
                "(parametrized or quantized). Prune or factor first, and quantize the result."
            )
        if id(weight) not in seen:
            seen.add(id(weight))
            found[path] = part
    return found


def weight_of(layer: torch.nn.Module) -> torch.nn.Parameter:
    """The plain weight of one of `weighted_layers`."""
    weight: torch.nn.Parameter = layer._parameters["weight"]  # type: ignore[assignment]
    return weight


def running(module: torch.nn.Module) -> str:
    """A module's arithmetic as `Variant.runs_as` names it, such as "float32, torch", or rounded."""
    rounded = any(hasattr(part, "weight_bits") for part in module.modules())
    how = "rounded" if rounded else "torch"
    return f"{str(dtype_of(module)).removeprefix('torch.')}, {how}"


def places(module: torch.nn.Module, part: torch.nn.Module) -> list[tuple[torch.nn.Module, str]]:
    """Every (owner, attribute) that holds a part: more than one where branches share it."""
    return [
        (owner, key)
        for owner in module.modules()
        for key, held in owner._modules.items()
        if held is part
    ]


def replaceable(module: torch.nn.Module, part: torch.nn.Module) -> bool:
    """Whether a part may be replaced by other modules: it is only called, and shares no weights."""
    mine = {id(parameter) for parameter in part.parameters()}
    owners = [
        other
        for other in module.modules()
        if mine & {id(parameter) for parameter in other._parameters.values()}
    ]
    held = places(module, part)
    return (
        len(owners) == 1
        and bool(held)
        and not any(type(owner).__name__ in _READ_FROM_OUTSIDE for owner, _ in held)
        and not part._forward_hooks
        and not part._forward_pre_hooks
    )
