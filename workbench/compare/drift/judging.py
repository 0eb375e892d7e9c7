"""From explanations to verdicts: each copy's reasons against the reference's and three reference lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workbench.compare.drift.behavior import behavior, flips
from workbench.compare.drift.claims import claim_of
from workbench.compare.drift.measured import ALLOWANCE, Measured, Scope, Verdict, check_allowance
from workbench.compare.drift.measuring import NO_LINES, Lines, different_rows, measure
from workbench.compare.drift.metrics import DRIFT_METRICS, metrics_for
from workbench.compare.drift.precision import floor_of_values, rounding_of
from workbench.compare.drift.result import Drift, Quality
from workbench.compare.drift.statistics import decided
from workbench.core import Attribution, predicted_classes
from workbench.errors import InputError


def verdict_of(
    measured: Sequence[Measured], deciding: Sequence[str], scope: Scope = "rows like these"
) -> Verdict:
    """One copy's verdict over its methods: the word of its claim, "undetermined" where there is none."""
    claim = claim_of(measured, deciding, scope)
    return "undetermined" if claim is None else claim.word


def judge(
    reference: Mapping[str, Attribution],
    candidates: Mapping[str, Mapping[str, Attribution]],
    scores: Mapping[str, ArrayLike],
    outputs: Sequence[str],
    *,
    lines: Mapping[str, Lines] | None = None,
    quality: Sequence[Quality] = (),
    deciding: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
    paired: bool = True,
    roundings: Mapping[str, ArrayLike] | None = None,
    allowance: float = ALLOWANCE,
    notes: Sequence[str] = (),
    seed: int = 0,
    classes: Sequence[Any] | None = None,
) -> Drift:
    """Copies compared with their reference: predictions, reasons, verdicts.

    Args:
        reference: the reference's explanations, by the method's name.
        candidates: each candidate's explanations, by its name and the method's; methods that cannot explain
            it are left out.
        scores: each model's scores of the rows `(n, k)`, by name, the reference's among them.
        outputs: the k outputs' names.
        lines: each method's reference lines, by the method's name.
        quality: the explanations' quality, measured elsewhere.
        deciding: the metrics that verdicts rest on; `DECIDING` of the rows' kind when left out.
        margins: margins by metric that replace the metrics' own.
        paired: whether all models were explained with the same seeds.
        roundings: how far rounding moves each model's scores `(n, k)`, by name, where this was measured and
            not only derived from the scores; see `precision.rounding_of`.
        allowance: the share of rows like these that may lie beyond the limit of a row.
        notes: sentences a reader needs.
        seed: of the bootstrap.
        classes: the label of each class in the models' fit, where known.

    Raises:
        InputError: there is nothing to compare, scores are missing, or as for `measure`.
        IncompatibleError: as for `measure`.
    """
    if not reference or not any(candidates.values()):
        raise InputError(
            f"judge needs explanations of the reference and of a copy, but has {list(reference)} of the "
            f"reference and { ({name: list(found) for name, found in candidates.items()}) } of copies. "
            "Explain both by one method."
        )
    first = next(iter(reference.values()))
    if missing := [name for name in (first.model, *candidates) if name not in scores]:
        raise InputError(
            f"judge needs the scores of every model, but has none of {missing}. Add model.scores(rows)."
        )
    lines = lines or {}
    deciding = first.inputs.of_kind.deciding if deciding is None else tuple(deciding)
    if unknown := [name for name in deciding if name not in DRIFT_METRICS]:
        raise InputError(
            f"A verdict rests on metrics of {list(DRIFT_METRICS)}, not on {unknown}. Choose some of these."
        )
    known = set(metrics_for(first))
    sized = [name for name in known if np.isfinite(DRIFT_METRICS[name].single)]
    if not set(deciding) & set(sized):
        raise InputError(
            f"A verdict needs a metric that sees how much a single row moved, of {sorted(sized)}, but "
            f"rests on {list(deciding)} alone. Add one."
        )
    for name, given in scores.items():
        if np.ndim(given) != 2 or len(np.asarray(given)) != len(first):
            raise InputError(
                f"judge needs scores ({len(first)}, {len(outputs)}) of every model, one row per explained "
                f"row, but those of {name!r} have {np.shape(given)}. Give model.scores(rows)."
            )
    check_allowance(allowance)
    own = predicted_classes(scores[first.model], first.scale)
    every: list[Measured] = []
    verdicts: dict[str, Verdict] = {}
    remarks = list(notes)
    distinct = int(different_rows(first, np.arange(len(first))).max()) + 1
    if distinct < len(first):
        remarks.append(
            f"Only {distinct} of {len(first)} rows differ from each other. Each of these counts once: a "
            "row that is repeated is no further evidence."
        )
    steps = {name: rounding_of(found) for name, found in scores.items()}
    steps |= {name: np.asarray(given) for name, given in (roundings or {}).items()}
    for name, found in candidates.items():
        others = predicted_classes(scores[name], first.scale)
        flipped = None
        if own is not None and others is not None:
            single = first.inputs.y is not None and np.ndim(first.inputs.y) == 1
            flipped = own != others  # one class per row is known, so classes exclude each other
            if not single:
                flipped = flips(scores[first.model], scores[name], first.scale)
        rounding = np.maximum(steps[first.model], steps[name])
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
                floor=floor_of_values(reference[method], rounding, scores[first.model], outputs),
                allowance=allowance,
                method=method,
                seed=seed,
            )
            if paired:
                remarks += _about_samples(f"{name}, {method}", reference[method], attribution)
        taken = decided(_with_others(measured, len(first)))
        every += taken
        verdicts[name] = verdict_of(taken, deciding)
        remarks += _about_rounding(name, taken, deciding)
        remarks += _about_flips(name, taken, deciding)
    y = first.inputs.y
    return Drift(
        reference=first.model,
        models=tuple(candidates),
        methods=tuple(reference),
        ids=first.inputs.ids,
        explained=first.explained,
        behavior=tuple(
            behavior(
                scores[first.model],
                scores[name],
                outputs,
                first.scale,
                y=None if own is None else y,
                classes=classes,
                name=name,
            )
            for name in candidates
        ),
        measured=tuple(every),
        quality=tuple(quality),
        deciding=tuple(deciding),
        verdicts=verdicts,
        notes=tuple(dict.fromkeys(remarks)),
    )


