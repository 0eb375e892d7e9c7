"""From two explanations to numbers per row: every metric, in every stratum, beside its reference lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare import formulas
from workbench.compare.comparable import check_comparable, check_recipe
from workbench.compare.drift.measured import ALLOWANCE, Measured, Stratum, check_allowance, once
from workbench.compare.drift.metrics import (
    DRIFT_METRICS,
    checked_margins,
    credit_of,
    drift_of_rows,
    maps_of,
    metrics_for,
)
from workbench.compare.drift.statistics import beyond, decided, intervals
from workbench.core import Attribution
from workbench.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lines:
    """Explanations by one method for the reference lines: how far two lie apart anyway.

    Args:
        noise: the reference again, with other seeds or backgrounds.
        siblings: models trained as the reference was, from other seeds.
        random: the reference with random weights.
    """

    noise: tuple[Attribution, ...] = ()
    siblings: tuple[Attribution, ...] = ()
    random: tuple[Attribution, ...] = ()


NO_LINES = Lines()

_ROW = DRIFT_METRICS["distance"].margin * DRIFT_METRICS["distance"].single
_STILL = DRIFT_METRICS["distance"].margin / 10
_TRIES = 8  # draws of sampling errors, to see how far they move a row's drift


def measure(
    reference: Attribution,
    copy: Attribution,
    *,
    lines: Lines = NO_LINES,
    flipped: ArrayLike | None = None,
    metrics: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
    paired: bool = True,
    floor: ArrayLike | None = None,
    allowance: float = ALLOWANCE,
    method: str | None = None,
    seed: int = 0,
) -> tuple[Measured, ...]:
    """How far a copy's explanations lie from the reference's: every metric, in every stratum.

    Verdicts follow `docs/decisions/0015` and `0027`, with q over these metrics alone; `decided` takes
    together what several methods measured of one copy, as `judge` does.

    Args:
        reference: the reference's explanations.
        copy: the copy's, by the same recipe, of the same rows and outputs.
        lines: the reference lines. Without `noise`, the explainer's own noise is taken from its standard
            errors.
        flipped: which rows' predicted class is not the reference's `(n,)`; None measures all rows only.
        metrics: keys of `DRIFT_METRICS`; all that these explanations allow when left out.
        margins: margins by metric that replace the metrics' own.
        paired: whether both were explained with the same seeds. If not, only drift beyond the noise counts.
        floor: how far rounding alone may move each row's values `(n,)`, in their unit, as
            `precision.floor_of_values` tells; rows that moved less count as unchanged.
        allowance: the share of rows like these that may lie beyond the limit of a row.
        method: the method's name; its class name when left out.
        seed: of the bootstrap.

    Raises:
        InputError: rows, outputs or players differ, a metric is unknown, or unpaired explanations come
            without noise to compare with.
        IncompatibleError: methods, units or backgrounds differ.
    """
    names = tuple(metrics_for(reference) if metrics is None else metrics)
    allowed = metrics_for(reference)
    if unknown := [name for name in names if name not in allowed]:
        raise InputError(
            f"Drift of {type(reference.method).__name__} is measured by {list(allowed)}, not by {unknown}. "
            "Choose some of these, or leave metrics out."
        )
    for other in (copy, *lines.siblings, *lines.random):
        check_comparable(reference, other, "Drift needs")
    for other in lines.noise:
        check_comparable(reference, other, "Drift needs", but=("background",))  # it shows just that
    check_recipe(reference, copy, paired=paired)
    given = checked_margins({} if margins is None else margins)
    limits = {name: given.get(name, DRIFT_METRICS[name].margin) for name in names}
    again = [one for one in lines.noise if one.inputs.shares_background(reference.inputs)]
    sampled = is_sampled(reference) or is_sampled(copy)
    unpaired = sampled and not paired
    if unpaired and not again:
        raise InputError(
            f"Explanations that share no seeds need the reference's own noise to be held against, but "
            f"{reference.model!r} was not explained with another seed. Give Lines(noise=...)."
        )
    check_allowance(allowance)
    share = noise_share(reference, again) if sampled else 0.0
    seen = _Seen(reference, copy, floor)
    noise = _Noise(reference, names) if sampled else None
    series = {name: seen.drift(name, copy) for name in names}
    line_drifts = {
        line: {name: [seen.drift(name, one) for one in found] for name in names}
        for line, found in (
            ("noise", lines.noise),
            ("siblings", lines.siblings),
            ("random", lines.random),
            ("again", again if unpaired else ()),
        )
    }
    measured: list[Measured] = []
    for stratum, rows in _strata(len(reference), flipped):
        groups = different_rows(reference, rows)
        informative = seen.informative[rows]
        at = informative if informative.any() else np.ones(len(rows), dtype=bool)
        single = partial(_single, rows=rows[at], groups=groups[at])
        drifts = np.stack([series[name] for name in names])
        mean, low, high = intervals(single(drifts), seed=seed)
        over = excess = None
        if unpaired:
            over = np.stack([_over(name, series, line_drifts["again"]) for name in names])
            excess = np.stack(intervals(single(over), seed=seed), axis=1)
        for i, name in enumerate(names):
            level = {
                line: float(np.mean([single(one).mean() for one in found[name]]))
                if found[name]
                else None
                for line, found in line_drifts.items()
            }
            p = None
            if sampled:
                p = (
                    beyond(single(drifts[i]), limits[name])
                    if over is None
                    else beyond(single(over[i]))
                )
            doubt = None if noise is None else noise.of(name)
            measured.append(
                Measured(
                    model=copy.model,
                    method=method or type(reference.method).__name__,
                    metric=name,
                    stratum=stratum,
                    drift=series[name][rows],
                    rows=rows,
                    mean=float(mean[i]),
                    low=max(0.0, float(low[i])),  # below 0 only by rounding
                    high=float(high[i]),
                    noise=level["noise"] if lines.noise or sampled else 0.0,
                    retraining=level["siblings"],
                    random=level["random"],
                    margin=limits[name],
                    p=p,
                    q=None,
                    verdict="undetermined",
                    reason="",
                    noise_share=share,
                    squared=DRIFT_METRICS[name].squared,
                    over_floor=None if over is None else over[i][rows],
                    excess=None if excess is None else (*map(float, excess[i]),),  # type: ignore[arg-type]
                    distinct=None if groups.max() + 1 == len(rows) else int(groups.max() + 1),
                    groups=None if groups.max() + 1 == len(rows) else groups,
                    doubt=None if doubt is None else doubt[rows],
                    informative=None if informative.all() else informative,
                    rounded=int((seen.rounded & seen.informative)[rows].sum()),
                    single=DRIFT_METRICS[name].single,
                    allowance=allowance,
                )
            )
    return decided(measured)


def is_sampled(attribution: Attribution) -> bool:
    """Whether another seed would give other values: it has standard errors, or else a seed."""
    error = attribution.error
    if error is not None and np.isfinite(error).any():
        # Exact values computed by sampling's formulas have tiny errors from rounding, not from sampling.
        least = formulas.TIES * float(np.abs(attribution.values).max(initial=0.0))
        return bool((error[np.isfinite(error)] > least).any())
    return hasattr(attribution.method, "seed")


def noise_share(reference: Attribution, again: Sequence[Attribution]) -> float | None:
    """The part of an explanation's squared size that is its explainer's noise, 0 to 1.

    With values a + e, noise e of its own for every seed: two seeds' cosine is |a|² / (|a|² + |e|²) on
    average, so 1 less its mean over rows is the share. Where the reference was explained only
    once, the standard errors s give it: Σ s² / Σ (a + e)².

    Args:
        reference: the reference's explanations.
        again: the same with other seeds and the same background.

    Returns:
        None where there is neither.
    """
    credit = credit_of(reference)
    if again:
        return max(
            0.0, float(np.mean([1 - formulas.cosine(credit, credit_of(one)) for one in again]))
        )
    if reference.error is None or not np.isfinite(reference.error).all():
        return None
    if reference.has_players:
        errors = [reference.error_by_player(row) for row in range(len(reference))]
        squares = float(sum((np.asarray(error) ** 2).sum() for error in errors))
    else:
        squares = float((reference.error**2).sum())
    total = float((credit**2).sum())
    return min(1.0, squares / total) if total else float(squares > 0)


class _Seen:
    """A reference's explanation as rows or maps, each made once, and the drift of others from it.

    Args:
        reference: the explanation.
        copy: the copy's explanation; it shows which rows moved by rounding alone, and which explain
            anything.
        floor: as in `measure`.
    """

    def __init__(self, reference: Attribution, copy: Attribution, floor: ArrayLike | None) -> None:
        self._reference, self._copy = reference, copy
        self._made: dict[tuple[int, bool], Array] = {}
        n = len(reference)
        floor = np.zeros(n) if floor is None else np.asarray(floor, dtype=np.float64)
        if floor.shape != (n,):
            raise InputError(
                f"floor needs one number per row, shape ({n},), but has {floor.shape}. Take it from "
                "precision.floor_of_values(...)."
            )
        first, second = (self._view(one, maps=False) for one in (reference, copy))
        moved, *sizes = (
            np.abs(values).max(axis=1, initial=0.0) for values in (first - second, first, second)
        )
        self.rounded = (moved <= floor) & (moved > 0)
        largest = np.maximum(*sizes)
        # If rounding could carry a row beyond its limit, it means nothing that the row did not move.
        self.informative = (largest > 0) & (_ROW * largest >= floor)
        # Values that hardly moved count as unchanged, even if their order did change.
        self._still = formulas.distance(first, second) <= _STILL

    def drift(self, metric: str, other: Attribution) -> Array:
        """How far another explanation lies from the reference's `(n,)`; rounding is not drift."""
        maps = DRIFT_METRICS[metric].of in ("maps", "planes")
        found = drift_of_rows(metric, self._view(self._reference, maps), self._view(other, maps))
        if other is not self._copy:
            return found
        nothing = self.rounded | (self._still & np.isinf(DRIFT_METRICS[metric].single))
        return np.where(nothing, 0.0, found)

    def _view(self, attribution: Attribution, maps: bool) -> Array:
        key = id(attribution), maps
        if key not in self._made:
            self._made[key] = maps_of(attribution) if maps else credit_of(attribution)
        return self._made[key]


