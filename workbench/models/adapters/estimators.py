"""A fitted estimator or Pipeline of scikit-learn."""

from __future__ import annotations

import sys
from typing import Any

from workbench.core import Model
from workbench.models.arguments import Wrapping, check_tabular
from workbench.models.tabular import booster_alone, final_step, scikit_model


class Estimators:
    """Anything derived from scikit-learn's `BaseEstimator`, except a booster with no step before it."""

    what = "a fitted scikit-learn estimator or Pipeline"
    reads = ("frames",)
    order = 2

    def recognizes(self, native: object) -> bool:
        """Whether the object is such an estimator."""
        base = sys.modules.get("sklearn.base")
        return (
            base is not None
            and isinstance(native, base.BaseEstimator)
            and booster_alone(native) is None
        )

    def wrap(self, native: Any, wrapping: Wrapping) -> Model:
        """See `scikit_model`."""
        check_tabular(wrapping)
        return scikit_model(native, wrapping.named(type(final_step(native)[0]).__name__))
