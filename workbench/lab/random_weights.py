"""The same architecture with random weights, for the reasons of a model that learned nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import Model, Tree, Trees
from workbench.models.torch import device_of, lock_of, module_copy, remade, torch_engine_of

if TYPE_CHECKING:
    import torch


def with_random_weights(model: Model, seed: int) -> Model | None:
    """The model with random weights, or None where its weights cannot be accessed.

    - A torch module: a copy whose layers are initialized again. Parameters that this leaves unchanged are
      shuffled. Torch's random state is restored. None where weights are packed as integers.
    - Any model with `trees`: the same splits, with the leaves' values shuffled within each tree.
    - Any other model hides its weights. Permuting its columns instead would be a different control.
    """
    if torch_engine_of(model) is not None:
        if _packed(model.native):
            return None
        return remade(model, _initialized(model.native, seed), name=_name(model))
    if model.trees is not None:
        return _shuffled_trees(model, model.trees(), seed)
    return None


def _name(model: Model) -> str:
    return f"{model.name}, random weights"


def _packed(native: Any) -> bool:
    """Whether weights are not plain parameters: int8 buffers, packed objects, torchao's tensors."""
    import torch

    plain = (torch.Tensor, torch.nn.Parameter)
    held = (value for part in native.modules() for value in vars(part).values())
    return (
        any(type(one) not in plain for one in native.parameters())
        or any(one.dim() > 1 and one.dtype in (torch.int8, torch.uint8) for one in native.buffers())
        or any(isinstance(value, torch.ScriptObject) for value in held)
    )


def _initialized(native: Any, seed: int) -> torch.nn.Module:
    import torch

    with lock_of(native):
        module = module_copy(native)
    device = device_of(module)
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.no_grad():
        torch.manual_seed(seed)
        for part in module.modules():
            before = [weights.clone() for weights in part.parameters(recurse=False)]
            if callable(initialize := getattr(part, "reset_parameters", None)):
                initialize()
            # A layer may initialize a tensor that is no longer its parameter, as under weight_norm.
            for weights, learned in zip(part.parameters(recurse=False), before, strict=True):
                if not torch.equal(weights, learned):
                    continue
                order = torch.randperm(weights.numel(), device=weights.device)
                weights.copy_(weights.flatten()[order].reshape(weights.shape))
    return module


def _shuffled_trees(model: Model, trees: Trees, seed: int) -> Model:
    draw = np.random.default_rng(seed)
    shuffled = replace(trees, trees=tuple(_shuffled(tree, draw) for tree in trees.trees))
    return Model(
        name=_name(model),
        predict=shuffled.scores,
        outputs=model.outputs,
        scale=model.scale,
        unit=model.unit,
        kind=model.kind,
        features=model.features,
        categories=model.categories,
        classes=model.classes,
        opposite=model.opposite,
        columns=model.columns,
        shape=model.shape,
        batch=model.batch,
        trees=lambda: shuffled,
    )


def _shuffled(tree: Tree, draw: np.random.Generator) -> Tree:
    leaves = np.flatnonzero(tree.left < 0)
    values = tree.values.copy()
    values[leaves] = tree.values[draw.permutation(leaves)]
    return replace(tree, values=values)
