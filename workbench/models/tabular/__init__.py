"""Estimators of scikit-learn and boosters: their columns, their scores and their trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.models.tabular.boosters import booster_library, booster_model
    from workbench.models.tabular.checks import Refuse, check_nodes, pointless
    from workbench.models.tabular.fitted import fitted_on
    from workbench.models.tabular.lightgbm_text import check_lightgbm
    from workbench.models.tabular.reading import in_columns
    from workbench.models.tabular.scikit import (
        booster_alone,
        final_step,
        logits_per_class,
        scikit_model,
    )
    from workbench.models.tabular.scikit_trees import numbers_of_labels
    from workbench.models.tabular.xgboost import check_xgboost
else:
    open_door(__name__)

__all__ = [
    "Refuse",
    "booster_alone",
    "booster_library",
    "booster_model",
    "check_lightgbm",
    "check_nodes",
    "check_xgboost",
    "final_step",
    "fitted_on",
    "in_columns",
    "logits_per_class",
    "numbers_of_labels",
    "pointless",
    "scikit_model",
]
