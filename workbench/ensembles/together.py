"""An ensemble and its members explained in one pass: each member computes every row once.

A *bundle* is a model whose outputs are all members' outputs side by side, followed by the ensemble's
own, computed from them. A method's estimates for sums over these outputs explain the members and the
ensemble, from the same coalitions or points, with the right standard errors for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import (
    Attribution,
    Composition,
    Estimate,
    Inputs,
    Method,
    Model,
    Progress,
    Target,
)
from workbench.core.explaining import Make
from workbench.ensembles.badge import (
    composition_of,
    part_model,
    refusal,
    speaks_alike,
    with_badge,
)
from workbench.ensembles.combined import bundle_of, combination_of, over
from workbench.ensembles.guarding import MemberFailedError, guarded
from workbench.errors import IncompatibleError, InputError, MemberError

Array = NDArray[np.float64]

_NAMED = 8  # failing rows that a message lists


@dataclass(frozen=True)
class Functional(Target):
    """A target whose weights over the outputs are known for each row `(n, k)`."""

    given: Array = field(kw_only=True, repr=False, compare=False)
    aside: bool = field(default=False, kw_only=True, repr=False, compare=False)  # type: ignore[misc]

    def weights(self, model: Model, scores: NDArray[Any]) -> Array:  # noqa: ARG002 - as Target's
        """The given weights `(n, k)`."""
        return self.given

    def check_rows(self, n: int) -> None:
        """Refuses another number of rows."""
        if len(self.given) != n:
            raise InputError(f"This target is for {len(self.given)} rows, not {n}.")

    def of_rows(self, rows: slice) -> Functional:
        """The same target for some of the rows."""
        return replace(self, given=self.given[rows])


class EnsembleRun:
    """The explanation of one ensemble, with its members', by one method.

    A member that fails is left out and the pass begins again: the others' explanations are kept, but there
    is none of the ensemble.

    Args:
        ensemble: a model with a combination.
        members: the same members, perhaps counted.

    Attributes:
        model: the ensemble.
        failures: why each failed member did fail, by its number.
    """

    def __init__(self, ensemble: Model, members: Sequence[Model]) -> None:
        combination = combination_of(ensemble)
        self.model = ensemble
        watched = tuple(guarded(member, number) for number, member in enumerate(members))
        self.combination = replace(combination, members=watched)
        self.ensemble = over(ensemble, self.combination)
        self.failures: dict[int, str] = {}

    @property
    def active(self) -> list[int]:
        """The numbers of the members that have not failed."""
        return [m for m in range(len(self.combination.members)) if m not in self.failures]

    def attribute(
        self, method: Method, inputs: Inputs, targets: Sequence[Target]
    ) -> Iterator[Progress]:
        """Progress of estimates of the ensemble, with one part per member that has not failed."""
        for target in targets:
            target.check_rows(len(inputs))
        reached = 0
        while self.active:
            try:
                for progress in self._pass(method, inputs, targets):
                    reached = max(reached, 1000 * progress.done // max(progress.total, 1))
                    yield replace(progress, done=reached, total=1000)
            except MemberFailedError as failure:
                self.failures[failure.number] = str(failure) + self._rows_at_fault(failure, inputs)
            else:
                return

    def asks_for_scores_first(self, method: Method, targets: Sequence[Target]) -> bool:
        """Whether the members score the rows before the method begins.

        Not so where the method looks inside each member and the output is named: the pass gives scores.
        """
        return not _looks_inside(method) or any(target.index is None for target in targets)

    def check_answered(self) -> None:
        """Raises `MemberError` where no member could answer."""
        if not self.active:
            raise MemberError(refusal(self.model, self.failures))

    def divided(
        self, estimate: Estimate, method: Method, inputs: Inputs, make: Make
    ) -> tuple[Attribution, ...]:
        """The ensemble's attributions, one per target, each with its members' as parts.

        Raises:
            MemberError: a member failed; it holds the others' attributions.
        """
        about = composition_of(self.model, method, inputs, sampled=estimate.error is not None)
        signed = about.signed
        by_member = []
        for m, part in zip(self.active, estimate.parts, strict=True):
            member, scale = part_model(self.model, m)
            again = not signed and speaks_alike(self.model, m)
            made = make(part, member, scale, (m,), remembered=again)
            by_member.append(tuple(map(_marked_signed, made)) if signed else made)
        parts = list(zip(*by_member, strict=True))
        if self.failures:
            every = tuple(part for kept in parts for part in kept)
            raise MemberError(refusal(self.model, self.failures), every)
        members = range(len(self.combination.members))
        whole = make(estimate, self.model, self.model.scale, members, remembered=False)
        return tuple(_with_parts(one, kept, about) for one, kept in zip(whole, parts, strict=True))

    def _pass(
        self, method: Method, inputs: Inputs, targets: Sequence[Target]
    ) -> Iterator[Progress]:
        inside = _looks_inside(method)
        own = None
        if self.asks_for_scores_first(method, targets):
            member_scores = [self.combination.members[m].scores(inputs.values) for m in self.active]
            own = self.whole(member_scores, inputs.values)
        # A named output weighs the same whatever the scores are.
        known = np.zeros((len(inputs), len(self.ensemble.outputs))) if own is None else own
        given = np.stack([target.weights(self.ensemble, known) for target in targets])
        frame = _Frame(self, inputs, targets, given, own)
        return frame.composed(method) if inside else frame.bundled(method)

    def whole(self, member_scores: Sequence[Array], rows: NDArray[Any]) -> Array:
        """The ensemble's scores `(n, K)`; where members failed, the sum over the others."""
        if not self.failures:
            return self.combination.scores(member_scores, rows)
        pairs = zip(self.active, member_scores, strict=True)
        weights, views = self.combination.weights, self.combination.views
        return np.asarray(sum(weights[m] * (one @ views[m].T) for m, one in pairs))

    def _rows_at_fault(self, failure: MemberFailedError, inputs: Inputs) -> str:
        """The explained rows that the member cannot score, or that there are none; "" where not known."""
        member = self.combination.members[failure.number]
        bad: list[str] = []
        try:
            member.scores(inputs.values)
        except MemberFailedError:
            for row in range(len(inputs)):
                try:
                    member.scores(inputs.values[row : row + 1])
                except MemberFailedError:
                    bad.append(inputs.ids[row])
                if len(bad) > _NAMED:
                    break
        else:
            if failure.asked_for_scores:
                return (
                    " It answers the explained rows; the rows at fault are background rows or perturbed "
                    "copies."
                )
        more = " and more" if len(bad) > _NAMED else ""
        return f" It cannot answer row {', '.join(bad[:_NAMED])}{more}." if bad else ""


