"""From explanations to verdicts: each copy's reasons held against the reference's and three lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.compare.behavior import behavior, predicted
from workbench.compare.comparable import check_comparable, check_recipe
from workbench.compare.drift import Drift, Measured, Quality, Stratum, Verdict
from workbench.compare.drift_metrics import (
    DECIDING,
    DRIFT_METRICS,
    credit_of,
    drift_of_rows,
    maps_of,
    metrics_for,
)
from workbench.compare.drift_statistics import beyond, decided, intervals
from workbench.compare.row_formulas import cosine
from workbench.core import Attribution
from workbench.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lines:
    """Explanations that show how far apart two are when little changed, and when all did; by one method.

    Args:
        noise: the reference again, with other seeds or backgrounds.
        siblings: models trained as the reference was, from other seeds.
        random: the reference with random weights.
    """

    noise: tuple[Attribution, ...] = ()
    siblings: tuple[Attribution, ...] = ()
    random: tuple[Attribution, ...] = ()


NO_LINES = Lines()


def measure(
    reference: Attribution,
    copy: Attribution,
    *,
    lines: Lines = NO_LINES,
    flipped: ArrayLike | None = None,
    metrics: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
    paired: bool = True,
    method: str | None = None,
    seed: int = 0,
) -> tuple[Measured, ...]:
    """How far a copy's explanations lie from the reference's: every metric, in every stratum.

    Verdicts follow `docs/decisions/0015`, with q over these metrics alone; `decided` takes together what
    several methods measured of one copy, as `judge` does.

    Args:
        reference: the reference's explanations.
        copy: the copy's, by the same recipe, of the same rows and outputs.
        lines: what drift is held against. Without `noise`, the explainer's own is taken from its standard
            errors.
        flipped: which rows' predicted class is not the reference's `(n,)`; None measures all rows only.
        metrics: keys of `DRIFT_METRICS`; all that these explanations allow when left out.
        margins: by metric, where it is not the metric's own.
        paired: whether both were explained with the same seeds. Without, drift counts beyond the noise.
        method: what the method is called; its class when left out.
        seed: of the bootstrap.

    Raises:
        InputError: explanations of other rows, outputs or players, an unknown metric, or no noise to hold
            unpaired explanations against.
        IncompatibleError: explanations by other methods or in other units.
    """
    names = tuple(metrics_for(reference) if metrics is None else metrics)
    allowed = metrics_for(reference)
    if unknown := [name for name in names if name not in allowed]:
        raise InputError(
            f"Drift of {type(reference.method).__name__} is measured by {list(allowed)}, not by {unknown}. "
            "Choose some of these, or leave metrics out."
        )
    for other in (copy, *lines.noise, *lines.siblings, *lines.random):
        check_comparable(reference, other)
    check_recipe(reference, copy, paired=paired)
    limits = {name: DRIFT_METRICS[name].margin for name in names} | _checked(margins or {}, names)
    again = [one for one in lines.noise if one.inputs.shares_background(reference.inputs)]
    sampled = is_sampled(reference) or is_sampled(copy)
    unpaired = sampled and not paired
    if unpaired and not again:
        raise InputError(
            f"Explanations that share no seeds need the reference's own noise to be held against, but "
            f"{reference.model!r} was not explained with another seed. Give Lines(noise=...)."
        )
    share = noise_share(reference, again) if sampled else 0.0
    who = method or type(reference.method).__name__
    views = _Views()
    series = {name: views.drift(name, reference, copy) for name in names}
    floor = {}
    if unpaired:
        floor = {
            name: _mean([views.drift(name, reference, one) for one in again]) for name in names
        }
    drawn = {
        line: {name: [views.drift(name, reference, one) for one in found] for name in names}
        for line, found in (
            ("noise", lines.noise),
            ("siblings", lines.siblings),
            ("random", lines.random),
        )
    }
    measured: list[Measured] = []
    for stratum, rows in _strata(len(reference), flipped):
        distinct = _distinct(reference, rows)
        drifts = np.stack([series[name][rows] for name in names])
        mean, low, high = intervals(drifts, seed=seed)
        over = None
        if unpaired:
            over = np.stack([_over(name, series, floor)[rows] for name in names])
            excess = np.stack(intervals(over, seed=seed), axis=1)
        for i, name in enumerate(names):
            line = {key: _level(found[name], rows) for key, found in drawn.items()}
            p = None
            if sampled:
                p = beyond(drifts[i], limits[name]) if over is None else beyond(over[i])
            measured.append(
                Measured(
                    model=copy.model,
                    method=who,
                    metric=name,
                    stratum=stratum,
                    drift=drifts[i],
                    rows=rows,
                    mean=float(mean[i]),
                    low=float(low[i]),
                    high=float(high[i]),
                    noise=line["noise"] if lines.noise or sampled else 0.0,
                    retraining=line["siblings"],
                    random=line["random"],
                    margin=limits[name],
                    p=p,
                    q=None,
                    verdict="undetermined",
                    reason="",
                    noise_share=share,
                    squared=DRIFT_METRICS[name].squared,
                    over_floor=None if over is None else over[i],
                    excess=None if over is None else (*map(float, excess[i]),),  # type: ignore[arg-type]
                    distinct=distinct if distinct < len(rows) else None,
                )
            )
    return decided(measured)


def verdict_of(measured: Sequence[Measured], deciding: Sequence[str]) -> Verdict:
    """One copy's verdict over its methods, from the deciding metrics on all rows.

    "changed" where one of them changed, "preserved" where all are, else "undetermined".
    """
    found = {one.verdict for one in measured if one.stratum == "all" and one.metric in deciding}
    if "changed" in found:
        return "changed"
    return "preserved" if found == {"preserved"} else "undetermined"


def judge(
    reference: Mapping[str, Attribution],
    copies: Mapping[str, Mapping[str, Attribution]],
    scores: Mapping[str, ArrayLike],
    outputs: Sequence[str],
    *,
    lines: Mapping[str, Lines] | None = None,
    quality: Sequence[Quality] = (),
    deciding: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
    paired: bool = True,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Drift:
    """Copies held against their reference: predictions, reasons, verdicts.

    Args:
        reference: the reference's explanations, by the method's name.
        copies: each copy's, by the copy's name and the method's; what a copy cannot do is left out.
        scores: each model's scores of the rows `(n, k)`, by name, the reference's among them.
        outputs: the k outputs' names.
        lines: each method's reference lines, by the method's name.
        quality: of the explanations, measured elsewhere.
        deciding: the metrics that verdicts rest on; `DECIDING` of the rows' kind when left out.
        margins: by metric, where it is not the metric's own.
        paired: whether all models were explained with the same seeds.
        notes: sentences a reader needs.
        seed: of the bootstrap.

    Raises:
        InputError: nothing to compare, scores missing, or what `measure` refuses.
        IncompatibleError: what `measure` refuses.
    """
    if not reference or not any(copies.values()):
        raise InputError(
            f"judge needs explanations of the reference and of a copy, but has {list(reference)} of the "
            f"reference and { ({name: list(found) for name, found in copies.items()}) } of copies. Explain "
            "both by one method."
        )
    first = next(iter(reference.values()))
    if missing := [name for name in (first.model, *copies) if name not in scores]:
        raise InputError(
            f"judge needs the scores of every model, but has none of {missing}. Add model.scores(rows)."
        )
    lines = lines or {}
    deciding = DECIDING[first.inputs.kind] if deciding is None else tuple(deciding)
    if unknown := [name for name in deciding if name not in DRIFT_METRICS]:
        raise InputError(
            f"A verdict rests on metrics of {list(DRIFT_METRICS)}, not on {unknown}. Choose some of these."
        )
    own = predicted(scores[first.model], first.scale)
    every: list[Measured] = []
    verdicts: dict[str, Verdict] = {}
    said = list(notes)
    if (distinct := _distinct(first, np.arange(len(first)))) < len(first):
        said.append(
            f"Only {distinct} of {len(first)} rows differ from each other. Intervals take each as drawn by "
            "itself: where rows were repeated on purpose, they are too narrow."
        )
    for name, found in copies.items():
        others = predicted(scores[name], first.scale)
        flipped = None if own is None or others is None else own != others
        measured: list[Measured] = []
        for method, attribution in found.items():
            if method not in reference:
                raise InputError(
                    f"{name!r} is explained by {method!r}, but {first.model!r} only by {list(reference)}. "
                    "Explain both by one method."
                )
            measured += measure(
                reference[method],
                attribution,
                lines=lines.get(method, NO_LINES),
                flipped=flipped,
                margins=margins,
                paired=paired,
                method=method,
                seed=seed,
            )
            if is_sampled(attribution) and attribution.evaluations != reference[method].evaluations:
                said.append(
                    f"{name}, {method}: {attribution.evaluations:,} model rows were asked for, of "
                    f"{first.model} {reference[method].evaluations:,}. Their samples are shared only in "
                    "part; a fixed budget shares all."
                )
        taken = decided(measured)
        every += taken
        verdicts[name] = verdict_of(taken, deciding)
        said += _about_flips(name, taken, deciding, verdicts[name])
    classes = first.inputs.classes
    return Drift(
        reference=first.model,
        models=tuple(copies),
        methods=tuple(reference),
        ids=first.inputs.ids,
        explained=first.explained,
        behavior=tuple(
            behavior(
                scores[first.model],
                scores[name],
                outputs,
                first.scale,
                classes=None if own is None else classes,
                name=name,
            )
            for name in copies
        ),
        measured=tuple(every),
        quality=tuple(quality),
        deciding=tuple(deciding),
        verdicts=verdicts,
        notes=tuple(dict.fromkeys(said)),
    )


def is_sampled(attribution: Attribution) -> bool:
    """Whether another seed would give other values: by its standard errors, else by its having a seed."""
    if attribution.error is not None:
        return bool((attribution.error > 0).any())
    return hasattr(attribution.method, "seed")


def noise_share(reference: Attribution, again: Sequence[Attribution]) -> float | None:
    """The part of an explanation's squared size that is its explainer's noise, 0 to 1.

    With values a + e, noise e of its own for every seed: two seeds' cosine is |a|² / (|a|² + |e|²) on
    average, so 1 less its mean over rows is the share. Where nobody explained the reference again, the
    standard errors s tell it: Σ s² / Σ (a + e)².

    Args:
        reference: the reference's explanations.
        again: the same with other seeds and the same background.

    Returns:
        None where neither is at hand.
    """
    credit = credit_of(reference)
    if again:
        return max(0.0, float(np.mean([1 - cosine(credit, credit_of(one)) for one in again])))
    if reference.error is None:
        return None
    if reference.inputs.kind == "tabular" or reference.players is not None:
        errors = [reference.error_by_player(row) for row in range(len(reference))]
        squares = float(sum((np.asarray(error) ** 2).sum() for error in errors))
    else:
        squares = float((reference.error**2).sum())
    total = float((credit**2).sum())
    return min(1.0, squares / total) if total else float(squares > 0)


class _Views:
    """Explanations as rows or maps, each made once: one serves fourteen metrics."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, bool], Array] = {}

    def of(self, attribution: Attribution, maps: bool) -> Array:
        key = id(attribution), maps
        if key not in self._made:
            self._made[key] = maps_of(attribution) if maps else credit_of(attribution)
        return self._made[key]

    def drift(self, metric: str, reference: Attribution, copy: Attribution) -> Array:
        maps = DRIFT_METRICS[metric].of == "maps"
        return drift_of_rows(metric, self.of(reference, maps), self.of(copy, maps))


