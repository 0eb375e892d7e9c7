"""`Referee`: another library that computes the same values as a method, independently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray


class NoReferee(Exception):  # noqa: N818 - an answer, not a fault
    """No library can check this explanation; the text says why, and becomes the verdict."""


@dataclass(frozen=True, eq=False)
class Referee:
    """A library that computes the same values independently.

    Args:
        library: its distribution's name.
        call: the function that is called and its arguments, in words.
        ask: takes a `workbench.second_opinion.asking.Question` (one row: its `values`, `inputs`, `method`,
            and `explained(rows)`, the explained number) and a seed; returns values `(p,)`, one for each of
            ours.
        draws: how many seeds it is called with; 1 when nothing is sampled.
        precision: the relative difference that rounding in both libraries can cause.
        known: a known reason why it may differ.
        why: why it is asked instead of a closer match; "" where it is the closest.
    """

    library: str
    call: str
    ask: Callable[[Any, int], NDArray[np.float64]]
    draws: int = 1
    precision: float = 1e-8
    known: tuple[str, ...] = ()
    why: str = ""

    @property
    def version(self) -> str:
        """The library's version."""
        return version(self.library)
