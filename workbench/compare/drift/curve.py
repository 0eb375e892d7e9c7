"""Drift, accuracy, size and latency against the level of compression, with the knee and the Pareto set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workbench.compare.drift.measured import Measured, Verdict
from workbench.compare.drift.result import Behavior, Drift
from workbench.core import Model, Size
from workbench.errors import InputError

BEND = 0.1
"""A curve has a knee if it runs at least this far below the straight line, with both ranges scaled to 1."""


@dataclass(frozen=True)
class CurvePoint:
    """One copy on the curve.

    Args:
        model: the copy's name.
        level: the number it was made with; its place in the order of copies where no levels were given.
        drift: mean drift by the curve's metric.
        low: lower end of its 95 % interval.
        high: upper end.
        verdict: the copy's verdict for rows like these, over all methods, not only the curve's.
        on_rows: the copy's verdict on these rows, likewise.
        decided_by: the method and the metric that decided `verdict`.
        accuracy: share of rows that are right, or None without known classes.
        flips: share of rows whose predicted class changed, or None where there are no classes.
        file_bytes: of its weights, or None where the copy carries no size.
        packed_bits: likewise.
        nonzero_bits: the part of `packed_bits` taken by weights that are not zero, or None.
        macs: multiply-accumulates per row, or None.
        seconds: median latency, or None where it was not measured.
        pareto: whether nothing else is as good in everything and better in something; see `curve`.
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
    nonzero_bits: int | None = None
    macs: int | None = None
    seconds: float | None = None
    pareto: bool = False
    knee: bool = False
    on_rows: Verdict = "undetermined"
    decided_by: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Curve:
    """Copies of one model by level, gentle to harsh.

    Args:
        reference: the original, with its accuracy, sizes and latency, and drift 0.
        points: the copies, by level in the order given.
        level: what the level means, as an axis label.
        method: the method whose drift is shown.
        metric: the metric of drift.
        noise: reference line: mean drift of the reference against itself, or None.
        retraining: reference line: mean drift of siblings, or None.
        random: reference line: mean drift with random weights, or None.
        margin: the drift up to which reasons count as preserved.
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

    The *knee* is the copy that lies farthest below the straight line from the gentlest copy to the
    harshest, with both axes scaled to 0 … 1: beyond it, a further step costs more reasons than the steps
    before. There is none if copies come from several recipes without levels, if there are fewer than three
    levels, if levels do not go one way, if the line is nowhere more than `BEND` above the curve, or if the
    intervals of all copies share a value.

    The *Pareto set* holds the copies that neither another copy nor the reference beats: at least as good
    in everything known of all of them (drift, accuracy, packed bits of weights that are not zero, latency)
    and better in something.

    Source: Satopaa et al. (2011), "Finding a kneedle in a haystack", for an increasing convex curve.
    **Differs:** no smoothing and no sensitivity; a curve has one knee or none.

    Args:
        models: the reference and the copies, for their sizes.
        levels: one number per copy of the drift, in its order.
        level: what these numbers mean.
        method: the method whose drift is shown; the first when left out.
        metric: the metric of drift; the first that decides when left out.
        seconds: median latency by model name.

    Raises:
        InputError: levels for another number of copies; a method or metric that was not measured.
    """
    method = _one_of("method", method, drift.methods)
    known = tuple(dict.fromkeys(one.metric for one in drift.measured if one.method == method))
    first = next((name for name in drift.deciding if name in known), None)
    metric = _one_of("metric", metric if metric is not None else first, known)
    named = {model.name: model for model in models}
    made = {
        named[name].variant.recipe.split("(")[0]  # type: ignore[union-attr]
        for name in drift.models
        if name in named and named[name].variant is not None
    }
    mixed = levels is None and len(made) > 1
    if levels is None:
        levels = range(1, len(drift.models) + 1)
    if len(levels) != len(drift.models):
        raise InputError(
            f"A curve needs one level per copy, {len(drift.models)} in all, but was given "
            f"{len(levels)}. Give them in the order of drift.models."
        )
    if wrong := [one for one in levels if not isinstance(one, int | float | np.number)]:
        raise InputError(
            f"Levels of a curve are numbers, but {wrong[0]!r} is none. Leave levels out to take copies in "
            "their order."
        )
    every = {
        one.model: one
        for one in drift.measured
        if (one.method, one.metric, one.stratum) == (method, metric, "all")
    }
    behavior = {one.model: one for one in drift.behavior}
    seconds = seconds or {}
    notes = [
        f"{name!r} is not on the curve: it could not be explained by {method}."
        for name in drift.models
        if name not in every
    ]
    points = [
        _point(drift, every[name], at, named.get(name), behavior[name], seconds.get(name))
        for name, at in zip(drift.models, levels, strict=True)
        if name in every
    ]
    if not points:
        raise InputError(
            f"A curve needs a copy explained by {method}, and there is none. Methods: {drift.methods}."
        )
    reference = _reference(drift, models, seconds.get(drift.reference))
    bend, why = knee(
        [point.level for point in points],
        [point.drift for point in points],
        intervals=[(point.low, point.high) for point in points],
    )
    if mixed:
        bend, why = None, "the copies are not levels of one way to make them."
    if why:
        notes.append(f"No knee: {why}")
    best, criteria = _pareto(points, reference)
    notes.append(f"The Pareto set is by {', '.join(criteria)}.")
    line = every[points[0].model]
    return Curve(
        reference=reference,
        points=tuple(
            replace(point, knee=i == bend, pareto=best[i]) for i, point in enumerate(points)
        ),
        level=level,
        method=method,
        metric=metric,
        noise=line.noise,
        retraining=line.retraining,
        random=line.random,
        margin=line.margin,
        notes=tuple(notes),
    )


