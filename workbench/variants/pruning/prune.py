"""Unstructured pruning: a share of the weights set to zero."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import InputError
from workbench.models.torch import engine_of, remade
from workbench.variants.recipes import Recipe
from workbench.variants.record import beyond_reach, copied, multiplying_weights, recorded, running

if TYPE_CHECKING:
    import torch

By = Literal["magnitude", "random", "attribution"]
"""What decides which weights go: the smallest, any, or those that matter least to the predictions."""

Scope = Literal["global", "layer"]
"""Whether the weights of all layers compete, or each layer loses the same share."""


@repeatable
def prune(
    model: Model,
    sparsity: float,
    *,
    by: By = "magnitude",
    scope: Scope = "global",
    seed: int = 0,
    rows: Inputs | None = None,
    name: str | None = None,
) -> Model:
    """A copy with a share of its weights at zero.

    These are the weights of linear, convolution and recurrent layers and of attention, and the user's own
    parameters of two or more dimensions. Embeddings and parameters that are added (biases, positions,
    tokens) are left whole; where there are any, the record says which share of all weights is reached.

    The zeros are written into the weights: no masks are kept, so the file does not grow. Weights that are
    already zero count first. Of equal weights the earlier ones go.

    Args:
        sparsity: share of zeros afterwards, 0 to below 1.
        by: "magnitude" takes the smallest |w|; "random" is the control; "attribution" takes those
            with the smallest sum over rows of |w dy/dw|, y being each row's largest score.
        scope: "global" or "layer", see `Scope`.
        seed: of "random".
        rows: to try both models on; needed by "attribution", which passes forward and back once per row.
        name: of the copy.

    Raises:
        InputError: a share outside 0..1, or no rows for "attribution".
        IncompatibleError: no weight to prune, or a model of another library.

    Source: Han et al. 2015 for magnitudes; Molchanov et al. 2019, equation 8, for attribution.
        **Differs:** the loss's gradient is replaced by that of the predicted score, which needs no labels,
        and rows are added up by their absolute contributions, so that classes do not cancel.
    """
    _check(sparsity, by, scope)
    module = copied(model)
    weights = multiplying_weights(module, model.name)
    chosen = {"magnitude": "", "random": " at random", "attribution": " by attribution"}[by]
    label = name or f"{model.name}, {sparsity:.0%} pruned{chosen}"
    if by == "magnitude":
        ranks = {path: weight.detach().abs() for path, weight in weights.items()}
    elif by == "random":
        ranks = _random_ranks(weights, seed)
    else:
        if rows is None or not len(rows):
            raise InputError(
                "Pruning by attribution needs rows whose predictions decide which weights matter, but "
                f"{'none were given' if rows is None else 'there are none'}. Give rows=inputs."
            )
        ranks = _attributed_ranks(remade(model, module, name=label), weights, rows)
    touched = _set_to_zero(weights, ranks, sparsity, scope)
    how = {"magnitude": "smallest", "random": "random", "attribution": "least attributed"}[by]
    where = "over all layers" if scope == "global" else "of every layer"
    more = f", seed={seed}" if by == "random" else ""
    nothing = "Sparsity 0 sets no weight to zero: this copy is the model itself."
    notes = (nothing if sparsity == 0 else "", beyond_reach(module, weights.values()))
    return recorded(
        remade(model, module, name=label),
        model,
        recipe=f"prune(model, {sparsity}, by={by!r}, scope={scope!r}{more})",
        description=f"the {how} {sparsity:.0%} of weights {where} set to zero",
        runs_as=running(module),
        touched=touched,
        layers=len({path.rpartition(".")[0] for path in weights}),
        rows=rows,
        notes=tuple(note for note in notes if note),
    )


def _check(sparsity: float, by: str, scope: str) -> None:
    if not 0 <= sparsity < 1:
        more = " At 1 no weight would be left." if sparsity == 1 else ""
        raise InputError(
            f"sparsity must be a share of weights from 0 to below 1, not {sparsity!r}.{more} Give 0.5 "
            "to set half of them to zero."
        )
    if by not in get_args(By):
        raise InputError(f"by must be one of {list(get_args(By))}, not {by!r}.")
    if scope not in get_args(Scope):
        raise InputError(f"scope must be one of {list(get_args(Scope))}, not {scope!r}.")


def _random_ranks(weights: dict[str, torch.nn.Parameter], seed: int) -> dict[str, torch.Tensor]:
    import torch

    # Drawn on the CPU: the same weights go on every device.
    chance = torch.Generator().manual_seed(seed)
    return {
        path: torch.rand(weight.shape, generator=chance, dtype=torch.float64).to(weight.device)
        for path, weight in weights.items()
    }


def _attributed_ranks(
    model: Model, weights: dict[str, torch.nn.Parameter], rows: Inputs
) -> dict[str, torch.Tensor]:
    """Sum over rows of |w dy/dw| `(*weight)` for each layer, y being the row's largest score."""
    import torch

    from workbench.models.torch import as_found

    engine = engine_of(model)
    totals = {path: torch.zeros_like(weight) for path, weight in weights.items()}
    with as_found(engine.module, model.name), torch.enable_grad():
        wanted = {path: weight.requires_grad for path, weight in weights.items()}
        for weight in weights.values():
            weight.requires_grad_(True)
        for i in range(len(rows)):
            _, scores = engine.differentiable(rows.values[i : i + 1])
            best = scores.amax(dim=1).sum()
            slopes = torch.autograd.grad(best, list(weights.values()), allow_unused=True)
            for path, slope in zip(weights, slopes, strict=True):
                if slope is not None:
                    totals[path] += (weights[path].detach() * slope).abs()
        for path, weight in weights.items():
            weight.requires_grad_(wanted[path])
    return totals


