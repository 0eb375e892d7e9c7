"""`size_of`: a model's size in several figures, none of which can replace another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.core import Inputs, Model, Size
from workbench.models.torch import TorchEngine, compiled
from workbench.variants.record.fused_flops import fused_flops
from workbench.variants.record.stored_size import stored_size
from workbench.variants.record.trying import rows_to_try

if TYPE_CHECKING:
    import torch


def size_of(model: Model, rows: Inputs | None = None) -> Size | None:
    """File bytes, packed bits, nonzeros, parameters and multiply-accumulates; None where unknown.

    - A torch module's file is its state as safetensors would hold it, without metadata; a state that
      safetensors cannot hold (quantized tensors) counts as `torch.save` writes it. Its parameters are
      those of torch and the quantized weights that torch does not list; packed bits count these at
      their own precision, with scales, running statistics and masks (1 bit).
    - An ONNX model's file is the model itself.
    - scikit-learn's file is that of skops; boosters' that of their own format (UBJSON for XGBoost, text for
      LightGBM, cbm for CatBoost). Packed bits are 160 per split of a tree (threshold, feature, children)
      and 64 per leaf value, or an index into a table where that is smaller.
    - An ensemble's size is that of its members together.

    Args:
        rows: the first of them is passed through a torch module to count multiply-accumulates; when left
            out, one that the model was wrapped for, or noise in its shape (64 x 64 pixels where free).
    """
    if model.combination is not None:
        return _together([size_of(member, rows) for member in model.combination.members])
    engine = getattr(model.predict, "__self__", None)
    if isinstance(engine, TorchEngine):
        return _torch_size(model, engine.module, rows)
    native = getattr(engine, "data", b"") or model.native  # a session does not give its bytes
    return stored_size(native, model.trees() if model.trees is not None else None)


def _together(sizes: list[Size | None]) -> Size | None:
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    macs = [size.macs for size in known if size.macs is not None]
    return Size(
        sum(size.file_bytes for size in known),
        sum(size.packed_bits for size in known),
        sum(size.nonzeros for size in known),
        sum(size.parameters for size in known),
        sum(macs) if len(macs) == len(known) else None,
    )


def _torch_size(model: Model, module: torch.nn.Module, rows: Inputs | None) -> Size:
    import torch

    weights = packed = nonzeros = 0
    with torch.no_grad():
        for held in _held(module):
            packed += held.bits
            if held.weights is not None:
                weights += held.weights.numel()
                nonzeros += int(torch.count_nonzero(held.weights))
    return Size(
        _state_bytes(module.state_dict()), packed, nonzeros, weights, _macs(model, module, rows)
    )


@dataclass(frozen=True, eq=False)
class _Held:
    """A tensor of a module: its bits when packed, and its values where they are weights."""

    bits: int
    weights: torch.Tensor | None = None


def _held(module: torch.nn.Module) -> Iterator[_Held]:
    """Everything from which the scores are computed, each part once."""
    import torch

    seen: set[int] = set()
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is None or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            if type(parameter.data) is not torch.Tensor or parameter.is_quantized:
                yield _special(parameter.data)
                continue
            bits = _bits_of(part, name) or 8 * parameter.element_size()
            yield _Held(bits * parameter.numel(), _effective(part, name, parameter))
        for name, buffer in part._buffers.items():
            if buffer is None or id(buffer) in seen:
                continue
            seen.add(id(buffer))
            if name.removesuffix("_mask") + "_orig" in part._parameters:
                yield _Held(buffer.numel())
            elif type(buffer) is not torch.Tensor or buffer.is_quantized:
                yield _special(buffer)
            elif buffer.dtype in (torch.int8, torch.uint8) and buffer.ndim > 1:
                yield _Held(8 * buffer.numel(), buffer)
            elif buffer.is_floating_point():
                yield _Held(8 * buffer.element_size() * buffer.numel())
        for kind in (
            "weight",
            "bias",
        ):  # methods of torch's quantized layers, whose state is opaque
            packed = getattr(part, kind, None)
            if callable(packed) and not isinstance(packed, torch.Tensor | torch.nn.Module):
                value = packed()
                if isinstance(value, torch.Tensor):
                    yield _special(value.detach())


def _bits_of(part: torch.nn.Module, name: str) -> int | None:
    """The bits to which a layer, or its parametrization, rounds a weight; None at full precision."""
    if name == "weight" and hasattr(part, "weight_bits"):
        return int(part.weight_bits)  # type: ignore[arg-type]
    bits = [int(child.bits) for child in part.children() if hasattr(child, "bits")]  # type: ignore[arg-type]
    return bits[0] if bits and name == "original" else None


def _effective(part: torch.nn.Module, name: str, parameter: torch.Tensor) -> torch.Tensor:
    """The weight with which a layer computes: masked or parametrized, where it is."""
    from torch.nn.utils.parametrize import ParametrizationList

    mask = part._buffers.get(name.removesuffix("_orig") + "_mask") if "_orig" in name else None
    if mask is not None:
        return parameter * mask
    if isinstance(part, ParametrizationList):
        computed: torch.Tensor = part()
        return computed
    return parameter


def _special(tensor: torch.Tensor) -> _Held:
    """A quantized tensor: torch's own, or one of torchao's with its scales."""
    import torch

    if tensor.is_quantized:
        bits = 8 * tensor.element_size() * tensor.numel()
        if tensor.qscheme() in (torch.per_channel_affine, torch.per_channel_symmetric):
            return _Held(bits + 32 * tensor.q_per_channel_scales().numel(), tensor.int_repr())
        return _Held(bits + 32, tensor.dequantize())
    if type(tensor) is torch.Tensor:
        return _Held(8 * tensor.element_size() * tensor.numel(), tensor)
    whole = tensor.numel()
    bits = 0
    for inner in _inner(tensor):
        own = 8 * inner.element_size()
        if inner.numel() >= whole:  # the weights; int4 may be stored in bytes
            own = _digits(getattr(tensor, "target_dtype", None)) or own
        bits += own * inner.numel()
    values = tensor.dequantize() if hasattr(tensor, "dequantize") else tensor
    return _Held(bits, values)


def _inner(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The plain tensors inside a tensor subclass."""
    import torch

    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    for name in names:
        one = getattr(tensor, name)
        if type(one) is torch.Tensor:
            yield one
        else:
            yield from _inner(one)


