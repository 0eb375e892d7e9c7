"""`Target`: the one number per row that is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core.classes import (
    ambiguous_position,
    class_names,
    class_positions,
    has_opposite,
    output_position,
)
from workbench.core.inputs import Inputs
from workbench.core.model import Model
from workbench.errors import InputError

Output = bool | int | str | tuple[bool | int | str, ...]


@dataclass(frozen=True, repr=False)
class Target:
    """An output by position or name, one for all rows or one per row; or a contrast of two.

    A single output has two sides, each of them a class: its opposite is a target by its name, by "not" and
    the output's name, or as False. Explained is then minus the logit (or margin), or 1 - the probability.

    >>> Target("cat").label(("cat", "dog"))
    'cat'
    >>> Target(0, against=1).label(("cat", "dog"))
    'cat − dog'
    >>> Target.predicted().label(("cat", "dog"))
    'predicted'

    Args:
        index: which output; a tuple gives one per row; None means each row's own highest score. A number is
            a position; in a tuple it must not be the name of another output as well.
        against: subtract this output's score, so that the explanation answers "why this and not that".
        labels: whether the numbers of `index` are labels of classes as the model was fitted with them, as
            `Target.true` takes them, and not positions.
    """

    index: Output | None
    against: Output | None = None
    labels: bool = field(default=False, kw_only=True)
    aside: ClassVar[bool] = False
    """Whether its precision does not matter for when a method stops: it is computed along with others."""

    def __post_init__(self) -> None:
        for name in ("index", "against"):
            value = getattr(self, name)
            if callable(listed := getattr(value, "tolist", None)):  # an array, a tensor or a Series
                value = listed()
            if isinstance(value, Sequence) and not isinstance(value, str):
                value = tuple(_builtin(one) for one in value)
            object.__setattr__(self, name, value)

    @classmethod
    def predicted(cls, against: Output | None = None) -> Target:
        """Each row's own highest-scoring output (the only output where there is one)."""
        return cls(None, against)

    @classmethod
    def true(cls, inputs: Inputs) -> Target:
        """Each row's true class, so that every model is asked about the same output.

        What `y` holds are labels, found among the model's own (`Model.classes`) or its outputs' names; they
        are positions only where the model does not know labels. With a single output, rows of its opposite
        are explained for that side.

        >>> rows = Inputs([[0.0], [0.0]], kind="tabular", y=[4, 0])
        >>> Target.true(rows)
        Target(index=(4, 0), against=None, labels=True)
        >>> even = Model("even", len, ("0", "2", "4"), "probability", classes=(0, 2, 4))
        >>> Target.true(rows).weights(even, np.zeros((2, 3)))
        array([[0., 0., 1.],
               [1., 0., 0.]])

        Raises:
            InputError: the rows' classes are not known, or they are values.
        """
        y = inputs.y
        whole = None if y is None or y.ndim != 1 else _classes_in(y)
        if whole is None:
            found = "none" if y is None else f"{y.dtype} of shape {y.shape}"
            raise InputError(
                "Target.true needs rows whose classes are known as whole numbers, text or truths, but "
                f"{inputs.name!r} has {found}. Give Inputs(y=...) or name the output."
            )
        return cls(whole, labels=True)

    @classmethod
    def at(
        cls,
        positions: Sequence[int] | NDArray[np.intp],
        outputs: Sequence[str],
        against: Output | None = None,
    ) -> Target:
        """A target of each row's output by position; by name where a position is another output's name.

        >>> Target.at([1, 0], ("cat", "dog")), Target.at([1, 0], ("1", "2"))
        (Target(index=(1, 0), against=None), Target(index=('2', '1'), against=None))
        """
        places = [int(one) for one in positions]
        if any(ambiguous_position(one, outputs) for one in range(len(outputs))):
            return cls(tuple(outputs[one] for one in places), against)
        return cls(tuple(places), against)

    def of_rows(self, rows: slice) -> Target:
        """The same target for some of the rows.

        >>> Target((2, 0, 1)).of_rows(slice(1, 3))
        Target(index=(0, 1), against=None)
        """

        def some(index: Output | None) -> Output | None:
            return index[rows] if isinstance(index, tuple) else index

        return Target(some(self.index), some(self.against), labels=self.labels)

    def check_rows(self, n: int) -> None:
        """Refuse a target with one output per row for a different number of rows."""
        for index in (self.index, self.against):
            if isinstance(index, tuple) and len(index) != n:
                raise InputError(
                    f"A target with one output per row needs {n} entries, but has {len(index)}."
                )

    def weights(self, model: Model, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Weights `(n, k)` such that the explained number of row i is `weights[i] @ scores[i]`.

        Raises:
            InputError: an output that the model does not have, or one entry too many or too few.
        """
        self.check_rows(len(scores))
        weights = self._weights(self._places(self.index, model, scores, self.labels), scores)
        if self.against is not None:
            against = self._places(self.against, model, scores)
            if len(model.outputs) == 1 and not against.all():
                raise InputError(
                    f"A contrast needs two outputs, but model {model.name!r} has {list(model.outputs)} "
                    "alone: its opposite is that score from the other side. Leave against out."
                )
            weights -= self._weights(against, scores)
        return weights

    def offset(self, model: Model, n: int) -> NDArray[np.float64]:
        """What is added to each row's weighted score `(n,)`: 1 for the opposite of a single probability.

        >>> risk = Model("risk", len, ("ill",), "probability")
        >>> Target("not ill").offset(risk, 1), Target("not ill").weights(risk, np.array([[0.25]]))
        (array([1.]), array([[-1.]]))
        """
        if len(model.outputs) > 1 or model.scale != "probability":
            return np.zeros(n)
        places = self._places(self.index, model, np.zeros((n, 1)), self.labels)
        return np.where(places == 0, 1.0, 0.0)

    def label(self, outputs: Sequence[str]) -> str:
        """The target as a person reads it."""
        text = _label(self.index, () if self.labels else outputs)
        return text if self.against is None else f"{text} − {_label(self.against, outputs)}"

    def explained(
        self, model: Model, scores: NDArray[Any], rows: NDArray[np.intp]
    ) -> tuple[str, ...]:
        """The explained output of each of some rows, as a person reads it.

        Args:
            model: the model that has the outputs.
            scores: of these rows `(m, k)`.
            rows: their positions among all rows that the target is for `(m,)`.
        """
        mine = Target(
            *(
                tuple(one[row] for row in rows) if isinstance(one, tuple) else one
                for one in (self.index, self.against)
            ),
            labels=self.labels,
        )
        names = class_names(model.outputs, model.opposite)
        own = [names[at] for at in mine._places(mine.index, model, scores, self.labels)]
        if mine.against is None:
            return tuple(own)
        others = [names[at] for at in mine._places(mine.against, model, scores)]
        return tuple(f"{one} − {other}" for one, other in zip(own, others, strict=True))

    @property
    def code(self) -> str:
        """The expression that makes it.

        >>> Target.predicted(against="dog").code, Target(1, "dog").code, Target((1, 2), labels=True).code
        ("wb.Target.predicted(against='dog')", "wb.Target(1, against='dog')",
         'wb.Target((1, 2), labels=True)')
        """
        given = [] if self.index is None else [repr(self.index)]
        given += [] if self.against is None else [f"against={self.against!r}"]
        given += ["labels=True"] if self.labels else []
        return f"wb.Target{'.predicted' if self.index is None else ''}({', '.join(given)})"

    def __repr__(self) -> str:
        labels = ", labels=True" if self.labels else ""
        return f"Target(index={self.index!r}, against={self.against!r}{labels})"

    def _weights(self, places: NDArray[np.intp], scores: NDArray[Any]) -> NDArray[np.float64]:
        """Weights `(n, k)` for each row's position in `class_names`."""
        if scores.shape[1] == 1:
            return np.where(places == 1, 1.0, -1.0)[:, None]
        weights = np.zeros(scores.shape)
        weights[np.arange(len(scores)), places] = 1.0
        return weights

    def _places(
        self, index: Output | None, model: Model, scores: NDArray[Any], labels: bool = False
    ) -> NDArray[np.intp]:
        """Each row's position in `class_names`."""
        n = len(scores)
        if index is None:
            if model.scale == "raw" and scores.shape[1] > 1:
                raise InputError(
                    f"Model {model.name!r} has {scores.shape[1]} raw outputs whose sizes cannot be "
                    f"compared, so none is 'the predicted one'. Name one of {list(model.outputs)}."
                )
            if scores.shape[1] == 1:
                return np.ones(n, dtype=np.intp)
            return np.asarray(np.argmax(scores, axis=1), dtype=np.intp)
        if labels:
            return _labelled(index, model, n)
        if isinstance(index, tuple):
            unclear = [int(one) for one in index if ambiguous_position(one, model.outputs)]
            if unclear:
                raise InputError(
                    f"A target of each row must say which output it is, but {unclear[0]} is the position "
                    f"of {model.outputs[int(unclear[0])]!r} and the name of another output of "
                    f"{model.name!r}: {list(model.outputs)[:5]}. Give names as text, "
                    "Target(tuple(map(str, classes)))."
                )
            return np.array([output_position(one, model) for one in index], dtype=np.intp)
        return np.full(n, output_position(index, model), dtype=np.intp)


def _labelled(index: Output, model: Model, n: int) -> NDArray[np.intp]:
    """The position in `class_names` of each row's class."""
    if len(model.outputs) == 1 and not has_opposite(model):
        raise InputError(
            f"Model {model.name!r} has one raw output, {model.outputs[0]!r}, which is a value and no "
            "class. Leave the target out to explain it."
        )
    names = class_names(model.outputs, model.opposite)
    given = index if isinstance(index, tuple) else (index,) * n
    return class_positions(
        np.array(given, dtype=object),
        names,
        labels=model.classes,
        advice=f"The outputs of model {model.name!r} are {list(model.outputs)[:20]}.",
    )


def _classes_in(y: NDArray[Any]) -> tuple[bool | int | str, ...] | None:
    """Classes as whole numbers, text or truths; None where something else is among them."""
    held = [_builtin(one) for one in y.tolist()]
    whole = [int(one) if isinstance(one, float) and one.is_integer() else one for one in held]
    return tuple(whole) if all(isinstance(one, bool | int | str) for one in whole) else None


def _builtin(value: Any) -> Any:
    """NumPy's numbers and strings as Python's own, so that targets print as code."""
    return value.item() if isinstance(value, np.generic) else value


def _label(index: Output | None, outputs: Sequence[str]) -> str:
    if index is None:
        return "predicted"
    if isinstance(index, tuple):
        distinct = sorted({_label(one, outputs) for one in index})
        return " / ".join(distinct) if len(distinct) <= 3 else "one per row"
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(outputs):
        return str(outputs[index])
    return str(index)
