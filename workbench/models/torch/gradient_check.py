"""Is a model's gradient right? Checks its graph of derivatives, then finite differences of its scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from workbench.core import GradientCheck, Inputs, Model
from workbench.core.variant import GradientStatus
from workbench.errors import InputError
from workbench.models.asking import held_against_differences
from workbench.models.torch.engine import TorchEngine
from workbench.models.torch.gradient_scan import Scan
from workbench.models.torch.module import torch_engine_of


def check_gradient(model: Model, rows: Inputs | NDArray[Any], *, seed: int = 0) -> GradientCheck:
    """Whether the model's gradient is the slope of the model's scores, tried on a few rows.

    For a torch module the graph is checked first: it may be missing, may not reach the rows, or may hold
    operators without a derivative. A gradient that passes, and that of any other model, is compared with
    finite differences. A net with a branch that rounds has a plausible gradient, and torch does not warn.

    Scores that move in steps have no slope for a gradient to match. Where they come with a twin whose
    gradient passes straight through the rounding, the twin's graph without the steps is checked instead: it
    has every other part, so a branch without a derivative shows there.

    Where the scores hardly move, as those of a softmax near 0 and 1, the differences are below rounding and
    the gradient is "not decided": nothing speaks against it, and it may be used.

    >>> import numpy as np
    >>> def halved(rows, weights):  # the slope of x squared is 2 x, and not x
    ...     return rows**2, weights * rows
    >>> square = Model("square", lambda rows: rows**2, ("y",), "raw", gradient=halved)
    >>> check_gradient(square, np.array([[1.0], [2.0]])).status
    'suspect'

    Args:
        model: its `gradient` and its `predict` may come from different engines, as in a copy that is
            explained through its twin.
        rows: the first `TRIED` of them are tried.
        seed: of the directions.

    Raises:
        InputError: there are no rows.
    """
    values = rows.values if isinstance(rows, Inputs) else rows
    if not len(values):
        raise InputError(
            f"Rows to try the gradient of {model.name!r} on are needed, but there are none."
        )
    if model.gradient is None:
        reason = model.absent.get("gradient", f"Model {model.name!r} offers no gradient.")
        tried = torch_engine_of(model)
        broken = None if tried is None else tried.broken
        return GradientCheck("none", reason) if broken is None else _of_graph(broken)
    engine = getattr(model.gradient, "__self__", None)
    if not isinstance(engine, TorchEngine):
        return held_against_differences(model.predict, model.gradient, values, seed=seed)
    scan = engine.scanned(values[:1])
    if not scan.whole:
        return _of_graph(scan)
    if engine.smooth is None:
        check = held_against_differences(model.predict, engine.slopes, values, seed=seed)
    else:
        smooth = engine.smooth
        check = held_against_differences(smooth.predict, smooth.slopes, values, seed=seed)
        check = replace(check, detail=f"Without the steps of its rounding: {check.detail}")
    engine.trust.adopt(check)
    return check


def _of_graph(scan: Scan) -> GradientCheck:
    """The verdict on a graph of derivatives that is not whole."""
    status: GradientStatus = "suspect" if scan.connected else "disconnected"
    return GradientCheck(status if scan.tracked else "none", scan.fault)