@dataclass(frozen=True, eq=False)
class _Frame:
    """One pass over the members that have not failed.

    together: the run that the pass belongs to.
        together: whose pass.
        inputs: the rows.
        targets: what is explained of the ensemble.
        given: the targets' weights over the ensemble's outputs `(t, n, K)`.
        scores: the ensemble's scores `(n, K)`, or None where the members' estimates will contain them.
    """

    together: EnsembleRun
    inputs: Inputs
    targets: Sequence[Target]
    given: Array
    scores: Array | None

    @property
    def _healthy(self) -> bool:
        return not self.together.failures

    def bundled(self, method: Method) -> Iterator[Progress]:
        """All members and the ensemble as one model's targets."""
        combination = self.together.combination
        bundle, blocks = bundle_of(self.together.ensemble, combination, self.together.active)
        functionals: list[Target] = []
        for target, weights in zip(self.targets, self.given, strict=True):
            reads = [(weights @ combination.views[m], blocks[m]) for m in self.together.active]
            if self._healthy:
                reads.insert(0, (weights, blocks[-1]))
            for number, (some, block) in enumerate(reads):
                wide = np.zeros((len(self.inputs), len(bundle.outputs)))
                wide[:, block] = some
                # The ensemble's precision decides when to stop, not that of each member.
                aside = self._healthy and number > 0
                functionals.append(
                    Functional(target.index, target.against, given=wide, aside=aside)
                )
        for progress in method.attribute(bundle, self.inputs, functionals):
            yield replace(progress, estimate=partial(self._split, progress.estimate))

    def _split(self, estimate: Callable[[], Estimate]) -> Estimate:
        whole = replace(estimate(), scores=self.scores)
        per = len(self.together.active) + self._healthy
        parts = [_every(whole, slice(first, None, per)) for first in range(per)]
        if self._healthy:
            # A method's figures about its precision concern the ensemble.
            return replace(parts[0], parts=tuple(replace(part, notes=()) for part in parts[1:]))
        return replace(_unknown(parts[0]), parts=tuple(parts))

    def composed(self, method: Method) -> Iterator[Progress]:
        """Each member by itself, then their sum: for methods that look inside a model."""
        combination = self.together.combination
        signed = getattr(method, "signed", None)
        if signed is None and not getattr(method, "linear", False):
            raise IncompatibleError(
                f"{type(method).__name__} looks inside each member of {self.together.ensemble.name!r}, and "
                "its explanations do not add up (it does not say linear = True). Explain the members one "
                "by one, or use a method that asks for scores alone, such as KernelSHAP."
            )
        attribute = method.attribute if signed is None else signed
        done: list[Estimate] = []
        active = self.together.active
        for m in active:
            functionals = [
                Functional(target.index, target.against, given=weights @ combination.views[m])
                for target, weights in zip(self.targets, self.given, strict=True)
            ]
            last = None
            for last in attribute(combination.members[m], self.inputs, functionals):
                now = partial(self._sum, (*done, last.estimate), signed=signed is not None)
                step = 1000 * len(done) + 1000 * last.done // max(last.total, 1)
                yield Progress(step, 1000 * len(active), now)
            if last is not None:
                done.append(last.estimate())

    def _sum(self, found: Sequence[Estimate | Callable[[], Estimate]], *, signed: bool) -> Estimate:
        """The ensemble's estimate from its members', NaN while some members are missing."""
        combination = self.together.combination
        parts = [one() if callable(one) else one for one in found]
        missing = len(self.together.active) - len(parts)
        if missing:
            parts += [_unknown(parts[0])] * missing
            return replace(_unknown(parts[0]), parts=tuple(parts))
        scores = self._scores(parts)
        output = np.einsum("tnk,nk->tn", self.given, scores)
        if not self._healthy:
            whole = replace(_unknown(parts[0]), output=output, scores=scores)
            return replace(whole, parts=tuple(parts))
        values = sum(w * part.values for w, part in zip(combination.weights, parts, strict=True))
        base = sum(w * part.base for w, part in zip(combination.weights, parts, strict=True))
        values, base = np.asarray(values), np.asarray(base)
        base += np.einsum("tnk,k->tn", self.given, np.asarray(combination.intercept))
        if signed:
            values = np.maximum(values, 0.0)
        errors = [part.error for part in parts]
        error = freedom = None
        if all(one is not None for one in errors):
            # Errors from shared draws may all have the same sign: their sum is an upper bound.
            error = sum(w * one for w, one in zip(combination.weights, errors, strict=True))
            freedom = fewest([part.freedom for part in parts])
        notes = tuple(
            f"{member.name}: {note}"
            for member, part in zip(combination.members, parts, strict=True)
            for note in part.notes
        )
        return replace(
            parts[0],
            values=values,
            base=base,
            output=output,
            error=error,
            freedom=freedom,
            scores=scores,
            notes=notes if len(notes) <= 8 else (),
            parts=tuple(parts),
            finished=_all_finished(parts),
        )

    def _scores(self, parts: Sequence[Estimate]) -> Array:
        """The ensemble's scores, from the scores that its members gave on the way, where they did."""
        if self.scores is not None:
            return self.scores
        members = self.together.combination.members
        member_scores = [
            members[m].scores(self.inputs.values) if part.scores is None else part.scores
            for m, part in zip(self.together.active, parts, strict=True)
        ]
        return self.together.whole(member_scores, self.inputs.values)