class _Noise:
    """How far one standard error of the reference's values moves a metric, row by row."""

    def __init__(self, reference: Attribution, names: Sequence[str]) -> None:
        self._reference = reference
        self._known: dict[str, Array | None] = {}
        deciding = reference.inputs.of_kind.deciding
        for name in names:
            # Metrics that are only shown decide nothing, so this is not computed for them.
            self._known[name] = self._tried(name) if name in deciding else None

    def of(self, name: str) -> Array | None:
        """`(n,)`, or None where the errors are unknown or the metric does not decide."""
        return self._known[name]

    def _tried(self, name: str) -> Array | None:
        if self._reference.error is None or not np.isfinite(self._reference.error).any():
            return None
        errors = replace(self._reference, values=np.nan_to_num(self._reference.error))
        maps = DRIFT_METRICS[name].of in ("maps", "planes")
        values, size = (maps_of(x) if maps else credit_of(x) for x in (self._reference, errors))
        rng = np.random.default_rng(0)
        return np.asarray(
            np.mean(
                [
                    drift_of_rows(name, values, values + size * rng.standard_normal(size.shape))
                    for _ in range(_TRIES)
                ],
                axis=0,
            )
        )


def _strata(n: int, flipped: ArrayLike | None) -> list[tuple[Stratum, NDArray[np.intp]]]:
    """Rows by stratum, without empty ones."""
    found: list[tuple[Stratum, NDArray[np.intp]]] = [("all", np.arange(n))]
    if flipped is not None:
        turned = np.asarray(flipped, dtype=bool)
        if turned.shape != (n,):
            raise InputError(
                f"flipped needs one entry per row, shape ({n},), but has {turned.shape}. Compare the "
                "predicted classes of the explained rows."
            )
        found += [("kept", np.flatnonzero(~turned)), ("flipped", np.flatnonzero(turned))]
    return [(stratum, rows) for stratum, rows in found if len(rows)]


def different_rows(reference: Attribution, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """The number of the distinct row that each row repeats, in order of first appearance `(n,)`."""
    first: dict[bytes, int] = {}
    values = reference.inputs.values[rows] + 0.0  # a zero has no sign
    return np.array([first.setdefault(row.tobytes(), len(first)) for row in values], dtype=np.intp)


def _single(series: Array, rows: NDArray[np.intp], groups: NDArray[np.intp]) -> Array:
    """Numbers per row of the study `(..., n)` as one per different row among some of them."""
    return once(series[..., rows], groups)


def _over(name: str, series: Mapping[str, Array], again: Mapping[str, Sequence[Array]]) -> Array:
    """Drift beyond that between two seeds of the reference, both squared if the metric is `squared`."""
    power = 2 if DRIFT_METRICS[name].squared else 1
    floor = np.mean(again[name], axis=0)
    return np.asarray(series[name] ** power - floor**power)
