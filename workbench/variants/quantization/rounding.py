"""Differentiable steps that replace an int8 graph's pairs of quantize and dequantize."""

from __future__ import annotations

from typing import Any

import torch


class _StraightThrough(torch.autograd.Function):
    """Runs the graph's own two operators; the gradient is 1 within the range and 0 where it clips."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, *parameters: Any) -> torch.Tensor:
        scale, zero, low, high, _ = parameters
        rounding = torch.ops.quantized_decomposed
        steps = torch.round(values * (1.0 / scale)) + zero
        ctx.save_for_backward((steps >= low) & (steps <= high))
        rounded = rounding.quantize_per_tensor.default(values, *parameters)
        back: torch.Tensor = rounding.dequantize_per_tensor.default(rounded, *parameters)
        return back

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        (within,) = ctx.saved_tensors
        return slopes[0] * within, None, None, None, None, None


def straight_through(
    values: torch.Tensor, scale: float, zero: int, low: int, high: int, dtype: torch.dtype
) -> torch.Tensor:
    """The values rounded to their steps, bit for bit as in the int8 graph.

    >>> import torch.ao.quantization.fx._decomposed  # names the operators
    >>> halves = torch.tensor([0.3, 0.8, 200.0], requires_grad=True)
    >>> straight_through(halves, 0.5, 0, 0, 255, torch.uint8).tolist()
    [0.5, 1.0, 127.5]
    >>> straight_through(halves, 0.5, 0, 0, 255, torch.uint8).sum().backward()
    >>> halves.grad.tolist()
    [1.0, 1.0, 0.0]
    """
    rounded: torch.Tensor = _StraightThrough.apply(values, scale, zero, low, high, dtype)  # type: ignore[no-untyped-call]  # torch's own
    return rounded


def clipped(
    values: torch.Tensor, scale: float, zero: int, low: int, high: int, dtype: torch.dtype
) -> torch.Tensor:
    """The values clipped to the range of the steps, but not rounded.

    >>> clipped(torch.tensor([0.3, 200.0]), 0.5, 0, 0, 255, torch.uint8)
    tensor([  0.3000, 127.5000])
    """
    del dtype  # the type that counts the steps
    return values.clamp((low - zero) * scale, (high - zero) * scale)
