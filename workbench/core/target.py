"""`Target`: the one number per row that is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.core.classes import ambiguous_position, output_position
from workbench.core.inputs import Inputs
from workbench.core.model import Model
from workbench.errors import InputError

Output = int | str | tuple[int | str, ...]


@dataclass(frozen=True)
class Target:
    """An output by position or name, one for all rows or one per row; or a contrast of two.

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
    """

    index: Output | None
    against: Output | None = None
    aside: ClassVar[bool] = False
    """Whether its precision does not matter for when a method stops: it is computed along with others."""

    def __post_init__(self) -> None:
        for name in ("index", "against"):
            value = getattr(self, name)
            if isinstance(value, np.ndarray | Sequence) and not isinstance(value, str):
                object.__setattr__(self, name, tuple(_builtin(one) for one in value))
            else:
                object.__setattr__(self, name, _builtin(value))

    @classmethod
    def predicted(cls, against: Output | None = None) -> Target:
        """Each row's own highest-scoring output (the only output where there is one)."""
        return cls(None, against)

    @classmethod
    def true(cls, inputs: Inputs) -> Target:
        """Each row's true class, so that every model is asked about the same output.

        >>> rows = Inputs([[0.0], [0.0]], kind="tabular", y=[2, 0])
        >>> Target.true(rows)
        Target(index=(2, 0), against=None)

        Raises:
            InputError: the rows' classes are not known, or are not whole numbers.
        """
        y = inputs.y
        if y is None or not np.issubdtype(y.dtype, np.integer):
            found = "none" if y is None else str(y.dtype)
            raise InputError(
                f"Target.true needs rows whose classes are known as positions, but {inputs.name!r} has "
                f"{found}. Give Inputs(y=...) or name the output."
            )
        return cls(tuple(y.tolist()))

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

        return Target(some(self.index), some(self.against))

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
        n, k = scores.shape
        self.check_rows(n)
        weights = np.zeros((n, k))
        rows = np.arange(n)
        weights[rows, self._positions(self.index, model, scores)] = 1.0
        if self.against is not None:
            weights[rows, self._positions(self.against, model, scores)] -= 1.0
        return weights

    def label(self, outputs: Sequence[str]) -> str:
        """The target as a person reads it."""
        text = _label(self.index, outputs)
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
        own: Sequence[Any] = ()
        if self.index is None:
            own = Target(None).weights(model, scores).argmax(axis=1)
        names = []
        for position, row in enumerate(rows):
            index = int(own[position]) if self.index is None else _of_row(self.index, row)
            names.append(Target(index, _of_row(self.against, row)).label(model.outputs))
        return tuple(names)

    def _positions(
        self, index: Output | None, model: Model, scores: NDArray[Any]
    ) -> NDArray[np.intp]:
        n = len(scores)
        if index is None:
            if model.scale == "raw" and scores.shape[1] > 1:
                raise InputError(
                    f"Model {model.name!r} has {scores.shape[1]} raw outputs whose sizes cannot be "
                    f"compared, so none is 'the predicted one'. Name one of {list(model.outputs)}."
                )
            return np.asarray(np.argmax(scores, axis=1), dtype=np.intp)
        if isinstance(index, tuple):
            unclear = [int(one) for one in index if ambiguous_position(one, model.outputs)]
            if unclear:
                raise InputError(
                    f"A target of each row must say which output it is, but {unclear[0]} is the position "
                    f"of {model.outputs[int(unclear[0])]!r} and the name of another output of "
                    f"{model.name!r}: {list(model.outputs)[:5]}. Give names as text, "
                    "Target(tuple(map(str, classes)))."
                )
            return np.array(
                [output_position(one, model.outputs, model.name) for one in index], dtype=np.intp
            )
        return np.full(n, output_position(index, model.outputs, model.name), dtype=np.intp)


def _of_row(index: Any, row: np.intp) -> Any:
    return index[row] if isinstance(index, tuple) else index


def _builtin(value: Any) -> Any:
    """NumPy's numbers and strings as Python's own, so that targets print as code."""
    return value.item() if isinstance(value, np.generic) else value


def _label(index: Output | None, outputs: Sequence[str]) -> str:
    if index is None:
        return "predicted"
    if isinstance(index, tuple):
        distinct = sorted({_label(one, outputs) for one in index})
        return " / ".join(distinct) if len(distinct) <= 3 else "one per row"
    if isinstance(index, int) and 0 <= index < len(outputs):
        return str(outputs[index])
    return str(index)
