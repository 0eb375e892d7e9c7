"""Which compressors apply to which models: each function returns why one does not apply, or None."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.core import Model, kinds
from workbench.models.tabular import booster_library, final_step
from workbench.models.torch import torch_engine_of

Applies = Callable[[Model], str | None]

TREES = (
    "DecisionTreeClassifier",
    "DecisionTreeRegressor",
    "ExtraTreeClassifier",
    "ExtraTreeRegressor",
)
FORESTS = (
    "RandomForestClassifier",
    "RandomForestRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
)
GRADIENT_BOOSTING = ("GradientBoostingClassifier", "GradientBoostingRegressor")
HISTOGRAM_BOOSTING = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")

_BATCH_NORM = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm")


def for_tables(model: Model) -> str | None:
    """Why a model cannot be distilled into one that reads tables; only its scores are needed."""
    if model.kind is None or kinds.has_columns(model.kind):
        return None
    return (
        f"Trees and linear models read tables, but {model.name!r} reads {model.kind} rows. Distill it "
        "into a smaller network (variants.distill)."
    )


def for_torch(model: Model) -> str | None:
    """Why a compressor of torch modules does not apply."""
    if torch_engine_of(model) is not None:
        return None
    return (
        f"This changes the weights of a torch module, but {model.name!r} {_found(model)}. Choose a "
        "recipe for models of its kind, or wrap a module with workbench.wrap(module)."
    )


def for_batch_norm(model: Model) -> str | None:
    """Why there is no batch normalization to fold."""
    if why := for_torch(model):
        return why
    module: Any = model.native
    if any(type(part).__name__ in _BATCH_NORM for part in module.modules()):
        return None
    return f"Folding needs a batch normalization, but {model.name!r} has none. There is nothing to fold."


def for_fewer_trees(model: Model) -> str | None:
    """Why no trees can be left out."""
    return _for(model, (*FORESTS, *GRADIENT_BOOSTING, *HISTOGRAM_BOOSTING), "leaves trees out")


def for_pruned_trees(model: Model) -> str | None:
    """Why cost-complexity pruning does not apply."""
    return _for(model, (*TREES, *FORESTS), "prunes trees", boosters=False)


def for_leaves(model: Model) -> str | None:
    """Why there are no leaves to round."""
    return _for(
        model, (*TREES, *FORESTS, *GRADIENT_BOOSTING, *HISTOGRAM_BOOSTING), "rounds leaf values"
    )


def _for(model: Model, kinds: tuple[str, ...], what: str, *, boosters: bool = True) -> str | None:
    final, _ = final_step(model.native)
    scikit = type(final).__module__.startswith("sklearn.") and type(final).__name__ in kinds
    if scikit or (boosters and booster_library(final) is not None):
        return None
    also = ", XGBoost, LightGBM and CatBoost" if boosters else ""
    return (
        f"This {what} of {', '.join(kinds)}{also}, but {model.name!r} {_found(model)}. Give a model of "
        "these kinds, or distill it into a tree (distill_to_tree)."
    )


def _found(model: Model) -> str:
    if model.native is None:
        return "does not tell which library its object comes from"
    return f"wraps a {type(model.native).__name__}"
