"""`Step`: where a long work is, after one piece of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Step(Generic[T]):
    """Where a work is that is done piece by piece: iterating is progress, stopping is cancelling.

    >>> step = Step(1, 4, "Occlusion of forest", ())
    >>> f"{step.label}: {step.done} of {step.total}"
    'Occlusion of forest: 1 of 4'

    Args:
        done: pieces that are finished.
        total: pieces in all; `done == total` when the work is complete.
        label: what is being done, as a person reads it.
        result: what is finished by now.
        partial: gives the same with what is only begun, where there is more to tell than `result`. Valid
            until the work is advanced.
    """

    done: int
    total: int
    label: str
    result: T
    partial: Callable[[], T] | None = None
