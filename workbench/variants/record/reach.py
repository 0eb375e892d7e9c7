"""Which weights of a network a compressor reaches, and which it leaves whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workbench.errors import IncompatibleError
from workbench.variants.record.layers import plain_layers

if TYPE_CHECKING:
    import torch

# Words in the name of a parameter that is added or looked up, and multiplies nothing.
_NO_WEIGHT = frozenset(
    {"bias", "embed", "embedding", "embeddings", "pos", "position", "token", "tokens", "table"}
)
_NAMED = 6  # parts that a note names


def multiplying_weights(module: torch.nn.Module, name: str) -> dict[str, torch.nn.Parameter]:
    """The weights that multiply what a network computes, by their path in it; a shared one counts once.

    Those of linear and convolution layers, of recurrent layers and attention, and every floating parameter
    of two or more dimensions of the user's own layers. Not among them: embeddings, which are looked up
    (unless a linear layer shares them), and parameters that are added: those of one row, or called bias,
    position or token.

    Args:
        name: what a message calls the model.

    Raises:
        IncompatibleError: there is none, or one of a linear or convolution layer is not a plain one.
    """
    from torch import nn

    layers = plain_layers(module, name)
    found = {f"{path}.weight".lstrip("."): _own(layer) for path, layer in layers.items()}
    seen = {id(weight) for weight in found.values()}
    ready = {id(layer) for layer in layers.values()}
    for path, part in module.named_modules():
        looked_up = isinstance(part, nn.Embedding | nn.EmbeddingBag)
        computed = isinstance(part, nn.utils.parametrize.ParametrizationList)
        if looked_up or computed or id(part) in ready:
            continue
        for key, weight in part._parameters.items():
            if weight is None or id(weight) in seen or not _matrix(weight):
                continue
            one_row = weight.shape[0] == 1 and not isinstance(part, nn.Bilinear)
            if one_row or _NO_WEIGHT & set(key.lower().split("_")):
                continue
            seen.add(id(weight))
            found[f"{path}.{key}".lstrip(".")] = weight
    if not found:
        kinds = sorted({type(part).__name__ for part in module.modules()})
        raise IncompatibleError(
            f"A model with linear or convolution layers is needed, but {name!r} has none, and no other "
            f"weights; its parts are {kinds[:8]}. A quantized or compiled copy has to be made last, from "
            "the pruned model."
        )
    order = {id(weight): i for i, weight in enumerate(module.parameters())}
    return dict(sorted(found.items(), key=lambda item: order[id(item[1])]))


def beyond_reach(
    module: torch.nn.Module,
    reached: Iterable[torch.Tensor],
    *,
    said: Iterable[torch.nn.Module] = (),
) -> str:
    """A sentence on the weights that a compressor leaves whole, or "" where it reaches all of them.

    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Embedding(3, 2), torch.nn.Linear(2, 1))
    >>> beyond_reach(net, [net[1].weight])
    "It reaches 25.0% of all weights; left whole: '0' (Embedding)."

    Args:
        reached: the weights it reaches.
        said: parts that another note names; their weights are counted, and not named again.
    """
    ids = {id(weight) for weight in reached}
    named = {id(part) for part in said}
    inside = total = 0
    left: list[str] = []
    seen: set[int] = set()
    for path, part in module.named_modules():
        mine = [one for one in part._parameters.values() if one is not None and _matrix(one)]
        mine = [one for one in mine if id(one) not in seen]
        seen |= {id(one) for one in mine}
        total += sum(one.numel() for one in mine)
        inside += sum(one.numel() for one in mine if id(one) in ids)
        if any(id(one) not in ids for one in mine) and id(part) not in named:
            left.append(f"{path or 'the module itself'!r} ({type(part).__name__})")
    if not left:
        return ""
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return f"It reaches {inside / total:.1%} of all weights; left whole: {', '.join(left[:_NAMED])}{more}."


def _own(layer: torch.nn.Module) -> torch.nn.Parameter:
    weight: torch.nn.Parameter = layer._parameters["weight"]  # type: ignore[assignment]
    return weight


def _matrix(weight: torch.Tensor) -> bool:
    import torch

    return type(weight.data) is torch.Tensor and weight.ndim > 1 and weight.is_floating_point()
