"""Where reasons changed: rows, slices of the data, features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.compare.drift import Drift


@dataclass(frozen=True)
class RowFinding:
    """One row, one copy: how far its reasons moved.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        metric: the metric that ranks.
        row: the row's position among the study's.
        id: its name.
        drift: by that metric.
        kept: whether the copy predicts the reference's class.
    """

    model: str
    method: str
    metric: str
    row: int
    id: str
    drift: float
    kept: bool


@dataclass(frozen=True)
class SliceFinding:
    """Some rows that have something in common, held against all others.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        metric: the metric whose drift is meant.
        slice: what the rows have in common, such as "class = circle" or "age in 50 … 62".
        rows: how many.
        drift: their mean drift.
        rest: the mean drift of all other rows.
        low: of the 95 % bootstrap interval of `drift - rest`.
        high: likewise.
        flips: share of the slice's rows whose predicted class changed.
        rest_flips: the same of the other rows.
    """

    model: str
    method: str
    metric: str
    slice: str
    rows: int
    drift: float
    rest: float
    low: float
    high: float
    flips: float
    rest_flips: float


@dataclass(frozen=True)
class FeatureFinding:
    """One feature (or player) whose part in the reasons changed.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        feature: its name.
        change: "gained" where more rows have it among their top features, "lost" where fewer, "same".
        before: share of rows that had it among the reference's top features.
        after: the copy's share.
        size_before: mean size of its values in the reference's explanations.
        size_after: in the copy's.
        mean_change: mean of the copy's value - the reference's, signed, in the models' scale.
    """

    model: str
    method: str
    feature: str
    change: Literal["gained", "lost", "same"]
    before: float
    after: float
    size_before: float
    size_after: float
    mean_change: float


@dataclass(frozen=True)
class Findings:
    """Everything found, the largest first.

    Args:
        rows: every row of every copy: first those whose prediction is kept, by drift; then the flipped.
        slices: those hit harder than the rest, by the lower end of their interval.
        features: by the change of their mean size; tables and players alone.
        notes: what a reader must know.
    """

    rows: tuple[RowFinding, ...]
    slices: tuple[SliceFinding, ...]
    features: tuple[FeatureFinding, ...]
    notes: tuple[str, ...] = ()


def findings(
    drift: Drift, *, method: str | None = None, metric: str | None = None, smallest: int = 10
) -> Findings:
    """Where reasons changed, from a `Drift` that carries its attributions.

    Args:
        method: which of the drift's methods; its first when left out.
        metric: which metric ranks; the first that decides when left out.
        smallest: rows that a slice needs.
    """
    raise NotImplementedError
