"""Any callable, or any object with `predict_proba`, `decision_function` or `predict`."""

from __future__ import annotations

from typing import Any

from workbench.core import Model
from workbench.models.arguments import Wrapping
from workbench.models.function import can_be_asked, function_model


class Functions:
    """Anything that gives scores and that no other adapter recognizes."""

    what = "a callable from rows to scores"
    reads = ("frames", "retries", "metered")
    order = 9

    def recognizes(self, native: object) -> bool:
        """Whether it can be called, or has a method that gives scores; a class is not accepted."""
        return can_be_asked(native)

    def wrap(self, native: Any, wrapping: Wrapping) -> Model:
        """See `function_model`."""
        wrapping = wrapping.named(str(getattr(native, "__name__", type(native).__name__)))
        return function_model(native, wrapping)
