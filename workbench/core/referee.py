"""`Referee`: another library that computes the same values as a method, in its own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray


class NoReferee(Exception):  # noqa: N818 - an answer, not a fault
    """No library can be asked this question; the text says why, and becomes the verdict."""


@dataclass(frozen=True, eq=False)
class Referee:
    """A library that computes the same values in its own way.

    Args:
        library: its distribution's name.
        call: what is called with what, in words.
        ask: a `workbench.second_opinion.asking.Question` (one row: its `values`, `inputs`, `method`, and
            `explained(rows)`, the number that is explained) and a seed to values `(p,)`, one per entry of
            ours.
        draws: how many seeds it is asked with; 1 when nothing is sampled.
        precision: the relative rounding that its arithmetic and ours leave.
        known: why it may differ by design.
        why: why it is asked rather than a nearer one, "" where it is the nearest.
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