def _set_to_zero(
    weights: dict[str, torch.nn.Parameter],
    ranks: dict[str, torch.Tensor],
    sparsity: float,
    scope: Scope,
) -> int:
    """The number of layers in which a weight was set to zero."""
    import torch

    # A zero is never worth keeping, so existing ones count towards the share.
    flat = {
        path: ranks[path].double().masked_fill(weight == 0, -1.0).flatten().cpu()
        for path, weight in weights.items()
    }
    if scope == "global":
        together = _lowest(torch.cat(list(flat.values())), sparsity)
        lengths = [len(one) for one in flat.values()]
        parts = dict(zip(flat, torch.split(together, lengths), strict=True))
    else:
        parts = {path: _lowest(one, sparsity) for path, one in flat.items()}
    touched: set[str] = set()
    with torch.no_grad():
        for path, weight in weights.items():
            drop = parts[path].reshape(weight.shape).to(weight.device)
            if bool((drop & (weight != 0)).any()):
                touched.add(path.rpartition(".")[0])
            weight.masked_fill_(drop, 0.0)
    return len(touched)


def _lowest(values: torch.Tensor, share: float) -> torch.Tensor:
    """Which entries `(n,)` are the lowest `round(share * n)`, the earlier of equal ones first."""
    import torch

    count = round(share * len(values))
    if not count:
        return torch.zeros_like(values, dtype=torch.bool)
    limit = values.kthvalue(count).values
    below, equal = values < limit, values == limit
    return below | (equal & (equal.cumsum(0) <= count - below.sum()))


MAGNITUDE = Recipe(
    "prune",
    "Magnitude pruning",
    "prune",
    "share of weights set to zero",
    (0.3, 0.5, 0.7, 0.9),
    order=20,
)
RANDOM = replace(
    MAGNITUDE,
    name="prune_random",
    title="Random pruning (the control)",
    fixed=(("by", "random"),),
    order=21,
)
ATTRIBUTION = replace(
    MAGNITUDE,
    name="prune_attribution",
    title="Attribution-ranked pruning",
    fixed=(("by", "attribution"),),
    needs_rows=True,
    order=22,
)
