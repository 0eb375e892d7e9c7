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
    from workbench.models.torch.layout import Layout


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
        IncompatibleError: the layer gives no maps, or integers.
    """
    part_named, layout = engine._part(layer, rows), engine.layout(layer, rows)

    def work(part: slice) -> tuple[torch.Tensor]:
        with _without(part_named, channels[part], layout, layer):
            return (engine.scores_of(engine._tensor(rows[part])),)

    with engine._answering():
        key = "ablated", *rows.shape[1:]
        parts = engine._batches.over(len(rows), work, key, tried=engine._tried(rows))
    return np.concatenate([scores for (scores,) in parts])


@contextmanager
def _without(
    part: torch.nn.Module, channels: NDArray[np.intp], layout: Layout | None, layer: str
) -> Iterator[None]:
    import torch

    def hook(_module: Any, _given: Any, out: Any) -> torch.Tensor:
        if layout is None or not isinstance(out, torch.Tensor) or out.is_quantized:
            found = "" if isinstance(out, torch.Tensor) else f" but a {type(out).__name__}"
            raise IncompatibleError(
                f"Setting channels to zero needs a layer that gives maps of plain numbers, and {layer!r} "
                f"gives none{found}. Choose another layer, or ScoreCAM."
            )
        # A small batch may have been filled up with further rows.
        some = torch.as_tensor(np.array(channels), device=out.device)
        maps = layout.maps(out).clone()
        maps[torch.arange(len(some), device=out.device), some] = 0
        return layout.put(out, maps)

    handle = part.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
