"""Operations that torch's CPU kernels do in one call, and that torch's own counter does not know."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

Shape = tuple[int, ...]


def fused_flops() -> dict[Any, Callable[..., int]]:
    """Floating-point operations by operator, two per multiply-accumulate, from the shapes of its arguments.

    Without gradients torch runs LSTM layers, attention and transformer layers as one operator each, and its
    `FlopCounterMode` counts unknown operators as nothing.
    """
    import torch

    aten: Any = torch.ops.aten
    return {
        aten.mkldnn_rnn_layer: _recurrent,
        aten._native_multi_head_attention: _attention,
        aten._transformer_encoder_layer_fwd: _encoder_layer,
        aten._scaled_dot_product_flash_attention_for_cpu: _products,
    }


def _recurrent(rows: Shape, inner: Shape, outer: Shape, *_: Any, **__: Any) -> int:
    """One layer in one direction: both matrices once per row and step.

    >>> _recurrent((7, 2, 3), (20, 3), (20, 5))  # 7 steps of 2 rows, 5 hidden: 4 gates of 3 and of 5
    4480
    """
    return 2 * rows[0] * rows[1] * (prod(inner) + prod(outer))


def _products(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """The products of all pairs of places, and the weighted sums over places, in every head.

    >>> _products((1, 2, 6, 8), (1, 2, 6, 8), (1, 2, 6, 8))
    2304
    """
    rows, heads, places, width = query
    return 2 * rows * heads * places * key[2] * (width + value[3])


def _attention(query: Shape, _key: Shape, _value: Shape, width: int, *_: Any, **__: Any) -> int:
    """Four projections, the products of all pairs of places, and the weighted sums over places.

    >>> _attention((1, 6, 16), (1, 6, 16), (1, 6, 16), 16)
    14592
    """
    rows, places, _width = query
    return 2 * rows * places * width * (4 * width + 2 * places)


def _encoder_layer(rows: Shape, width: int, *others: Any, **_: Any) -> int:
    """Attention and the two linear layers after it.

    The arguments are those of `torch._transformer_encoder_layer_fwd`: the matrices of the linear layers are
    its 15th and 17th.
    """
    first: int = prod(others[12])
    second: int = prod(others[14])
    return _attention(rows, rows, rows, width) + 2 * rows[0] * rows[1] * (first + second)