def _with_others(measured: Sequence[Measured], n: int) -> list[Measured]:
    """The same measurements, each with the rows that at least one deciding method says something about."""
    anyone = np.zeros(n, dtype=bool)
    for one in measured:
        if one.stratum == "all" and one.explains:
            anyone |= True if one.informative is None else one.informative
    return [
        one if one.informative is None else replace(one, elsewhere=anyone[one.rows])
        for one in measured
    ]


def _about_samples(what: str, reference: Attribution, copy: Attribution) -> list[str]:
    """A note where one model was sampled longer than the other, because a tolerance ended sampling."""
    ours, theirs = copy.draws, reference.draws
    if ours is None or theirs is None or np.array_equal(ours, theirs):
        return []
    other = ours != theirs
    return [
        f"{what}: on {int(other.sum())} of {len(copy)} rows other numbers of samples were drawn than of "
        f"{reference.model}, {int(ours[other].sum()):,} beside {int(theirs[other].sum()):,}. There "
        "samples are shared only in part; a fixed budget shares all."
    ]


def _about_rounding(name: str, measured: Sequence[Measured], deciding: Sequence[str]) -> list[str]:
    """Notes on rows that count as unchanged, and rows that a method says nothing about."""
    remarks = []
    ours = {one.method: one for one in measured if one.stratum == "all" and one.metric in deciding}
    for method, one in ours.items():
        n = len(one.drift)
        informative = np.ones(n, dtype=bool) if one.informative is None else one.informative
        if not one.explains:
            remarks.append(
                f"{method} explains nothing of {name} and its reference in {int((~informative).sum())} of "
                f"{n} rows: every value is 0 or below the rounding of the scores. It does not decide. Take "
                "another method, or other parameters."
            )
        elif one.informative is not None:
            remarks.append(
                f"{name}: in {int((~informative).sum())} of {n} rows {method} says nothing about either "
                "model. They do not speak for it."
            )
        if one.explains and one.rounded:
            remarks.append(
                f"{name}, {method}: {one.rounded} of {n} rows moved by no more than the rounding of the "
                "scores, and count as unchanged."
            )
    return remarks


def _about_flips(name: str, measured: Sequence[Measured], deciding: Sequence[str]) -> list[str]:
    """A note where the mean over all rows hides a difference between flipped and kept rows."""
    kept = [replace(one, stratum="all") for one in measured if one.stratum == "kept"]
    flipped = {len(one.drift) for one in measured if one.stratum == "flipped"}
    if not kept or not flipped:
        return []
    together, apart = (verdict_of(some, deciding, "these rows") for some in (measured, kept))
    if apart == together:
        return []
    return [
        f"{name}: {together} over all rows, but {apart} over the {len(kept[0].drift)} rows whose class was "
        f"kept; the other {flipped.pop()} flipped."
    ]
