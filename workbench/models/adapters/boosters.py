"""A model of XGBoost, LightGBM or CatBoost."""

from __future__ import annotations

from typing import Any

from workbench.core import Model
from workbench.models.arguments import Wrapping, check_tabular
from workbench.models.tabular import booster_alone, booster_model


class Boosters:
    """Boosters and their estimators, also as the only step of a Pipeline or wrapper of scikit-learn."""

    what = "a booster of XGBoost, LightGBM or CatBoost"
    order = 3

    def recognizes(self, native: object) -> bool:
        """Whether rows reach a booster unchanged."""
        return booster_alone(native) is not None

    def wrap(self, native: Any, wrapping: Wrapping) -> Model:
        """See `booster_model`."""
        check_tabular(wrapping)
        booster = booster_alone(native)
        return booster_model(booster, wrapping.named(type(booster).__name__))
