"""`tree_interactions`: exact pairwise interaction values of a tree model."""

from __future__ import annotations

import time
from typing import Literal, get_args

import numpy as np

from workbench.core import Inputs, Interactions, Model, Target, resolve_targets
from workbench.errors import IncompatibleError, InputError
from workbench.trees.credit import TreeCredit

Perturbation = Literal["interventional", "tree_path_dependent"]
_BYTES = 2**30


def tree_interactions(
    model: Model,
    inputs: Inputs,
    target: Target | None = None,
    feature_perturbation: Perturbation = "interventional",
) -> Interactions:
    """Shapley interaction values `(n, f, f)` of a sum of trees, exact in the same games as `TreeSHAP`.

    >>> from workbench.core import Tree, Trees
    >>> xor = Tree(
    ...     left=np.array([1, 3, 5, -1, -1, -1, -1]), right=np.array([2, 4, 6, -1, -1, -1, -1]),
    ...     feature=np.array([0, 1, 1, 0, 0, 0, 0]), threshold=np.full(7, 0.5),
    ...     missing_left=np.zeros(7, dtype=bool), cover=np.array([4.0, 2, 2, 1, 1, 1, 1]),
    ...     values=np.array([[0.0], [0], [0], [0], [1], [1], [0]]),
    ... )
    >>> trees = Trees((xor,), offset=np.zeros(1))
    >>> model = Model("xor", trees.scores, outputs=("y",), scale="raw", trees=lambda: trees)
    >>> corners = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    >>> rows = Inputs([[1.0, 0.0]], kind="tabular", background=corners)
    >>> tree_interactions(model, rows, Target(0)).values.tolist()  # a pair alone makes the output
    [[[0.0, 0.25], [0.25, 0.0]]]

    Args:
        model: a model with trees.
        inputs: the rows; with a background for the interventional game.
        target: what is explained; each row's own prediction when left out.
        feature_perturbation: where an absent feature's value comes from, as in `TreeSHAP`.

    Raises:
        IncompatibleError: the model has no trees.
        InputError: a background is needed, or the result would not fit into memory.

    Source: Lundberg et al. (2020), section "SHAP interaction values"; Grabisch & Roubens (1999).
    """
    started = time.perf_counter()
    if feature_perturbation not in get_args(Perturbation):
        raise InputError(
            f"feature_perturbation must be one of {list(get_args(Perturbation))}, not "
            f"{feature_perturbation!r}."
        )
    if model.trees is None:
        raise IncompatibleError(
            f"Interaction values need trees, but model {model.name!r} provides only "
            f"{list(model.capabilities)}."
        )
    if feature_perturbation == "interventional" and inputs.background is None:
        raise InputError(
            f"Interventional interaction values need background rows, but {inputs.name!r} has none. Add "
            "them with Inputs(rows, background=training_rows), or choose "
            "feature_perturbation='tree_path_dependent'."
        )
    n, features = inputs.values.shape
    if 8 * n * features**2 > _BYTES:
        raise InputError(
            f"The interactions of {n} rows and {features} features need "
            f"{8 * n * features**2 / 2**30:.1f} GiB. Explain fewer rows at a time."
        )
    chosen = Target.predicted() if target is None else target
    trees = model.trees()
    scores, weights = resolve_targets(model, inputs, (chosen,))
    background = inputs.background if feature_perturbation == "interventional" else None
    engine = TreeCredit(trees, background)
    values = engine.pairs_of(inputs.values, weights)[0]
    expected = trees.expected() if background is None else model.scores(background).mean(axis=0)
    return Interactions(
        values=values,
        output=np.einsum("nk,nk->n", weights[0], scores) + chosen.offset(model, n),
        base=weights[0] @ expected + chosen.offset(model, n),
        inputs=inputs,
        model=model.name,
        feature_perturbation=feature_perturbation,
        target=chosen,
        scale=model.scale,
        seconds=time.perf_counter() - started,
    )
