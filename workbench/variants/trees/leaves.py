"""Leaf values with few bits: each is rounded to a grid that the whole ensemble shares."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import InputError
from workbench.models.tabular import booster_library
from workbench.variants.recipes import Recipe
from workbench.variants.record import HISTOGRAM_BOOSTING, for_leaves
from workbench.variants.trees.boosters import booster_leaves
from workbench.variants.trees.native import (
    arrays_of,
    final_of,
    members_of,
    tree_copy,
    with_arrays,
    with_members,
)

Array = NDArray[np.float64]


@repeatable
def quantize_leaves(
    model: Model, bits: int, *, name: str | None = None, rows: Inputs | None = None
) -> Model:
    """A tree model whose leaf values are rounded to 2**bits levels.

    The levels are evenly spaced between the smallest and the largest leaf value of all trees. Class
    frequencies are rounded between 0 and 1, so that those of a leaf still add up to one: they are rounded
    down, and the rest goes to those with the largest remainders.

    Args:
        model: a decision tree, forest, gradient boosting, or a model of XGBoost, LightGBM or CatBoost,
            alone or at the end of a Pipeline; left as it is.
        bits: per leaf value, 1 … 16.
        name: what menus and tables call the copy.
        rows: to try both models on.

    Raises:
        InputError: bits out of range.
        IncompatibleError: a model of another kind.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16:
        raise InputError(f"bits is a whole number of bits per leaf value, 1 … 16, not {bits!r}.")
    final = final_of(model, for_leaves)
    rounded = _rounded(final, bits, model.name)
    made, touched, trees = rounded
    return tree_copy(
        model,
        made,
        name=name or f"{model.name}, {bits}-bit leaves",
        recipe=f"quantize_leaves(model, {bits})",
        description=f"leaf values rounded to {2**bits} levels",
        touched=touched,
        trees=trees,
        rows=rows,
    )


def _rounded(final: Any, bits: int, name: str) -> tuple[Any, int, int]:
    """The copy, how many of its trees were changed, and how many there are."""
    if booster_library(final) is not None:
        leaves, put = booster_leaves(final, name)
        grid = _Grid.over(leaves, bits)
        new = [grid(values) for values in leaves]
        return put(new), _changed(leaves, new), len(leaves)
    if type(final).__name__ in HISTOGRAM_BOOSTING:
        return _histograms(final, bits)
    members = members_of(final)
    shares = hasattr(members[0], "classes_")
    found = [_leaves(member) for member in members]
    levels = None if shares else _Grid.over([np.concatenate([v.ravel() for v in found])], bits)
    changed = 0

    def rounded(member: Any) -> Any:
        nonlocal changed
        nodes, values = arrays_of(member)
        ends = nodes["left_child"] < 0
        before = values[ends].copy()
        if levels is None:
            counts = np.atleast_1d(member.n_classes_).tolist()
            for output, count in enumerate(counts):
                part = values[ends, output, :count]
                values[ends, output, :count] = shared_out(part, 2**bits - 1)
        else:
            values[ends] = levels(values[ends])
        changed += not np.array_equal(before, values[ends])
        return with_arrays(member, nodes, values)

    return with_members(final, rounded), changed, len(members)


def shared_out(shares: Array, steps: int) -> Array:
    """Shares `(n, k)` that add up to one, as multiples of 1 / steps that still add up to one.

    >>> shared_out(np.array([[0.5, 0.3, 0.2]]), 4)
    array([[0.5 , 0.25, 0.25]])
    """
    exact = shares / shares.sum(axis=1, keepdims=True) * steps
    down = np.floor(exact + 1e-9)  # a whole number that division made a little smaller stays whole
    over = np.rint(steps - down.sum(axis=1)).astype(np.intp)
    rank = np.argsort(np.argsort(down - exact, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray((down + (rank < over[:, None])) / steps)


class _Grid:
    """Evenly spaced levels between two values."""

    def __init__(self, low: float, high: float, bits: int) -> None:
        self.low, self.steps = low, 2**bits - 1
        self.step = (high - low) / self.steps

    @classmethod
    def over(cls, leaves: list[Array], bits: int) -> _Grid:
        """The grid over all leaf values."""
        low = min(float(values.min()) for values in leaves)
        high = max(float(values.max()) for values in leaves)
        return cls(low, high, bits)

    def __call__(self, values: Array) -> Array:
        if self.step == 0:
            return values.copy()
        return np.asarray(self.low + np.rint((values - self.low) / self.step) * self.step)


def _leaves(member: Any) -> Array:
    tree = member.tree_
    return np.asarray(tree.value[tree.children_left < 0], dtype=np.float64)


def _changed(before: list[Array], after: list[Array]) -> int:
    return sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def _histograms(final: Any, bits: int) -> tuple[Any, int, int]:
    predictors = [one for stage in final._predictors for one in stage]
    leaves = [one.nodes["value"][one.nodes["is_leaf"].astype(bool)] for one in predictors]
    grid = _Grid.over(leaves, bits)

    def rounded(predictor: Any) -> Any:
        own = copy.copy(predictor)
        own.nodes = predictor.nodes.copy()
        ends = own.nodes["is_leaf"].astype(bool)
        own.nodes["value"][ends] = grid(own.nodes["value"][ends])
        return own

    own = copy.copy(final)
    own._predictors = [[rounded(one) for one in stage] for stage in final._predictors]
    return own, _changed(leaves, [grid(values) for values in leaves]), len(predictors)


RECIPE = Recipe(
    "quantize_leaves",
    "Rounded leaves",
    "quantize_leaves",
    "bits per leaf value",
    (8, 4, 2),
    parameter="bits",
    applies=for_leaves,
    order=42,
)