def _strata(n: int, flipped: ArrayLike | None) -> list[tuple[Stratum, NDArray[np.intp]]]:
    """Rows by stratum, those with rows only."""
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


def _distinct(reference: Attribution, rows: NDArray[np.intp]) -> int:
    return len({row.tobytes() for row in reference.inputs.values[rows]})


def _checked(margins: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    for name, margin in margins.items():
        if name not in DRIFT_METRICS or not 0 <= margin < np.inf:
            raise InputError(
                f"margins are numbers from 0 by metric, of {list(DRIFT_METRICS)}, but {name!r} has "
                f"{margin!r}. Correct it, or leave it out for the metric's own."
            )
    return {name: float(margin) for name, margin in margins.items() if name in names}


def _over(name: str, series: Mapping[str, Array], floor: Mapping[str, Array]) -> Array:
    power = 2 if DRIFT_METRICS[name].squared else 1
    return np.asarray(series[name] ** power - floor[name] ** power)


def _level(drifts: Sequence[Array], rows: NDArray[np.intp]) -> float | None:
    return float(np.mean([one[rows].mean() for one in drifts])) if drifts else None


def _mean(drifts: Sequence[Array]) -> Array:
    return np.asarray(np.mean(drifts, axis=0))


def _about_flips(
    name: str, measured: Sequence[Measured], deciding: Sequence[str], verdict: Verdict
) -> list[str]:
    """What averaging over flipped and kept rows together would hide."""
    kept = [one for one in measured if one.stratum == "kept"]
    flipped = {len(one.drift) for one in measured if one.stratum == "flipped"}
    if not kept or not flipped:
        return []
    alone: list[Verdict] = [one.verdict for one in kept if one.metric in deciding]
    apart: Verdict = (
        "changed"
        if "changed" in alone
        else "preserved"
        if alone and set(alone) == {"preserved"}
        else "undetermined"
    )
    if apart == verdict:
        return []
    return [
        f"{name}: {verdict} over all rows, but {apart} over the {len(kept[0].drift)} rows whose class was "
        f"kept; the other {flipped.pop()} flipped."
    ]
