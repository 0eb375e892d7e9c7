"""`Combination`: how an ensemble's scores come from its members' scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
        begin: the ensemble and its members, perhaps counted, to their `core.explaining.Explaining`: how a
            run asks all of them at once and divides the result. Without it the ensemble is explained by
            itself.
    """

    members: tuple[Model, ...]
    form: Form
    space: str
    weights: Array
    views: tuple[Array, ...]
    intercept: Array | None = None
    direct: Array | None = None
    rule: Rule | None = None
    begin: Callable[[Model, Sequence[Model]], Any] | None = None

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


_DIVIDED = "The weights were divided by their sum"
_SILENT = "Members with weight 0 are shown and have no say"


def checked_weights(
    weights: ArrayLike | Mapping[str, float] | None, names: Sequence[str]
) -> tuple[Array, tuple[str, ...]]:
    """Weights `(m,)` that sum to one, and what was done to them, in words.

    >>> checked_weights([2, 2], ["a", "b"])
    (array([0.5, 0.5]), ('The weights were divided by their sum, 4.',))

    Args:
        weights: one per member, by position or by name; equal when None.
        names: the m members' names.

    Raises:
        InputError: too few or too many, a name that is no member's, negative, not finite or all zero.
    """
    if weights is None:
        return np.full(len(names), 1 / len(names)), ()
    if isinstance(weights, Mapping):
        unknown = [one for one in weights if one not in names]
        missing = [one for one in names if one not in weights]
        if unknown or missing:
            raise InputError(
                f"Weights by name need one entry per member {list(names)[:20]}, but lack {missing[:8]} "
                f"and name {unknown[:8]}, which are no members. A member without a say has weight 0."
            )
        weights = [weights[one] for one in names]
    try:
        given = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.array(np.nan)
    if given.shape != (len(names),) or not np.isfinite(given).all():
        raise InputError(
            f"Weights need one finite number for each of {len(names)} members {list(names)[:8]}, but are "
            f"{weights!r}."
        )
    if (given < 0).any():
        wrong = [f"{n!r} ({w:g})" for n, w in zip(names, given, strict=True) if w < 0]
        raise InputError(
            f"Weights must not be negative, but those of {', '.join(wrong[:8])} are. Give 0 to leave a "
            "member without a say."
        )
    if not given.any():
        raise InputError("At least one weight must be above zero, but all are zero.")
    # Scaled by a power of two, which is exact: the sum of the largest numbers is not finite.
    scaled = np.ldexp(given, -np.frexp(given.max())[1])
    share = scaled / scaled.sum()
    with np.errstate(over="ignore"):
        total = float(given.sum())
    notes: tuple[str, ...] = ()
    if abs(total - 1) > 1e-9:
        notes = (f"{_DIVIDED}, {total:g}.",)
    silent = [n for n, w in zip(names, given, strict=True) if w == 0]
    if silent:
        notes += (f"{_SILENT}: {silent[:8]}.",)
    return share, notes


def tells_weights(note: str) -> bool:
    """Whether a note is about weights, so that it does not hold under others."""
    return note.startswith((_DIVIDED, _SILENT))


def _read_only(array: NDArray[Any]) -> Array:
    kept = np.array(array, dtype=np.float64)
    kept.setflags(write=False)
    return kept
