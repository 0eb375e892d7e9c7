"""Scores of rows in whose layer one channel each is set to zero."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import IncompatibleError

if TYPE_CHECKING:
    import torch

    from workbench.models.torch.engine import TorchEngine


def ablated(
    engine: TorchEngine, rows: NDArray[Any], layer: str, channels: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Scores `(n, k)`, each row without one channel.

    Args:
        engine: answers for the module.
        rows: `(n, *f)`.
        layer: a spatial layer's name.
        channels: each row's channel `(n,)`.

    Raises:
        IncompatibleError: the layer's output is not `(n, c, *places)`.
    """
    part_named = engine._part(layer, rows)
    known = engine.layers(rows[:1]).get(layer)

    def work(part: slice) -> tuple[torch.Tensor]:
        with _without(part_named, channels[part], known, layer):
            return (engine.scores_of(engine._tensor(rows[part])),)

    with engine._answering():
        key = "ablated", *rows.shape[1:]
        parts = engine._batches.over(len(rows), work, key, tried=engine._tried(rows))
    return np.concatenate([scores for (scores,) in parts])


@contextmanager
def _without(
    part: torch.nn.Module, channels: NDArray[np.intp], known: tuple[int, ...] | None, layer: str
) -> Iterator[None]:
    import torch

    def hook(_module: Any, _given: Any, out: Any) -> torch.Tensor:
        shaped = isinstance(out, torch.Tensor) and out.ndim >= 3 and not out.is_quantized
        if not shaped or (known is not None and tuple(out.shape[1:]) != tuple(known)):
            found = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
            raise IncompatibleError(
                f"Setting channels to zero needs a layer that gives plain numbers (n, c, h, w), but "
                f"{layer!r} gives {found}. Choose another layer, or ScoreCAM."
            )
        # A small batch may have been filled up with further rows.
        some = torch.as_tensor(np.array(channels), device=out.device)
        changed: torch.Tensor = out.clone()
        changed[torch.arange(len(some), device=out.device), some] = 0
        return changed

    handle = part.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