def knee(
    levels: Sequence[float],
    drift: Sequence[float],
    intervals: Sequence[tuple[float, float]] = (),
) -> tuple[int | None, str]:
    """The position where a curve of drift over levels bends, or None and the reason; see `curve`.

    >>> knee([0, 1, 2, 3], [0.0, 0.1, 0.2, 0.9])
    (2, '')
    >>> knee([0, 1, 2], [0.0, 0.5, 1.0])
    (None, 'drift grows evenly with the level.')
    """
    if len(set(levels)) < 3:
        return None, "it takes three levels or more."
    steps = np.diff(np.asarray(levels, dtype=np.float64))
    if not ((steps > 0).all() or (steps < 0).all()):
        return None, "the levels do not go one way."
    if intervals and max(low for low, _ in intervals) <= min(high for _, high in intervals):
        return None, "the copies' intervals share a value, so the curve may be flat."
    rise = drift[-1] - drift[0]
    if rise <= 0:
        return None, "the harshest copy has no more drift than the gentlest."
    across = (np.asarray(levels) - levels[0]) / (levels[-1] - levels[0])
    up = (np.asarray(drift) - drift[0]) / rise
    below = across - up
    at = int(np.argmax(below))
    if below[at] <= BEND:
        return None, "drift grows evenly with the level."
    return at, ""


def pareto(costs: Sequence[Sequence[float]]) -> tuple[bool, ...]:
    """Which entries no other beats: none is at most as expensive in every cost and cheaper in one.

    >>> pareto([(1.0, 5.0), (2.0, 4.0), (2.0, 6.0)])
    (True, True, False)
    """
    table = np.asarray(costs, dtype=np.float64)
    no_higher = (table[:, None] <= table[None]).all(axis=2)
    lower = (table[:, None] < table[None]).any(axis=2)
    beaten = np.asarray((no_higher & lower).any(axis=0))
    return tuple(not one for one in beaten.tolist())


def _one_of(what: str, chosen: str | None, known: tuple[str, ...]) -> str:
    chosen = chosen if chosen is not None else (known[0] if known else None)
    if chosen not in known:
        raise InputError(
            f"A curve needs a {what} of the drift, but {chosen!r} is none. Choose one of {list(known)}."
        )
    return chosen


def _point(
    drift: Drift,
    measured: Measured,
    level: float,
    model: Model | None,
    behavior: Behavior,
    seconds: float | None,
) -> CurvePoint:
    variant = None if model is None else model.variant
    like = drift.claim(measured.model)
    point = CurvePoint(
        model=measured.model,
        level=level,
        drift=measured.mean,
        low=measured.low,
        high=measured.high,
        verdict=like.word,
        on_rows=drift.claim(measured.model, "these rows").word,
        decided_by=(like.method, like.metric),
        accuracy=None if behavior.accuracy is None else behavior.accuracy[1],
        flips=behavior.flips,
        seconds=seconds,
    )
    return _sized(point, None if variant is None else variant.size)


def _reference(drift: Drift, models: Sequence[Model], seconds: float | None) -> CurvePoint:
    """The original: no drift from itself, and the size that its copies record."""
    sizes = [
        model.variant.original_size
        for model in models
        if model.variant is not None and model.variant.of == drift.reference
    ]
    accuracy = drift.behavior[0].accuracy if drift.behavior else None
    point = CurvePoint(
        model=drift.reference,
        level=0.0,
        drift=0.0,
        low=0.0,
        high=0.0,
        verdict="preserved",
        on_rows="preserved",
        accuracy=None if accuracy is None else accuracy[0],
        flips=0.0,
        seconds=seconds,
        pareto=True,
    )
    return _sized(point, next((size for size in sizes if size is not None), None))


def _sized(point: CurvePoint, size: Size | None) -> CurvePoint:
    if size is None:
        return point
    return replace(
        point,
        file_bytes=size.file_bytes,
        packed_bits=size.packed_bits,
        nonzero_bits=round(size.packed_bits * size.nonzeros / max(size.parameters, 1)),
        macs=size.macs,
    )


def _pareto(
    points: Sequence[CurvePoint], reference: CurvePoint
) -> tuple[tuple[bool, ...], tuple[str, ...]]:
    """The points that no other beats, and the criteria used: those known for all and the reference."""
    everyone = (*points, reference)
    costs: dict[str, list[float]] = {"drift": [point.drift for point in everyone]}
    for name, values in (
        ("accuracy", [None if p.accuracy is None else -p.accuracy for p in everyone]),
        ("packed bits of weights that are not zero", [p.nonzero_bits for p in everyone]),
        ("latency", [p.seconds for p in everyone]),
    ):
        found = [float(value) for value in values if value is not None]
        if len(found) == len(everyone):
            costs[name] = found
    best = pareto(list(zip(*costs.values(), strict=True)))
    return best[:-1], tuple(costs)
