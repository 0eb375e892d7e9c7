"""An interactive explainability workbench: explain the same rows of many models, and compare.

>>> import workbench as wb
>>> from workbench import methods
>>> model = wb.Model("sum", lambda rows: rows @ [[2.0], [-1.0]], ("score",), "raw")
>>> inputs = wb.Inputs([[1.0, 1.0]], kind="tabular", features=("a", "b"), background=[[0.0, 0.0]])
>>> wb.explain(model, inputs, methods.ExactShapley()).values
array([[ 2., -1.]])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.compare import compare
    from workbench.core import (
        Attribution,
        Cell,
        Comparison,
        Inputs,
        Interactions,
        Method,
        Model,
        Plan,
        Study,
        Target,
    )
    from workbench.lab import drift
    from workbench.models import load, wrap
    from workbench.second_opinion import SecondOpinion, cross_check
    from workbench.study.plan import plan
    from workbench.study.run import explain, run, steps
    from workbench.study.stored import read
    from workbench.trees.interactions import tree_interactions
else:
    open_door(
        __name__,
        rooms=("data", "draw", "ensembles", "lab", "methods", "models", "panels", "variants"),
    )

__version__ = "0.1.0"

__all__ = [
    "Attribution",
    "Cell",
    "Comparison",
    "Inputs",
    "Interactions",
    "Method",
    "Model",
    "Plan",
    "SecondOpinion",
    "Study",
    "Target",
    "compare",
    "cross_check",
    "drift",
    "explain",
    "load",
    "plan",
    "read",
    "run",
    "steps",
    "tree_interactions",
    "wrap",
]
