"""The same architecture with random weights: what reasons look like when nothing was learned."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import Model, Tree, Trees
from workbench.models.torch_engine import TorchEngine
from workbench.models.torch_module import remade
from workbench.models.torch_state import device_of, lock_of

if TYPE_CHECKING:
    import torch


def with_random_weights(model: Model, seed: int) -> Model | None:
    """The model with what it learned drawn anew, or None where its weights cannot be reached.

    - A torch module: a copy whose layers are initialized again. Parameters of layers that cannot do that
      are shuffled. Torch's random state is left as found.
    - Any model with `trees`: the same splits, with the leaves' values shuffled within each tree.
    - Anything else hides its weights. Rewiring its columns instead would be another control, not this one.
    """
    if isinstance(getattr(model.predict, "__self__", None), TorchEngine):
        return remade(model, _initialized(model.native, seed), name=_name(model))
    if model.trees is not None:
        return _shuffled_trees(model, model.trees(), seed)
    return None


def _name(model: Model) -> str:
    return f"{model.name}, random weights"


def _initialized(native: Any, seed: int) -> torch.nn.Module:
    import torch

    with lock_of(native):
        module: torch.nn.Module = copy.deepcopy(native)
    device = device_of(module)
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.no_grad():
        torch.manual_seed(seed)
        for part in module.modules():
            if callable(initialize := getattr(part, "reset_parameters", None)):
                initialize()
                continue
            for weights in part.parameters(recurse=False):
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
        kind=model.kind,
        features=model.features,
        shape=model.shape,
        batch=model.batch,
        trees=lambda: shuffled,
    )


def _shuffled(tree: Tree, draw: np.random.Generator) -> Tree:
    leaves = np.flatnonzero(tree.left < 0)
    values = tree.values.copy()
    values[leaves] = tree.values[draw.permutation(leaves)]
    return replace(tree, values=values)
