"""`Split`: one row of a table cut into the arguments of a module that reads several tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InputError

if TYPE_CHECKING:
    import torch

_EXACT = 2**53  # from this whole number on, float64 cannot tell neighbors apart


@dataclass(frozen=True)
class Split:
    """The layout of a row that holds several tensors side by side, for modules with several arguments.

    Given to `wrap` or `load` as `preprocess`. A part of shape `(h, w, c)` is an image, which reaches the
    module channels first, as images do everywhere here; every other part arrives as `(n, *shape)`. The rows
    are tabular: each number is a column, and `groups` makes each part one player.

    >>> split = Split({"image": (2, 2, 3), "age": 1, "city": ()}, whole=["city"])
    >>> split.width, list(split.groups["age"])
    (14, [12])
    >>> split.pack({"image": np.zeros((5, 2, 2, 3)), "age": np.ones((5, 1)), "city": np.arange(5)}).shape
    (5, 14)

    Args:
        parts: {argument of forward: shape of one row's part}, in the order of the columns; a number means
            that many columns, () a part that arrives as `(n,)`. A list of shapes is given by position.
        whole: the arguments (or positions) that are whole numbers, such as codes or token ids. They have no
            gradient, so a model with any is explained by perturbation.
    """

    parts: Mapping[str, tuple[int, ...]]
    whole: tuple[str, ...] = ()
    positional: bool = False

    def __init__(
        self,
        parts: Mapping[str, int | Sequence[int]] | Sequence[int | Sequence[int]],
        whole: Sequence[str | int] = (),
    ) -> None:
        named = isinstance(parts, Mapping)
        given = dict(parts) if isinstance(parts, Mapping) else dict(enumerate(parts))
        shapes = {str(key): _shape(str(key), shape) for key, shape in given.items()}
        if not shapes:
            raise InputError(
                "Split needs at least one part, but got none. Give {argument: its shape}."
            )
        if isinstance(whole, str):
            raise InputError(f"whole must be a list of arguments, not the text {whole!r}.")
        chosen = tuple(str(key) for key in whole)
        if unknown := [key for key in chosen if key not in shapes]:
            raise InputError(
                f"whole names {unknown}, but the parts are {list(shapes)}. Name parts that hold whole "
                "numbers."
            )
        object.__setattr__(self, "parts", MappingProxyType(shapes))
        object.__setattr__(self, "whole", chosen)
        object.__setattr__(self, "positional", not named)

    def __hash__(self) -> int:
        return hash((*self.parts.items(), self.whole, self.positional))

    @property
    def width(self) -> int:
        """The number of columns of a row."""
        return sum(math.prod(shape) for shape in self.parts.values())

    @property
    def groups(self) -> dict[str, range]:
        """{part: its columns}, in the form of the groups of `Inputs`: each part is then one player."""
        return {part: range(columns.start, columns.stop) for part, _, columns in self._cuts()}

    def _cuts(self) -> Iterator[tuple[str, tuple[int, ...], slice]]:
        start = 0
        for part, shape in self.parts.items():
            stop = start + math.prod(shape)
            yield part, shape, slice(start, stop)
            start = stop

    def pack(self, parts: Mapping[str, ArrayLike] | Sequence[ArrayLike]) -> NDArray[np.float64]:
        """Rows `(n, width)` of arrays `(n, *shape)`, one per part; images channels last.

        Raises:
            InputError: a part is missing, too many, or has another shape or number of rows.
        """
        given = dict(parts) if isinstance(parts, Mapping) else dict(enumerate(parts))
        arrays = {str(key): np.asarray(array, dtype=np.float64) for key, array in given.items()}
        if set(arrays) != set(self.parts):
            raise InputError(
                f"An array for each of the parts {list(self.parts)} is needed, but there are "
                f"{list(arrays)}. Give one per part."
            )
        counts = {len(array) if array.ndim else 0 for array in arrays.values()}
        wrong = {
            key: array.shape for key, array in arrays.items() if array.shape[1:] != self.parts[key]
        }
        if wrong or len(counts) > 1:
            wanted = {key: ("n", *shape) for key, shape in self.parts.items()}
            raise InputError(
                f"Arrays of the shapes {wanted} are needed, but they have "
                f"{ {key: arrays[key].shape for key in self.parts} }. Reshape them, or change the Split."
            )
        n = counts.pop()
        return np.concatenate([arrays[key].reshape(n, -1) for key in self.parts], axis=1)

    def __call__(self, batch: torch.Tensor) -> dict[str, Any] | tuple[Any, ...]:
        """The module's arguments for a batch `(n, width)`: a dict by name, or a tuple by position.

        Raises:
            InputError: rows of another width, or columns that should hold whole numbers and do not.
        """
        if batch.ndim != 2 or batch.shape[1] != self.width:
            raise InputError(
                f"Rows of {self.width} columns are needed for the parts "
                f"{dict(self.parts)}, but these have the shape "
                f"{tuple(batch.shape[1:])}. Pack them with Split.pack."
            )
        made = {}
        for part, shape, columns in self._cuts():
            piece = batch[:, columns].reshape(len(batch), *shape)
            piece = piece.permute(0, 3, 1, 2) if len(shape) == 3 else piece
            made[part] = _counted(part, piece) if part in self.whole else piece
        return tuple(made.values()) if self.positional else made


def _shape(part: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(isinstance(x, bool) or not isinstance(x, int) or x < 1 for x in lengths):
        raise InputError(
            f"The shape of part {part!r} must be a number of columns or a tuple of lengths above zero, not "
            f"{shape!r}."
        )
    return lengths


def _counted(part: str, piece: torch.Tensor) -> torch.Tensor:
    codes = piece.detach().round()
    if bool((codes != piece).any()) or bool((codes.abs() >= _EXACT).any()):
        raise InputError(
            f"Part {part!r} must hold whole numbers, but a row holds "
            f"{float(piece.detach()[codes != piece][:1].sum()):g}. Fill absent columns with values from "
            "the background rows, not with their mean."
        )
    return codes.long()
