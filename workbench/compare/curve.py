"""Drift, accuracy, size and latency against the level of compression, with the knee and the Pareto set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.compare.drift import Drift, Verdict
from workbench.core import Model


@dataclass(frozen=True)
class CurvePoint:
    """One copy on the curve.

    Args:
        model: the copy's name.
        level: the number it was made with; its place in the order of copies where no levels were given.
        drift: mean drift by the curve's metric.
        low: of its 95 % interval.
        high: likewise.
        verdict: of the copy.
        accuracy: share of rows that are right, or None without known classes.
        flips: share of rows whose predicted class changed, or None where there are no classes.
        file_bytes: of its weights, or None where the copy carries no size.
        packed_bits: likewise.
        macs: multiply-accumulates per row, or None.
        seconds: median latency, or None where it was not measured.
        pareto: whether no other copy is at least as good in drift, accuracy and size, and better in one.
        knee: whether this is where the curve bends; see `curve`.
    """

    model: str
    level: float
    drift: float
    low: float
    high: float
    verdict: Verdict
    accuracy: float | None = None
    flips: float | None = None
    file_bytes: int | None = None
    packed_bits: int | None = None
    macs: int | None = None
    seconds: float | None = None
    pareto: bool = False
    knee: bool = False


@dataclass(frozen=True)
class Curve:
    """Copies of one model by level, gentle to harsh.

    Args:
        reference: the original: its accuracy, sizes and latency, with drift 0.
        points: the copies, by level in the order given.
        level: what the level means, as an axis label.
        method: whose drift.
        metric: by which metric.
        noise: mean drift of the reference against itself, or None: a line.
        retraining: likewise of siblings.
        random: likewise with random weights.
        margin: up to which reasons count as preserved.
        notes: what a reader must know, such as why there is no knee.
    """

    reference: CurvePoint
    points: tuple[CurvePoint, ...]
    level: str
    method: str
    metric: str
    noise: float | None
    retraining: float | None
    random: float | None
    margin: float
    notes: tuple[str, ...] = ()


def curve(
    drift: Drift,
    models: Sequence[Model],
    *,
    levels: Sequence[float] | None = None,
    level: str = "copy",
    method: str | None = None,
    metric: str | None = None,
    seconds: Mapping[str, float] | None = None,
) -> Curve:
    """The copies of a drift as a curve.

    Args:
        models: the reference and the copies, for their sizes.
        levels: one number per copy of the drift, in its order.
        level: what these numbers mean.
        method: whose drift; the first when left out.
        metric: which; the first that decides when left out.
        seconds: median latency by model name.
    """
    raise NotImplementedError
