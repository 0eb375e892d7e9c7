"""Fewer trees: the first of a forest, or the first rounds of boosting."""

from __future__ import annotations

import copy
import json
from typing import Any

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import IncompatibleError, InputError
from workbench.models.tabular import booster_library
from workbench.variants.recipes import Recipe
from workbench.variants.record import FORESTS, HISTOGRAM_BOOSTING, for_fewer_trees
from workbench.variants.trees.native import final_of, tree_copy


@repeatable
def fewer_trees(
    model: Model, share: float, *, name: str | None = None, rows: Inputs | None = None
) -> Model:
    """A forest with the first share of its trees, or boosting with the first share of its rounds.

    The trees of a forest are grown independently, so the first are as good as any; rounds of boosting
    correct those before them, so only the first rounds are a model by themselves. Boosters are cut by their
    own libraries.

    Args:
        model: a random forest, extra trees, gradient boosting, or a model of XGBoost, LightGBM or CatBoost,
            alone or at the end of a Pipeline; left as it is. Rounds after the best of early stopping do not
            count, as for `predict`.
        share: of the trees (rounds) to keep, above 0 and at most 1; at least one is kept.
        name: what menus and tables call the copy.
        rows: to try both models on.

    Raises:
        InputError: a share out of range.
        IncompatibleError: a model of another kind.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise InputError(
            f"share is the part of the trees that is kept, above 0 and at most 1, not {share!r}. Take 0.5."
        )
    final = final_of(model, for_fewer_trees)
    every, cut = _cutter(final, model.name)
    kept = max(1, round(share * every))
    unit = "trees" if type(final).__name__ in FORESTS else "rounds"
    return tree_copy(
        model,
        cut(kept),
        name=name or f"{model.name}, {kept} {unit}",
        recipe=f"fewer_trees(model, {share!r})",
        description=f"the first {kept} of {every} {unit}",
        touched=every - kept,
        trees=every,
        rows=rows,
    )


def _cutter(final: Any, name: str) -> tuple[int, Any]:
    """How many trees or rounds count, and a function that makes a copy with the first so many."""
    library = booster_library(final)
    if library is not None:
        if library == "xgboost":
            return _of_xgboost(final, name)
        return _of_lightgbm(final) if library == "lightgbm" else _of_catboost(final)
    if type(final).__name__ in HISTOGRAM_BOOSTING:
        return len(final._predictors), lambda kept: _histograms(final, kept)
    return len(final.estimators_), lambda kept: _estimators(final, kept)


def _estimators(final: Any, kept: int) -> Any:
    own = copy.copy(final)
    own.estimators_ = final.estimators_[:kept]
    own.n_estimators = kept
    if hasattr(final, "n_estimators_"):
        own.n_estimators_ = kept
    for word in ("train_score_", "oob_improvement_", "oob_scores_"):
        if hasattr(final, word):
            setattr(own, word, getattr(final, word)[:kept])
    for word in ("oob_score_", "oob_decision_function_", "oob_prediction_"):
        vars(own).pop(word, None)  # these were measured with all trees
    return own


def _histograms(final: Any, kept: int) -> Any:
    own = copy.copy(final)
    own._predictors = final._predictors[:kept]
    own.max_iter = kept
    for word in ("train_score_", "validation_score_"):  # one more: the score before the first round
        if hasattr(final, word):
            setattr(own, word, getattr(final, word)[: kept + 1])
    return own


def _of_xgboost(final: Any, name: str) -> tuple[int, Any]:
    booster = final.get_booster() if hasattr(final, "get_booster") else final
    every = int(booster.num_boosted_rounds())
    kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    if kind == "gblinear":
        raise IncompatibleError(
            f"Leaving trees out needs trees, but {name!r} is a linear model (booster='gblinear'). "
            "Prune its weights instead."
        )
    best = booster.attr("best_iteration")
    if final is not booster and best is not None:
        every = int(best) + 1

    def cut(kept: int) -> Any:
        part = _labeled(booster[:kept], booster)  # without the attributes of early stopping
        if final is booster:
            return part
        own = copy.copy(final)
        own._Booster = part
        own.n_estimators = kept
        return own

    return every, cut


def _labeled(part: Any, booster: Any) -> Any:
    """The part with the labels of categories, which XGBoost drops from a slice."""
    import xgboost

    stored, whole = (json.loads(bytes(one.save_raw("json"))) for one in (part, booster))
    inner, outer = (
        path.get("gbtree", path)["model"]
        for path in (one["learner"]["gradient_booster"] for one in (stored, whole))
    )
    if not (outer.get("cats") or {}).get("enc"):
        return part
    inner["cats"] = outer["cats"]
    return xgboost.Booster(model_file=bytearray(json.dumps(stored).encode()))


def _of_lightgbm(final: Any) -> tuple[int, Any]:
    import lightgbm

    booster = final.booster_ if hasattr(type(final), "booster_") else final
    best = int(booster.best_iteration)
    every = best if best > 0 else int(booster.current_iteration())

    def cut(kept: int) -> Any:
        text = booster.model_to_string(num_iteration=kept)
        part = lightgbm.Booster(model_str=text)
        if final is booster:
            return part
        own = copy.copy(final)
        own._Booster = part
        own._best_iteration = -1
        own.n_estimators = kept
        return own

    return every, cut


def _of_catboost(final: Any) -> tuple[int, Any]:
    def cut(kept: int) -> Any:
        own = final.copy()
        own.shrink(ntree_end=kept)
        return own

    return int(final.tree_count_), cut


RECIPE = Recipe(
    "fewer_trees",
    "Fewer trees",
    "fewer_trees",
    "share of trees kept",
    (0.5, 0.25, 0.1),
    applies=for_fewer_trees,
    order=40,
)
