"""Gradients of weighted scores, one backward pass each, or the reason why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import clean
from workbench.errors import IncompatibleError
from workbench.models.asking import failed, failures, first_line, out_of_memory
from workbench.models.torch.arguments import NO_SLOPE
from workbench.models.torch.gradient_scan import Scan

if TYPE_CHECKING:
    import torch


def slopes_of(
    name: str,
    scores: torch.Tensor,
    leaf: torch.Tensor,
    weights: NDArray[Any],
    what: str,
    scan: Scan | None,
    *,
    counts: bool,
) -> torch.Tensor:
    """Gradients `(t, *leaf)` of weighted scores, all targets from the same forward pass.

    One backward pass per target: measured on CPU, torch's batched gradients take 1 to 2.5 times as
    long through convolutions and gain only on tiny networks, and some operations lack them.

    Args:
        name: what messages call the model.
        scores: `(n, k)`, with their graph.
        leaf: the tensor with respect to which they are differentiated.
        weights: `(t, n, k)`.
        what: the name of the leaf, for messages.
        scan: the graph is read into it first.
        counts: whether some inputs reach the module as whole numbers.

    Raises:
        IncompatibleError: the scores cannot be differentiated, or their gradient is not to be trusted.
    """
    import torch

    refusal = (
        f"A gradient method needs scores that can be differentiated with respect to {what}, "
        f"which those of model {name!r} cannot"
    )
    instead = "Use a perturbation method such as LIME or PermutationSHAP."
    if counts:
        raise IncompatibleError(f"{refusal}: {NO_SLOPE} {instead}")
    if not scores.requires_grad:
        raise IncompatibleError(
            f"{refusal}: something on the way (detach, no_grad, argmax, rounding) "
            f"cuts the connection. {instead}"
        )
    if scan is not None and not scan.read(scores, leaf).whole:
        raise IncompatibleError(f"{refusal}: {scan.fault} {instead}")
    wanted = torch.tensor(np.ascontiguousarray(weights), dtype=scores.dtype, device=scores.device)
    try:
        slopes = [
            torch.autograd.grad(scores, leaf, one, retain_graph=i + 1 < len(wanted))[0]
            for i, one in enumerate(wanted)
        ]
    except failures() as error:
        if out_of_memory(error):
            raise
        if isinstance(error, RuntimeError):
            raise IncompatibleError(f"{refusal}: {clean(first_line(error))} {instead}") from error
        raise failed(
            name, error, leaf, lambda _: f"Correct its backward pass. {instead}"
        ) from error
    return torch.stack(slopes)
