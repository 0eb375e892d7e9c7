"""`Normalize`: the preprocessing most networks were trained with, as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Normalize:
    """Each channel of an image, or column of a table, minus its mean, divided by its deviation.

    Given to `wrap` or `load` as `preprocess`, it becomes part of the model: rows stay in units that people
    read, and gradients are with respect to those units. It is saved with the weights.

    >>> Normalize(mean=[0.5], std=[0.25])
    Normalize(mean=(0.5,), std=(0.25,))

    Args:
        mean: one number per channel or column, in the unit of the rows.
        std: as many, above zero.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        object.__setattr__(self, "mean", _numbers("mean", mean))
        object.__setattr__(self, "std", _numbers("std", std))
        if len(self.mean) != len(self.std) or not self.mean:
            raise InputError(
                f"Normalize needs one mean and one std per channel, but has {len(self.mean)} means and "
                f"{len(self.std)} stds."
            )
        if min(self.std) <= 0:
            raise InputError(
                f"Normalize divides by std, which must be above zero, not {self.std}. "
                "Give 1.0 for a channel that is not to be scaled."
            )

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """A normalized batch `(n, c, h, w)` or `(n, f)`, on the same device and differentiable."""
        if batch.shape[1] != len(self.mean):
            raise InputError(
                f"Normalize has {len(self.mean)} channels or columns, but the rows have "
                f"{batch.shape[1]}. Give one mean and one std for each."
            )
        shape = (1, -1, *(1,) * (batch.ndim - 2))
        return (batch - batch.new_tensor(self.mean).view(shape)) / batch.new_tensor(self.std).view(
            shape
        )

    def of_rows(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Normalized rows `(n, h, w, c)` or `(n, f)` in NumPy, for models outside of torch.

        >>> Normalize([1.0, 2.0], [1.0, 4.0]).of_rows(np.array([[3.0, 4.0]]))
        array([[2. , 0.5]])
        """
        if rows.shape[-1] != len(self.mean):
            raise InputError(
                f"Normalize has {len(self.mean)} channels or columns, but the rows have "
                f"{rows.shape[-1]}. Give one mean and one std for each."
            )
        return np.asarray((rows - np.array(self.mean)) / np.array(self.std))


def _numbers(name: str, values: Sequence[float]) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"Normalize.{name} must be a list of finite numbers, not {values!r}.")
    return numbers
