"""The spatial layers of a torch module: a list of them, and the output of one of them on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.models.torch.answers import described
from workbench.models.torch.layout import Layout
from workbench.models.torch.looking import Seen, looked
from workbench.models.torch.places import halves
from workbench.models.torch.reading import Reader

if TYPE_CHECKING:
    import torch

_POOLING = frozenset(
    f"{kind}Pool{axes}d"
    for kind in ("Max", "Avg", "LP", "FractionalMax", "AdaptiveAvg", "AdaptiveMax")
    for axes in (1, 2, 3)
)


@dataclass(frozen=True)
class Found:
    """What is known of a module's layers for rows of one shape.

    Attributes:
        shapes: the spatial layers, {name: (c, *places)}, in the order of execution. Where several modules
            give the same tensor (a block and its last layer), the innermost is listed. A module that runs
            more than once is not, since its name does not say which run is meant; the block around it is.
            Pooling at the very end is not either, so that the last entry is the finest map that the
            classifier reads.
        layouts: how each of them, and each module that gives the same tensor, holds its maps.
        refused: {layer: why its output is no map}, as the middle of a sentence.
        seen: every run of a part, in the order of execution.
    """

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    seen: tuple[Seen, ...] = ()

    @property
    def said(self) -> dict[str, str]:
        """What must be said of maps made of tokens."""
        said = {}
        for name, layout in self.layouts.items():
            if layout.aside:
                beside = "1 is" if layout.aside == 1 else f"{layout.aside} are"
                said[name] = (
                    f"Of its {layout.tokens} tokens, {beside} set aside, since the others are the places "
                    "(a class token or registers have none)."
                )
        return said


def found_layers(
    module: torch.nn.Module,
    run: Callable[[NDArray[Any]], object],
    row: NDArray[Any],
    least: int = 1,
    most: int | None = None,
) -> Found:
    """The layers whose output has the places of the rows, found by running the module twice.

    Two rows and then more tell the axis of the rows. The latter are copies of the row, each with one half
    in other numbers: they tell which axes are its places.

    Args:
        module: hooks are set on its parts, and removed.
        run: runs the module once on a batch of rows.
        row: one row `(*places, c)`.
        least: rows that the module takes at least, such as an exported graph.
        most: rows that it takes at most.
    """
    tried = halves(row)
    counts = max(2, least), max(len(tried), least)
    counts = counts[0], counts[1] + (counts[0] == counts[1])
    if most is not None and counts[1] > most:
        counts = (min(counts[0], most),) * 2
    few, many = (tried[np.arange(count) % len(tried)] for count in counts)
    reader = Reader(row.shape[:-1], counts)
    seen = looked(module, lambda: run(few))
    reader.expect(seen)
    if counts[0] != counts[1]:
        looked(module, lambda: run(many), reader.watch)
    shapes: dict[str, tuple[int, ...]] = {}
    listed: dict[tuple[int, int], str] = {}
    layouts: dict[str, Layout] = {}
    refused: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for one in seen:
        if one.runs > 1:
            continue
        layout, why = reader.layout(one)
        if layout is None:
            refused[one.name] = why
            continue
        layouts[one.name] = layout
        if one.key not in listed:
            listed[one.key], kinds[one.name] = one.name, one.kind
            shapes[one.name] = tuple(layout.maps(one.out).shape[1:])
    while shapes and kinds[list(shapes)[-1]] in _POOLING:
        shapes.popitem()
    return Found(shapes, layouts, refused, tuple(one.without_tensors() for one in seen))


def no_maps(seen: list[Any], why: str) -> str:
    """Why a layer gave no maps, or more than one, from its outputs; the middle of a sentence."""
    if not seen:
        return "does not run for these rows"
    if len(seen) > 1:
        return f"runs {len(seen)} times per row, so its name does not say which run is meant"
    return why or f"{described(seen[0])} instead of maps (n, c, h, w)"


def mixes_rows(module: torch.nn.Module) -> bool:
    """Whether a layer is known to use numbers from the whole batch, even in evaluation mode."""
    from torch.nn.modules.batchnorm import _BatchNorm

    return any(
        (isinstance(part, _BatchNorm) and part.running_mean is None)
        or "quantized.dynamic" in type(part).__module__
        for part in module.modules()
    )


@contextmanager
def cut(part: torch.nn.Module, layout: Layout | None, *, leaf: bool = True) -> Iterator[list[Any]]:
    """Collects a layer's maps `(n, c, *places)`; as a `leaf`, so that only what follows is differentiated.

    Tokens that are no places are constants then. Where there is no layout, or the layer runs again, its
    outputs are collected as they are.
    """
    import torch

    seen: list[Any] = []

    def hook(_module: Any, _given: Any, out: Any) -> torch.Tensor | None:
        if layout is None or not isinstance(out, torch.Tensor) or seen:
            seen.append(out)
            return None
        if out.is_quantized:  # such integers become plain numbers, since they cannot be a leaf
            seen.append(layout.maps(out.detach().dequantize()))
            return None
        if not leaf:
            seen.append(layout.maps(out.detach()).clone())  # a later in-place layer could change it
            return None
        start = layout.maps(out.detach()).requires_grad_()
        seen.append(start)
        # A copy, for the same reason, and because a leaf must not be written to.
        return layout.put(out.detach(), start)

    handle = part.register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def placed_otherwise(part: torch.nn.Module, layout: Layout) -> Iterator[None]:
    """In this context a layer's maps hold other numbers of the same spread; other tokens are kept."""
    import torch

    def hook(_module: Any, _given: Any, out: torch.Tensor) -> torch.Tensor:
        plain = out.dequantize() if out.is_quantized else out
        maps = layout.maps(plain)
        noise = np.random.default_rng(0).normal(size=tuple(maps.shape))
        spread = maps.float().std(unbiased=False)
        moved = maps + torch.as_tensor(noise, dtype=maps.dtype, device=maps.device) * torch.where(
            spread > 0, spread, torch.ones_like(spread)
        ).to(maps.dtype)
        made = layout.put(plain, moved)
        if not out.is_quantized:
            return made
        return torch.quantize_per_tensor(made, out.q_scale(), out.q_zero_point(), out.dtype)

    handle = part.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
