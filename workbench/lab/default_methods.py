"""The methods used when none are given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.core import Inputs, Method, Model
from workbench.study.fit import obstacle

BUDGET = 4096
"""Model rows per explained row of a table, or more if two rotations over the background need more."""


def default_methods(models: Sequence[Model], inputs: Inputs) -> tuple[Method, ...]:
    """Recipes that suit the reference (the first model) and its copies, and are fast enough for all.

    - Tables: exact TreeSHAP where every model has trees; else PermutationSHAP with a fixed budget, so that
      every model sees the same permutations (a tolerance would end some earlier than others).
    - Images, signals, volumes: GradCAM where the reference has gradients at its layers, and Occlusion
      by quarters,
      which needs only scores and so explains every copy. Copies without gradients are left out of GradCAM.
    """
    from workbench import methods

    if inputs.of_kind.windows:
        window = int(np.clip(min(inputs.places) // 4, 1, 512))
        occlusion = methods.Occlusion(window=window, stride=max(1, window // 2))
        cam = methods.GradCAM()
        return (cam, occlusion) if obstacle(cam, models[0], inputs) is None else (occlusion,)
    trees = methods.TreeSHAP()
    if all(obstacle(trees, model, inputs) is None for model in models):
        return (trees,)
    fills = 1 if inputs.background is None else len(inputs.background)
    rotation = 2 * len(inputs.players()[1]) * fills
    return (methods.PermutationSHAP(budget=max(BUDGET, 2 * rotation)),)
