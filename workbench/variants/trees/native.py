"""A tree model's own estimator or booster, changed in a copy that is wrapped like the original."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError
from workbench.models.rewrapping import rewrapped, with_final
from workbench.models.tabular import booster_library, final_step
from workbench.variants.record import Applies, recorded, rows_to_try


def final_of(model: Model, applies: Applies) -> Any:
    """The estimator or booster that gives the scores.

    Raises:
        IncompatibleError: the compressor does not apply, or the model's scores are not its object's own.
    """
    if why := applies(model):
        raise IncompatibleError(why)
    rows = rows_to_try(model, None)
    own = rewrapped(model, model.native, name=model.name)
    if rows is not None and not np.array_equal(own.scores(rows), model.scores(rows)):
        raise IncompatibleError(
            f"The copy is made from the {type(model.native).__name__} that {model.name!r} wraps, but the "
            "model gives other scores than that object. Wrap the object itself with "
            "workbench.wrap(model.native)."
        )
    return final_step(model.native)[0]


def tree_copy(
    model: Model,
    final: Any,
    *,
    name: str,
    recipe: str,
    description: str,
    touched: int,
    trees: int,
    rows: Inputs | None,
    notes: tuple[str, ...] = (),
) -> Model:
    """The model with another estimator or booster at its end, with its record."""
    made = rewrapped(model, with_final(model.native, final), name=name)
    library = booster_library(final)
    return recorded(
        made,
        model,
        recipe=recipe,
        description=description,
        runs_as=f"trees, {library or 'scikit-learn'}",
        touched=touched,
        layers=trees,
        rows=rows,
        notes=notes,
    )


def members_of(estimator: Any) -> list[Any]:
    """The single trees of a fitted tree, forest or gradient boosting of scikit-learn, in order."""
    found = getattr(estimator, "estimators_", None)
    return [estimator] if found is None else list(np.ravel(np.asarray(found, dtype=object)))


def with_members(estimator: Any, change: Callable[[Any], Any]) -> Any:
    """A copy in which `change` was applied to every single tree."""
    if getattr(estimator, "estimators_", None) is None:
        return change(estimator)
    own = copy.copy(estimator)
    if isinstance(estimator.estimators_, np.ndarray):
        made = np.empty(estimator.estimators_.shape, dtype=object)
        for place, member in np.ndenumerate(estimator.estimators_):
            made[place] = change(member)
        own.estimators_ = made
    else:
        own.estimators_ = [change(member) for member in estimator.estimators_]
    return own


def with_arrays(member: Any, nodes: NDArray[Any], values: NDArray[np.float64]) -> Any:
    """A copy of one fitted tree with these nodes, in scikit-learn's form, and values `(nodes, o, k)`."""
    own = copy.copy(member)
    (features, classes, outputs) = member.tree_.__reduce__()[1]
    grown = type(member.tree_)(features, classes, outputs)
    grown.__setstate__(
        {
            "max_depth": _depth(nodes),
            "node_count": len(nodes),
            "nodes": nodes,
            "values": np.ascontiguousarray(values, dtype=np.float64),
        }
    )
    own.tree_ = grown
    return own


def arrays_of(member: Any) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The nodes and values of one fitted tree, as copies."""
    state = member.tree_.__getstate__()
    return state["nodes"].copy(), state["values"].copy()


def _depth(nodes: NDArray[Any]) -> int:
    """The number of levels below the root."""
    level, depth = np.array([0]), 0
    while True:
        inner = level[nodes["left_child"][level] >= 0]
        if not len(inner):
            return depth
        level = np.concatenate([nodes["left_child"][inner], nodes["right_child"][inner]])
        depth += 1
