"""What torch's operations do to channels: which keep them separate, and which rearrange them."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from workbench.variants.rewriting.graph import Shapes

_ACTIVATIONS = (
    "ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Hardtanh Hardswish Hardsigmoid "
    "Hardshrink Softshrink Tanhshrink Threshold Softplus Softsign LogSigmoid Identity Dropout Dropout1d "
    "Dropout2d Dropout3d AlphaDropout Upsample UpsamplingNearest2d UpsamplingBilinear2d ZeroPad2d "
    "ConstantPad2d ReflectionPad2d ReplicationPad2d"
)
_POOLS = ("MaxPool", "AvgPool", "LPPool", "AdaptiveAvgPool", "AdaptiveMaxPool")

SAME_MODULES: frozenset[type] = frozenset(
    getattr(nn, name)
    for name in [
        *_ACTIVATIONS.split(),
        *(f"{pool}{d}d" for pool in _POOLS for d in (1, 2, 3) if hasattr(nn, f"{pool}{d}d")),
    ]
)
"""Layers in which every output channel depends only on the input channel in its place."""

NORMS: frozenset[type] = frozenset(
    getattr(nn, f"{kind}Norm{d}d") for kind in ("Batch", "Instance") for d in (1, 2, 3)
)
"""Layers with weights of their own per channel, and nothing across channels."""

_FUNCTIONS = (
    "relu relu_ relu6 leaky_relu elu selu celu gelu silu mish sigmoid tanh hardtanh hardswish hardsigmoid "
    "softplus softsign logsigmoid dropout dropout1d dropout2d dropout3d max_pool1d max_pool2d max_pool3d "
    "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
    "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d interpolate"
)
SAME_FUNCTIONS: frozenset[Any] = frozenset(
    [getattr(functional, name) for name in _FUNCTIONS.split()]
    + [torch.relu, torch.sigmoid, torch.tanh, torch.clamp, torch.abs, torch.sqrt, torch.square]
    + [operator.neg, operator.pos]
)
_METHODS = (
    "relu sigmoid tanh clamp relu_ sigmoid_ tanh_ clamp_ abs sqrt square contiguous clone float"
)
SAME_METHODS: frozenset[Any] = frozenset(_METHODS.split())

_ARITHMETIC = ("add", "sub", "mul")
BINARY: frozenset[Any] = frozenset(
    [getattr(operator, name) for name in (*_ARITHMETIC, "iadd", "isub", "imul")]
    + [getattr(torch, name) for name in (*_ARITHMETIC, "div")]
    + [f"{name}{place}" for name in (*_ARITHMETIC, "div") for place in ("", "_")]
    + [operator.truediv, operator.itruediv]
)
"""Functions that work element by element, on one or two tensors."""

_REDUCTIONS: frozenset[Any] = frozenset(
    [torch.mean, torch.sum, torch.amax, torch.amin, "mean", "sum", "amax", "amin"]
)


def described(node: fx.Node, parts: dict[str, nn.Module]) -> str:
    """A node in words: a layer by name and kind, else the function."""
    if node.op == "call_module":
        return f"{node.target} ({type(parts[str(node.target)]).__name__})"
    return str(getattr(node.target, "__name__", node.target))


def sizes_alone(node: fx.Node) -> bool:
    """Whether a node only reads the number of rows or of axes, which does not depend on channels."""
    if node.op == "call_method" and node.target in ("dim", "ndimension"):
        return True
    if node.op == "call_method" and node.target == "size":
        return bool((node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")) == 0)
    if node.target is getattr and node.args[1] == "shape":
        return all(_asks_for_rows(user) for user in node.users)
    if node.target is getattr and node.args[1] == "ndim":
        return True
    return _asks_for_rows(node)


def _asks_for_rows(node: fx.Node) -> bool:
    """Whether a node, given the brackets, is the size in `x.shape[0]`."""
    if node.target is not operator.getitem or node.args[1] != 0:
        return False
    source = node.args[0]
    return isinstance(source, fx.Node) and source.target is getattr and source.args[1] == "shape"


def flattens(node: fx.Node, shapes: Shapes, part: nn.Module | None = None) -> bool:
    """Whether a node flattens all axes but that of the rows, and would do so with fewer channels too."""
    source = node.args[0]
    if not isinstance(source, fx.Node) or node not in shapes or source not in shapes:
        return False
    old, new = shapes[source], shapes[node]
    if len(old) < 2 or new != (old[0], int(np.prod(old[1:], dtype=np.int64))):
        return False
    if part is not None or node.target in (torch.flatten, "flatten"):
        return True
    if node.target not in ("view", "reshape", torch.reshape):
        return False
    sizes: Any = node.args[1:]
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = sizes[0]
    return (
        len(sizes) == 2 and sizes[1] == -1
    )  # another number would be wrong once channels are gone


def reduced_places(node: fx.Node, shapes: Shapes) -> bool:
    """Whether a node sums, averages or takes the extreme over height and width alone."""
    if node.target not in _REDUCTIONS:
        return False
    source = node.args[0]
    dims: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    if not isinstance(source, fx.Node) or source not in shapes:
        return False
    ndim = len(shapes[source])
    dims = [dims] if isinstance(dims, int) else dims
    if not isinstance(dims, list | tuple) or not all(isinstance(one, int) for one in dims):
        return False
    return bool(dims) and all((one + ndim if one < 0 else one) > 1 for one in dims)


def appends_axes(node: fx.Node) -> bool:
    """Whether a node appends axes of length 1 to the channels: `x[:, :, None, None]`, `x.unsqueeze(-1)`."""
    if node.target is operator.getitem:
        key = node.args[1]
        whole = slice(None, None, None)
        return (
            isinstance(key, tuple)
            and key[:2] == (whole, whole)
            and all(one is None or one == whole for one in key[2:])
        )
    if node.target in ("unsqueeze", torch.unsqueeze):
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        return isinstance(dim, int) and (dim == -1 or dim > 1)
    return False
