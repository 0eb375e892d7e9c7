"""Layers that compute with rounded weights and inputs, and pass gradients straight through."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

from workbench.errors import InputError


class _Rounded(nn.Module):
    """The parts that all rounded layers share; `round_layer` turns a plain layer into one.

    Everything that rounding needs is in buffers, so that a file of weights holds it.
    """

    weight: torch.Tensor
    weight_bits: torch.Tensor
    weight_scale: torch.Tensor
    weight_zero: torch.Tensor
    input_bits: torch.Tensor | None
    input_scale: torch.Tensor
    input_zero: torch.Tensor
    limits: tuple[int, int]

    def rounded_weight(self) -> torch.Tensor:
        """The weights on their grid: whole multiples of each output channel's scale."""
        largest, _ = self.limits
        return torch.fake_quantize_per_channel_affine(
            self.weight, self.weight_scale, self.weight_zero, 0, -largest, largest
        )

    def rounded_input(self, values: torch.Tensor) -> torch.Tensor:
        """The layer's input on its grid, or as it is where inputs keep their precision."""
        _, largest = self.limits
        if not largest:
            return values
        return torch.fake_quantize_per_tensor_affine(
            values, self.input_scale, self.input_zero, 0, largest
        )

    def extra_repr(self) -> str:
        """Torch's description of the layer, and its bits."""
        inputs = "" if self.input_bits is None else f", input_bits={int(self.input_bits)}"
        return f"{super().extra_repr()}, weight_bits={int(self.weight_bits)}{inputs}"

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Refuses another number of bits, which would read the stored scales wrongly."""
        for name in ("weight_bits", "input_bits"):
            mine, stored = getattr(self, name), state.get(prefix + name)
            if mine is not None and stored is not None and int(mine) != int(stored):
                raise InputError(
                    f"Layer {prefix[:-1]!r} needs weights stored for {name}={int(mine)}, but these were "
                    f"stored for {int(stored)}. Give the architecture of a copy with as many bits."
                )
        super()._load_from_state_dict(state, prefix, *rest)


class RoundedLinear(_Rounded, nn.Linear):
    """`Linear` with rounded weights and inputs."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """As `Linear`."""
        return linear(self.rounded_input(rows), self.rounded_weight(), self.bias)


class RoundedConv1d(_Rounded, nn.Conv1d):
    """`Conv1d` with rounded weights and inputs."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """As `Conv1d`."""
        out: torch.Tensor = self._conv_forward(
            self.rounded_input(maps), self.rounded_weight(), self.bias
        )
        return out


class RoundedConv2d(_Rounded, nn.Conv2d):
    """`Conv2d` with rounded weights and inputs."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """As `Conv2d`."""
        out: torch.Tensor = self._conv_forward(
            self.rounded_input(maps), self.rounded_weight(), self.bias
        )
        return out


_ROUNDED = {nn.Linear: RoundedLinear, nn.Conv1d: RoundedConv1d, nn.Conv2d: RoundedConv2d}


def can_round(layer: nn.Module) -> bool:
    """Whether a layer is `Linear`, `Conv1d` or `Conv2d`, or computes exactly as one of them."""
    return _plain(layer) is not None


def _plain(layer: nn.Module) -> Any:
    weight = layer._parameters.get("weight")
    if weight is not None and type(weight.data) is not torch.Tensor:
        return None  # torchao's integers are rounded already
    kinds: list[Any] = list(_ROUNDED)
    forward = type(layer).forward
    return next((k for k in kinds if isinstance(layer, k) and forward is k.forward), None)


def round_layer(
    layer: nn.Module, *, weight_bits: int, input_range: tuple[float, float] | None, input_bits: int
) -> None:
    """Turns a layer that `can_round` into its rounded kind, in place.

    The layer stays the same object, so every branch that uses it, its hooks and its name stay as they
    are; torch's own parametrizations exchange the class in the same way.

    Args:
        layer: a layer of a copy, never of the original.
        weight_bits: 2 to 8.
        input_range: the least and the largest input value, or None to leave inputs as they are.
        input_bits: 2 to 8; ignored where there is no range.
    """
    kind = _ROUNDED[_plain(layer)]
    computed = {
        name: getattr(layer, name).detach().clone()
        for name in getattr(layer, "parametrizations", ())
    }
    layer.__class__ = kind
    if computed:
        # Not with torch's own function, which takes the property from the class that copies share with
        # the original.
        del layer.parametrizations
    for name, value in computed.items():
        layer.register_parameter(name, nn.Parameter(value))
    weight: Any = layer.weight
    largest = 2 ** (weight_bits - 1) - 1
    with torch.no_grad():
        peaks = weight.detach().flatten(1).abs().amax(1).float()
        # A channel of zeros stays zero under any scale.
        scale = torch.where(peaks > 0, peaks / largest, torch.ones_like(peaks))
        zeros = torch.zeros(len(scale), dtype=torch.int32, device=weight.device)
        weight.copy_(
            torch.fake_quantize_per_channel_affine(weight, scale, zeros, 0, -largest, largest)
        )
    layer.register_buffer("weight_bits", torch.tensor(weight_bits, device=weight.device))
    layer.register_buffer("weight_scale", scale)
    layer.register_buffer("weight_zero", zeros)
    layer.register_buffer("input_bits", None)
    steps = 0
    if input_range is not None:
        steps = 2**input_bits - 1
        # Zero must be on the grid: padding and ReLU give it exactly.
        low, high = min(input_range[0], 0.0), max(input_range[1], 0.0)
        width = (high - low) / steps or 1.0
        zero = round(-low / width)
        layer.register_buffer("input_bits", torch.tensor(input_bits, device=weight.device))
        layer.register_buffer(
            "input_scale", torch.tensor(width, dtype=torch.float32, device=weight.device)
        )
        layer.register_buffer(
            "input_zero", torch.tensor(zero, dtype=torch.int32, device=weight.device)
        )
    layer.limits = (largest, steps)  # type: ignore[assignment]  # plain numbers, read on every pass
