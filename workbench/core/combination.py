"""`Combination`: how an ensemble's scores come from its members' scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError

if TYPE_CHECKING:
    from workbench.core.model import Model

Array = NDArray[np.float64]

Form = Literal["weighted mean", "weighted sum", "not linear"]
"""What is done with members' scores: averaged in their own unit, added up as contributions in the
ensemble's unit, or something that is no sum."""

Rule = Callable[[Sequence[Array], NDArray[Any]], Array]
"""The members' scores `(n, k_m)` and the rows `(n, *f)` to the ensemble's scores `(n, K)`."""


@dataclass(frozen=True, eq=False)
class Combination:
    """Members, what each says about each output of the ensemble, and how that is put together.

    Linear forms are `intercept + sum_m weights[m] * (views[m] @ scores_m) + direct @ row`:

    >>> from workbench.core import Model
    >>> low = Model("low", lambda rows: rows * 1.0, ("y",), "raw")
    >>> high = Model("high", lambda rows: rows * 3.0, ("y",), "raw")
    >>> mean = Combination((low, high), "weighted mean", "raw", np.array([0.5, 0.5]), (np.eye(1),) * 2)
    >>> rows = np.array([[10.0]])
    >>> mean.scores([low.scores(rows), high.scores(rows)], rows)
    array([[20.]])

    Args:
        members: the m members; all read the ensemble's rows, and their names differ.
        form: see `Form`.
        space: the unit of the sum, in words: "probability", "vote share", "margin of the meta-model".
        weights: one per member `(m,)`; a mean's sum to one, a sum's are 1 unless they tell something.
        views: per member `(K, k_m)`: what of its outputs answers for each output of the ensemble.
        intercept: added to the sum `(K,)`; zeros when left out.
        direct: weights of the rows' own columns `(K, f)`, where they are passed through to the sum.
        rule: how scores are combined where that is not linear.
    """

    members: tuple[Model, ...]
    form: Form
    space: str
    weights: Array
    views: tuple[Array, ...]
    intercept: Array | None = None
    direct: Array | None = None
    rule: Rule | None = None

    def __post_init__(self) -> None:
        names = [member.name for member in self.members]
        if not names or len(set(names)) < len(names):
            raise InputError(
                "An ensemble needs at least one member and a different name for each, but its members "
                f"are called {names[:20]}. Rename them with model.renamed(...)."
            )
        if self.form not in get_args(Form) or (self.form == "not linear") != (
            self.rule is not None
        ):
            raise InputError(
                f"A combination needs a form of {list(get_args(Form))} and a rule exactly where it is "
                f"not linear, but has form={self.form!r} and {'a' if self.rule else 'no'} rule."
            )
        keep = object.__setattr__
        keep(self, "weights", _read_only(self.weights))
        keep(self, "views", tuple(_read_only(view) for view in self.views))
        outputs = len(self.views[0])
        intercept = np.zeros(outputs) if self.intercept is None else self.intercept
        keep(self, "intercept", _read_only(intercept))
        if self.direct is not None:
            keep(self, "direct", _read_only(self.direct))
        wanted = [(outputs, len(member.outputs)) for member in self.members]
        found = [view.shape for view in self.views]
        if wanted != found or self.weights.shape != (len(names),):
            raise InputError(
                f"A combination of {len(names)} members needs as many weights and views of shapes "
                f"{wanted[:5]}, but has weights of {self.weights.shape} and views of {found[:5]}."
            )

    @property
    def linear(self) -> bool:
        """Whether the ensemble's scores are a weighted sum of the members' scores."""
        return self.rule is None

    def scores(self, said: Sequence[NDArray[Any]], rows: NDArray[Any]) -> Array:
        """The ensemble's scores `(n, K)` from the members' scores `(n, k_m)` of the same rows."""
        if self.rule is not None:
            return self.rule([np.asarray(one, dtype=np.float64) for one in said], rows)
        total = np.tile(self.intercept, (len(rows), 1))  # type: ignore[arg-type]
        for weight, view, one in zip(self.weights, self.views, said, strict=True):
            total += weight * (np.asarray(one, dtype=np.float64) @ view.T)
        if self.direct is not None:
            total += np.asarray(rows, dtype=np.float64) @ self.direct.T
        return total


def _read_only(array: NDArray[Any]) -> Array:
    kept = np.array(array, dtype=np.float64)
    kept.setflags(write=False)
    return kept
