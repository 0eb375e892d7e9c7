"""A drift study, run: the reference, its reference lines and its copies, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from workbench.compare.drift import Drift
from workbench.core import Attribution, Study
from workbench.lab.study import DriftStudy


@dataclass(frozen=True, eq=False)
class LabStep:
    """Where a drift study is, after one batch of model calls.

    Args:
        done: steps finished, in thousandths of a cell (one model by one method).
        total: steps in all; `done == total` when the study is complete.
        label: what is being computed, as a person reads it.
        attributions: the finished ones of the reference and of the copies.
        finished: the names of the copies that are done with every method they can do.
        drift: the `Drift` of the finished copies, or None before the first of them.
    """

    done: int
    total: int
    label: str
    attributions: tuple[Attribution, ...]
    finished: tuple[str, ...]
    drift: Callable[[], Drift | None]


def steps(study: DriftStudy) -> Iterator[LabStep]:
    """The study one batch of model calls at a time; stop iterating to cancel, what is finished stays."""
    raise NotImplementedError


def studies(study: DriftStudy) -> tuple[Study, ...]:
    """What will be run, as studies that `workbench.plan` can count."""
    raise NotImplementedError