def _with_parts(
    whole: Attribution, parts: tuple[Attribution, ...], about: Composition
) -> Attribution:
    provenance = with_badge(whole.provenance, about, sampled=whole.error is not None)
    return replace(whole, parts=parts, provenance=provenance)


def _marked_signed(part: Attribution) -> Attribution:
    note = "A member's map is kept before the maximum with zero, so that the maps add up."
    provenance = replace(part.provenance, signed=True, notes=(note, *part.notes))
    return replace(part, provenance=provenance)


def _all_finished(parts: Sequence[Estimate]) -> NDArray[np.bool_] | None:
    """The rows that every member has finished, or None where one does not tell."""
    told = [part.finished for part in parts if part.finished is not None]
    return np.logical_and.reduce(told) if len(told) == len(parts) else None


def _looks_inside(method: Method) -> bool:
    return bool({"trees", "activations", "attention"} & set(method.needs))


def fewest(freedoms: Sequence[Array | None]) -> Array | None:
    """The degrees of freedom of a sum of errors: the smallest known one, or None where all are exact.

    >>> fewest([np.array([8.0, np.inf]), None, np.array([30.0, 4.0])])
    array([8., 4.])
    """
    known = [one for one in freedoms if one is not None]
    return np.min(known, axis=0) if known else None


def _every(estimate: Estimate, some: slice) -> Estimate:
    """The estimate of some of the targets."""
    return replace(
        estimate,
        values=estimate.values[some],
        output=estimate.output[some],
        base=estimate.base[some],
        error=None if estimate.error is None else estimate.error[some],
        freedom=None if estimate.freedom is None else estimate.freedom[some],
    )


def _unknown(estimate: Estimate) -> Estimate:
    """An estimate of the same shape without any known value."""
    nothing = np.full(estimate.base.shape, np.nan)
    return replace(
        estimate,
        values=np.full(estimate.values.shape, np.nan),
        output=nothing,
        base=nothing,
        error=None,
        freedom=None,
        notes=(),
    )
