"""`Interactions`: how pairs of features share credit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.capabilities import Scale
from workbench.core.inputs import Inputs
from workbench.core.pickling import by_fields
from workbench.core.result_writing import save_result
from workbench.core.target import Target

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Interactions:
    """Shapley interaction values of one target: a symmetric matrix per row.

    Off the diagonal, a pair's interaction is split in halves, one on each side; the diagonal holds each
    feature's own effect. So each row of the matrix sums to that feature's Shapley value, and the whole
    matrix to output minus base.

    Args:
        values: `(n, f, f)`, in `scale`.
        output: the explained number `(n,)`.
        base: what the values are counted from `(n,)`.
        inputs: the explained rows.
        model: the model's name.
        feature_perturbation: the game that was played: "interventional" or "tree_path_dependent".
        target: what was explained.
        scale: the unit.
        seconds: how long it took.
    """

    values: NDArray[np.float64]
    output: NDArray[np.float64]
    base: NDArray[np.float64]
    inputs: Inputs
    model: str
    feature_perturbation: str
    target: Target
    scale: Scale
    seconds: float

    def __post_init__(self) -> None:
        for name in ("values", "output", "base"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __reduce__(self) -> tuple[Any, ...]:
        return by_fields(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything to one safetensors file, which `workbench.read` gives back.

        Raises:
            InputError: the file cannot be written.
        """
        save_result(self, path)

    def __repr__(self) -> str:
        n, f, _ = self.values.shape
        return f"Interactions({self.feature_perturbation}, of {self.model!r}, {n}x{f}x{f} in {self.scale})"

    @property
    def shapley(self) -> NDArray[np.float64]:
        """Each feature's Shapley value `(n, f)`: the sums over the matrix's rows."""
        return np.asarray(self.values.sum(axis=2))

    @property
    def gap(self) -> NDArray[np.float64]:
        """Output minus base minus all values `(n,)`; near zero, because the values are exact."""
        return np.asarray(self.output - self.base - self.values.sum(axis=(1, 2)))

    def strongest(self, count: int = 10) -> pd.DataFrame:
        """The pairs with the largest mean absolute interaction over the rows, both halves together."""
        import pandas as pd

        mean: NDArray[Any] = 2 * np.abs(self.values).mean(axis=0)
        first, second = np.triu_indices(mean.shape[0], k=1)
        order = np.argsort(-mean[first, second], kind="stable")[:count]
        names = self.inputs.features
        signed = 2 * self.values.mean(axis=0)
        return pd.DataFrame(
            {
                "feature": [names[i] for i in first[order]],
                "with": [names[j] for j in second[order]],
                "mean |interaction|": mean[first[order], second[order]],
                "mean interaction": signed[first[order], second[order]],
            }
        )
