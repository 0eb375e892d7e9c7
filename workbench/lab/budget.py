"""`Budget`: how far a copy may differ from its model, and whether it keeps to that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from workbench.compare.drift import DRIFT_METRICS, FLIPS, Behavior, Drift, Measured, Scope
from workbench.errors import InputError

Wanted = Literal["preserved", "in part", "any"]
Undetermined = Literal["break", "allow"]
Worse = Literal["break", "allow"]


@dataclass(frozen=True)
class Budget:
    """The limits that every copy of a study must keep; a limit of None is not checked.

    >>> Budget(flips=0.02).asked
    ('verdict', 'flips')

    Args:
        verdict: "preserved" requires that verdict; "in part" also allows "changed in part"; "any" allows
            every verdict.
        scope: which verdict counts: the one for "rows like these", which needs enough rows, or the one on
            "these rows" alone, which says nothing about others.
        undetermined: whether the verdict "undetermined" breaks the budget; "allow" lets it pass.
        worse: whether explanations found worse (not merely changed) break it, where that was measured.
        flips: largest share of rows whose predicted class may change, 0 to 1. When left out, 1 % where
            there are classes; 1 lets all change.
        accuracy_drop: largest loss of accuracy, 0 to 1; needs rows with classes.
        drift: largest mean drift by metric, of every method, over all rows.
        normalized: largest drift of a deciding metric between explainer noise (0) and random weights (1).
        pointing_game: smallest share of rows whose explanation points at the truth, 0 to 1; needs images
            with known truth.
    """

    verdict: Wanted = "preserved"
    scope: Scope = "rows like these"
    undetermined: Undetermined = "break"
    worse: Worse = "allow"
    flips: float | None = None
    accuracy_drop: float | None = None
    drift: Mapping[str, float] = field(default_factory=dict)
    normalized: float | None = None
    pointing_game: float | None = None

    def __post_init__(self) -> None:
        for name, words in (
            ("verdict", get_args(Wanted)),
            ("scope", get_args(Scope)),
            ("undetermined", get_args(Undetermined)),
            ("worse", get_args(Worse)),
        ):
            if getattr(self, name) not in words:
                raise InputError(
                    f"budget.{name} must be one of {list(words)}, not {getattr(self, name)!r}."
                )
        for name in ("flips", "accuracy_drop", "pointing_game"):
            if (value := getattr(self, name)) is not None:
                _check_number(f"budget.{name}", value, 1.0)
        if self.normalized is not None:
            _check_number("budget.normalized", self.normalized, np.inf)
        if not isinstance(self.drift, Mapping):
            raise InputError(
                f"budget.drift needs metrics with their largest mean drift, not {self.drift!r}. Write "
                "drift = {cosine = 0.05}."
            )
        for metric, value in self.drift.items():
            if metric not in DRIFT_METRICS:
                raise InputError(
                    f"budget.drift is by metric, and {metric!r} is none. Metrics: {list(DRIFT_METRICS)}."
                )
            _check_number(f"budget.drift.{metric}", value, np.inf)
        object.__setattr__(self, "drift", MappingProxyType(dict(self.drift)))

    @property
    def asked(self) -> tuple[str, ...]:
        """The limits that the budget checks, as the names of its fields."""
        silent: dict[str, object] = {"verdict": "any", "worse": "allow"}
        silent |= {"undetermined": self.undetermined, "scope": self.scope}
        return tuple(
            f.name
            for f in fields(self)
            if ((value := getattr(self, f.name)) is not None or f.name == "flips")
            and value != silent.get(f.name)
            and value != {}
        )


@dataclass(frozen=True)
class Check:
    """One limit of a budget, checked for one copy.

    Args:
        model: the copy's name.
        what: what was checked, such as "flips" or "cosine by GradCAM".
        allowed: the budget's limit, as text.
        found: the copy's value, as text.
        held: whether the copy keeps the limit.
        reason: further words, such as the verdict's own reason.
        figures: figures for programs, by name; for a verdict its word, scope, rows beyond, the bound of the
            share of rows like these, and rows needed.
    """

    model: str
    what: str
    allowed: str
    found: str
    held: bool
    reason: str = ""
    figures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """A budget checked for every copy of a drift.

    Args:
        reference: the model that the copies are compared with.
        checks: copy by copy, in the budget's order.
        rows: how many rows were explained.
        notes: what a reader must know.
        sentences: per copy, how its explanations and predictions changed.
    """

    reference: str
    checks: tuple[Check, ...]
    rows: int
    notes: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether every copy keeps every limit."""
        return all(check.held for check in self.checks)


def check_budget(drift: Drift, budget: Budget) -> Checked:
    """The checks of the budget's limits, one by one, for every copy.

    Raises:
        InputError: the budget limits something that was not measured (accuracy without classes, a metric
            that the methods do not have, a pointing game without truth), or nothing at all.
    """
    behavior = {one.model: one for one in drift.behavior}
    checks = [
        check for name in drift.models for check in _checks(drift, budget, name, behavior[name])
    ]
    if not checks:
        raise InputError(
            "A budget must ask for something, but this one lets everything pass. Set verdict = "
            '"preserved", or a limit such as flips = 0.02.'
        )
    sentences = tuple(f"{name}: {drift.sentence(name)}" for name in drift.models)
    return Checked(drift.reference, tuple(checks), len(drift.ids), drift.notes, sentences)