def _digits(dtype: object) -> int | None:
    """The bits in a type's name: 4 for torch.int4."""
    digits = "".join(letter for letter in str(dtype) if letter.isdigit())
    return int(digits) if digits else None


def _state_bytes(state: dict[str, Any]) -> int:
    import io

    import torch

    plain = all(type(one) in (torch.Tensor, torch.nn.Parameter) for one in state.values())
    if plain and not any(one.is_quantized for one in state.values()):
        from safetensors.torch import save

        # A file holds a shared weight under each of its names, as `models.save` writes it.
        return len(
            save({name: one.detach().cpu().contiguous().clone() for name, one in state.items()})
        )
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getbuffer().nbytes


def _macs(model: Model, module: torch.nn.Module, rows: Inputs | None) -> int | None:
    """Multiply-accumulates of convolutions, matrix products and attention, counted as torch runs them."""
    from torch.utils.flop_counter import FlopCounterMode

    opaque = (
        compiled(module)
        or any("quantized" in type(part).__module__ for part in module.modules())
        or any(_is_special(one) for one in module.parameters())
    )
    given = rows_to_try(model, rows)
    if opaque or given is None:
        return None
    counter = FlopCounterMode(display=False, custom_mapping=fused_flops())
    with counter:
        model.predict(given[:1])
    return int(counter.get_total_flops()) // 2


def _is_special(tensor: torch.Tensor) -> bool:
    import torch

    return type(tensor.data) is not torch.Tensor or tensor.is_quantized
