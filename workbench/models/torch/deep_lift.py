"""DeepLIFT's contributions, computed by captum on a copy of the module."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import clean
from workbench.errors import IncompatibleError, WorkbenchError, missing
from workbench.models.asking import failures, out_of_memory, said_by
from workbench.models.torch.copies import module_copy

if TYPE_CHECKING:
    from workbench.models.torch.engine import TorchEngine

_INSTEAD = "Use IntegratedGradients, which asks for nothing but the gradient."


def deep_lift(
    engine: TorchEngine, rows: NDArray[Any], fills: NDArray[Any], weights: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores `(n, k)` and contributions `(t, n, *f)` by captum's `DeepLift`, the rescale rule.

    captum leaves hooks and attributes on a module when it fails, so that it gets a copy.

    Args:
        engine: answers for the module.
        rows: `(n, *f)`.
        fills: each row's reference `(n, *f)`.
        weights: the targets' weights over the outputs `(t, n, k)`.

    Raises:
        IncompatibleError: captum cannot read the module, or the module cannot be copied.
        MissingDependency: captum is not installed; names the extra.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from captum.attr import DeepLift
    except ImportError as error:
        if (error.name or "captum").split(".")[0] != "captum":
            raise
        raise missing("referees", "DeepLIFT") from None
    scores, found = engine.predict(rows), []
    with engine._answering(), torch.enable_grad():
        scored = _scored_copy(engine)
        for some in weights:
            parts = []
            for start in range(0, len(rows), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                batch, starts = engine._tensor(rows[part]), engine._tensor(fills[part])
                scored.weights = torch.as_tensor(some[part], device=batch.device)
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # captum says that it sets hooks
                        values = DeepLift(scored).attribute(
                            batch.contiguous(), starts.contiguous(), target=0
                        )
                except WorkbenchError:
                    raise
                except failures() as error:
                    if out_of_memory(error):
                        raise
                    raise IncompatibleError(
                        f"DeepLIFT needs a module that captum can read, layer by layer, but that of model "
                        f"{engine.name!r} is not one: {clean(said_by(error))} {_INSTEAD}"
                    ) from error
                parts.append(values.detach().cpu().double().numpy())
            whole = np.concatenate(parts)
            found.append(np.moveaxis(whole, 1, -1) if rows.ndim == 4 else whole)
    return scores, np.stack(found)


_AT_ONCE = 64
"""Rows of one call: captum keeps what every layer gives, for the rows and for their references."""


def _scored_copy(engine: TorchEngine) -> Any:
    """A module of the engine's weighted scores `(n, 1)`, on a copy in evaluation mode."""
    import torch

    try:
        module = module_copy(engine.module).requires_grad_(False)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise IncompatibleError(
            f"DeepLIFT is computed on a copy, so that the model stays as it is, but the module of "
            f"{engine.name!r} cannot be copied ({clean(said_by(error))}) {_INSTEAD}"
        ) from error
    for part in module.modules():
        part.training = False
        if getattr(part, "inplace", False) is True:
            vars(part)["inplace"] = False  # captum holds what a layer got against what it gave
    own = type(engine)(engine.name, module, preprocess=engine.preprocess, output=engine.output)

    class Scored(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module
            self.weights = torch.zeros(0)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            scores = own.scores_of(batch)
            wanted = self.weights.to(scores.dtype)
            copies = len(scores) // len(wanted)  # captum sends rows and references together
            return (scores * wanted.repeat(copies, 1)).sum(dim=1, keepdim=True)

    return Scored()
