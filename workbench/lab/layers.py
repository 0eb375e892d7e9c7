"""Which layers cause a drift: one layer of the copy at a time replaces the original's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.compare.drift import drift_per_row
from workbench.core import Inputs, Method, Model, Study, Target
from workbench.errors import IncompatibleError, InputError
from workbench.models.asking import steady_batches
from workbench.models.torch import engine_of, lock_of, module_copy, remade
from workbench.study.run import run

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LayerFinding:
    """How far one layer of a copy alone changes the original's reasons.

    Args:
        layer: its name in the module.
        kind: its class in the original.
        drift: mean over rows when this layer alone is the copy's.
        largest: the largest drift of a row.
        change: the largest difference of a score.
        whole: mean drift of the whole copy, for comparison; layers need not add up to it.
    """

    layer: str
    kind: str
    drift: float
    largest: float
    change: float
    whole: float


def responsible_layers(
    reference: Model,
    copy: Model,
    inputs: Inputs,
    method: Method,
    *,
    target: Target | None = None,
    metric: str | None = None,
) -> tuple[LayerFinding, ...]:
    """The layers by the drift that each causes alone, the largest first.

    One layer of the finished copy at a time is put, by name, into a copy of the original. This works for
    every recipe that keeps the layers' names, shapes and precision, such as `fake_quantize` (which
    quantizes a layer's activations too), `prune` and `fine_tune`. A layer cast to half precision cannot
    read its neighbors' output, and is refused. Unchanged layers are neither tried nor listed.

    Costs one explanation of all rows per layer, and two for the whole models.

    Args:
        method: one that can explain the reference, the copy and models in between. Coarse rounding has no
            reliable gradient, so take a method that needs only scores.
        target: what to explain; None is the reference's own prediction, row by row.
        metric: a key of `DRIFT_METRICS`; the first that decides for this kind of rows when left out.

    Raises:
        IncompatibleError: the models are not torch modules, or layers' names, shapes or precision differ.
        InputError: the copy has no layer that differs.
    """
    original, changed = (_module(model) for model in (reference, copy))
    scores = reference.scores(inputs.values)
    target = Target.predicted() if target is None else target
    if target.index is None:
        own = Target(None).weights(reference, scores)
        target = Target.at(own.argmax(axis=1), reference.outputs, target.against)
    metric = inputs.of_kind.deciding[0] if metric is None else metric
    differing = tuple(_differing(original, changed, copy.name))
    if not differing:
        raise InputError(
            f"{copy.name!r} has no layer that differs from {reference.name!r}'s, so none is responsible. "
            "Check with copy.variant that it changed anything."
        )
    mixed = [
        remade(
            reference,
            _with_layer(original, changed, layer),
            name=f"{reference.name}, {layer} of {copy.name}",
        )
        for layer in differing
    ]
    study = Study((reference, copy, *mixed), (method,), inputs, (target,))
    with steady_batches():  # with batches sized by time, the same weights would differ by rounding
        first, whole, *each = run(study)
    total = float(drift_per_row(metric, first, whole).mean())
    found = []
    for layer, model, attribution in zip(differing, mixed, each, strict=True):
        drift = drift_per_row(metric, first, attribution)
        found.append(
            LayerFinding(
                layer=layer,
                kind=type(original.get_submodule(layer)).__name__,
                drift=float(drift.mean()),
                largest=float(drift.max()),
                change=float(np.abs(model.scores(inputs.values) - scores).max()),
                whole=total,
            )
        )
    return tuple(sorted(found, key=lambda one: -one.drift))


def _module(model: Model) -> Any:
    engine_of(model)  # refuses other libraries
    return model.native


def _differing(original: Any, changed: Any, name: str) -> Iterator[str]:
    """The names of the original's layers with weights that are not the same in the copy.

    Raises:
        IncompatibleError: the copy has no layer of that name, or one of another shape or precision.
    """
    others = dict(changed.named_modules())
    for layer, mine in original.named_modules():
        if any(True for _ in mine.children()) or not any(True for _ in mine.parameters()):
            continue
        theirs = others.get(layer)
        if theirs is None or not _fits(theirs, mine):
            raise IncompatibleError(
                f"Layers can be put in each other's place where they have the same names, shapes and "
                f"precision, but {layer!r} of {name!r} is not the original's. Layers can be told apart "
                "for fake_quantize, prune and fine_tune; compare whole copies for the others."
            )
        if not _same(mine, theirs):
            yield layer


def _fits(theirs: Any, mine: Any) -> bool:
    """Whether two layers have weights of the same names, shapes and precision, computed or stored."""
    for name, weights in mine.named_parameters(recurse=False):
        other = getattr(theirs, name, None)
        if other is None or (other.shape, other.dtype) != (weights.shape, weights.dtype):
            return False
    return True


def _same(mine: Any, theirs: Any) -> bool:
    """Whether two layers compute the same: one class, the same hooks, the same weights and buffers."""
    import torch

    hooks = ("_forward_hooks", "_forward_pre_hooks")
    if type(mine) is not type(theirs) or any(getattr(theirs, name) for name in hooks):
        return False
    first, second = mine.state_dict(), theirs.state_dict()
    return first.keys() == second.keys() and all(
        torch.equal(value, second[key]) for key, value in first.items()
    )


def _with_layer(original: Any, changed: Any, layer: str) -> torch.nn.Module:
    """A copy of the original with one layer of the other module."""
    with lock_of(original):
        mixed = module_copy(original)
    with lock_of(changed):
        theirs = module_copy(changed.get_submodule(layer))
    holder, _, last = layer.rpartition(".")
    setattr(mixed.get_submodule(holder), last, theirs)
    return mixed
