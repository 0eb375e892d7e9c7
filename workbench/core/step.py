"""`Step`: the progress of long work after one piece of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Step(Generic[T]):
    """The progress of work that is done piece by piece: to go on, iterate; to cancel, stop iterating.

    >>> step = Step(1, 4, "Occlusion of forest", ())
    >>> f"{step.label}: {step.done} of {step.total}"
    'Occlusion of forest: 1 of 4'

    Args:
        done: finished pieces.
        total: all pieces; `done == total` when the work is complete.
        label: what is being done, as a person reads it.
        result: the finished results.
        partial: returns the finished results and those in progress, where there are any. Call it before
            the work is advanced.
    """

    done: int
    total: int
    label: str
    result: T
    partial: Callable[[], T] | None = None
