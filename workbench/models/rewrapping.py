"""Another estimator or booster in place of the one that a model wraps."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from workbench.core import Model
from workbench.models.answer import row_like
from workbench.models.tabular import booster_alone, booster_library, final_step
from workbench.models.wrapping import wrap


def rewrapped(model: Model, native: object, *, name: str) -> Model:
    """The model that wraps `native` just as `model` wraps its own: same outputs, scale and columns."""
    from sklearn.base import BaseEstimator, is_regressor

    final, _ = final_step(native)
    own_unit = (
        isinstance(native, BaseEstimator)
        and booster_library(final) is None
        and is_regressor(native)
    )
    made = wrap(
        native,
        name=name,
        outputs=model.outputs,
        scale=None if own_unit else model.scale,
        like=row_like(model),
        shape=model.shape or None,
        batch=model.batch,
        frames=None
        if booster_alone(native) is not None
        else getattr(model.predict, "frames", None),
    )
    # A regressor may replace a classifier, as a distilled tree does.
    return replace(
        made,
        scale=model.scale,
        unit=model.unit,
        features=model.features,
        categories=model.categories,
        columns=model.columns,
        classes=model.classes,
        opposite=model.opposite,
        lineage=model.lineage,
    )


def with_final(native: Any, final: Any) -> Any:
    """A shallow copy of a Pipeline, or of a wrapper of a fitted estimator, whose last step is `final`."""
    if hasattr(native, "best_estimator_"):
        return with_final(native.best_estimator_, final)
    if type(native).__name__ == "FrozenEstimator":
        return with_final(native.estimator, final)
    if hasattr(native, "steps") and hasattr(native, "named_steps"):
        own = copy.copy(native)
        label, last = native.steps[-1]
        own.steps = [*native.steps[:-1], (label, with_final(last, final))]
        return own
    return final