def _checks(drift: Drift, budget: Budget, name: str, behavior: Behavior) -> Iterator[Check]:
    measured = [one for one in drift.measured if one.model == name and one.stratum == "all"]
    if budget.verdict != "any":
        yield _verdict(drift, budget, name)
    if budget.worse == "break":
        yield _worse(drift, name)
    if behavior.flips is not None or budget.flips is not None:
        if behavior.flips is None:
            raise InputError(
                f"budget.flips needs classes that are predicted, but {name!r} gives raw scores. Leave "
                "flips out, or limit the drift."
            )
        limit = FLIPS if budget.flips is None else budget.flips
        yield _at_most(name, "flips", limit, behavior.flips, share=True)
    if budget.accuracy_drop is not None:
        if behavior.accuracy is None:
            raise InputError(
                "budget.accuracy_drop needs rows whose classes are known, but these have none. Give "
                "them classes, or leave accuracy_drop out."
            )
        before, after = behavior.accuracy
        check = _at_most(name, "accuracy drop", budget.accuracy_drop, before - after, share=True)
        yield check
    for metric, limit in budget.drift.items():
        found = [one for one in measured if one.metric == metric]
        if not found:
            known = sorted({one.metric for one in measured})
            raise InputError(
                f"budget.drift asks for {metric!r}, which was not measured of {name!r}. Metrics: {known}."
            )
        for one in found:
            check = _at_most(name, f"{metric} by {one.method}", limit, one.mean)
            changes = {} if one.explains else {"found": "says nothing", "held": False}
            yield replace(check, **changes)  # type: ignore[arg-type]
    if budget.normalized is not None:
        yield from _normalized(drift, budget.normalized, name, measured)
    if budget.pointing_game is not None:
        yield from _pointing(drift, budget.pointing_game, name)


def _verdict(drift: Drift, budget: Budget, name: str) -> Check:
    claim = drift.claim(name, budget.scope)
    passes = ["preserved"]
    if budget.verdict == "in part":
        passes.append("changed in part")
    if budget.undetermined == "allow":
        passes.append("undetermined")
    held = claim.word in passes
    if claim.word == "undetermined":
        # "undetermined" may be allowed; a change on these rows may not.
        here = drift.claim(name, "these rows")
        held = held and here.explains and here.word in (*passes, "preserved")
    found = f"{claim.word} {'on' if claim.scope == 'these rows' else 'for'} {claim.scope}"
    if claim.rows_needed is not None:
        found += f", {claim.rows_needed:,} different rows would do"
    figures = {
        "word": claim.word,
        "scope": claim.scope,
        "rows": str(claim.rows),
        "rows beyond": str(claim.beyond),
        "share at most": f"{claim.share:.6g}",
        "allowance": f"{claim.allowance:g}",
        "rows needed": "" if claim.rows_needed is None else str(claim.rows_needed),
        "decided by": f"{claim.metric} by {claim.method}",
        "mean drift": f"{claim.mean:.6g}",
        "margin": f"{claim.margin:g}",
        "on these rows": drift.claim(name, "these rows").word,
        "predictions": drift.of_predictions(name),
    }
    return Check(
        name,
        "verdict",
        " or ".join(passes),
        found,
        held,
        f"{claim.metric} by {claim.method}: {claim.reason}",
        figures,
    )


def _worse(drift: Drift, name: str) -> Check:
    mine = [one for one in drift.quality if one.model == name]
    if not mine:
        raise InputError(
            f"budget.worse needs a measure of quality, but none was taken of {name!r}. Give images with "
            "known truth, ask for faithfulness, or leave worse out."
        )
    bad = [f"{one.measure} by {one.method}" for one in mine if one.verdict == "worse"]
    return Check(name, "explanations", "not worse", ", ".join(bad) or "not worse", not bad)


def _normalized(drift: Drift, limit: float, name: str, measured: list[Measured]) -> Iterator[Check]:
    deciding = [one for one in measured if one.metric in drift.deciding]
    if any(one.random is None for one in deciding):
        raise InputError(
            f"budget.normalized needs the line of random weights, which is missing for {name!r}. Leave "
            "normalized out, or choose methods that explain the model with random weights."
        )
    if lost := [f"{one.metric} by {one.method}" for one in deciding if one.normalized is None]:
        raise InputError(
            f"budget.normalized needs random weights farther away than the explainer's own noise, but for "
            f"{name!r} they are not, in {', '.join(lost)}. Spend a larger budget on the methods, or leave "
            "normalized out."
        )
    for one in deciding:
        value = one.normalized
        if value is not None:
            yield _at_most(name, f"normalized {one.metric} by {one.method}", limit, value)


def _pointing(drift: Drift, limit: float, name: str) -> Iterator[Check]:
    mine = [one for one in drift.quality if one.model == name and one.measure == "pointing game"]
    if not mine:
        raise InputError(
            f"budget.pointing_game needs images whose truth is known, and there are none for {name!r}. "
            "Leave pointing_game out."
        )
    for one in mine:
        found = float(np.mean(one.copy))
        what = f"pointing game by {one.method}"
        yield Check(name, what, f"≥ {limit:.1%}", f"{found:.1%}", found >= limit)


def _at_most(name: str, what: str, limit: float, found: float, *, share: bool = False) -> Check:
    def text(value: float) -> str:
        return f"{value:.1%}" if share else f"{value:.4g}"

    # Shares are differences of means; 0.02 allowed must not break at 0.98 - 0.96 = 0.020000000000000018.
    held = bool(found <= limit + 1e-12)
    return Check(name, what, f"≤ {text(limit)}", text(found), held)


def _check_number(name: str, value: object, most: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= most:  # type: ignore[operator]
        bound = "a number from 0" if most == np.inf else f"a number from 0 to {most:g}"
        raise InputError(f"{name} must be {bound}, not {value!r}.")
