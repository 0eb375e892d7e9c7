"""The outcome of the Ensemble panel's run, and the same under other weights without another model call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.compare import Disagreement, disagreement
from workbench.core import Attribution, Combination, Model, Step, Study, predicted_classes
from workbench.ensembles.combined import combination_of
from workbench.ensembles.composing import compose, reweighted
from workbench.errors import MemberError, WorkbenchError
from workbench.panels.ensemble import shares

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Extra:
    """What a run gives beside its attributions.

    Args:
        scores: the members' scores of the explained rows, as the ensemble's outputs `(m, n, K)`.
        failed: which member failed and why, or "".
    """

    scores: Array
    failed: str = ""


@dataclass(frozen=True, eq=False)
class EnsembleOutcome:
    """The last result under the present weights, and how far its members' reasons agree.

    Args:
        attribution: the ensemble's.
        key: the choices it came from.
        found: the members compared, or None where they cannot be.
        refused: why they cannot be compared, or "".
        failed: which member failed and why, or "".
        scores: the members' scores `(m, n, K)`, or None if the run was stopped.
        outputs: the K outputs' names.
        first: the weights of the run `(m,)`, which decided what is explained.
        run: the ensemble's attribution as the run gave it, with its own standard errors.
    """

    attribution: Attribution
    key: tuple[object, ...]
    found: Disagreement | None
    refused: str
    failed: str
    scores: Array | None
    outputs: tuple[str, ...]
    first: tuple[float, ...]
    run: Attribution

    @property
    def movable(self) -> bool:
        """Whether the outcome can be computed under other weights."""
        how = self.attribution.provenance.ensemble
        return self.found is not None and self.is_mean and how is not None and how.composed

    def has_any_of(self, names: Iterable[str]) -> bool:
        """Whether at least one of these names is a member's."""
        return self.found is not None and bool(set(self.found.members.names) & set(names))

    @property
    def is_mean(self) -> bool:
        """Whether the ensemble is the weighted mean of its members."""
        how = self.attribution.provenance.ensemble
        return how is not None and how.form == "weighted mean"

    @property
    def classes(self) -> NDArray[np.intp] | None:
        """The class that the ensemble puts first for each row under the present weights `(n,)`."""
        if self.scores is None or self.found is None:
            return None
        mixed = np.tensordot(self.found.members.weights, self.scores, 1)
        return predicted_classes(mixed, self.attribution.scale)

    @property
    def members_classes(self) -> NDArray[np.intp] | None:
        """The class of each member for each row `(m, n)`."""
        if self.scores is None:
            return None
        return predicted_classes(self.scores, self.attribution.scale)

    @property
    def other_class(self) -> tuple[str, ...]:
        """The rows whose class differs between the present weights and the run's weights."""
        now = self.classes
        if now is None or self.scores is None or self.attribution.target.index is not None:
            return ()
        if len(self.outputs) == 1:
            return ()  # the only output is explained, whichever side of the middle it is on
        before = np.tensordot(self.first, self.scores, 1).argmax(axis=-1)
        return tuple(np.array(self.attribution.inputs.ids, dtype=object)[now != before])


def outcome_of(
    attribution: Attribution, key: tuple[object, ...], model: Model, extra: Extra | None
) -> EnsembleOutcome:
    """The outcome of a run, with its members compared where that is possible."""
    how = attribution.provenance.ensemble
    mean = how is not None and how.form == "weighted mean"
    first = () if how is None else how.weights
    found, refused = None, ""
    scores = None if extra is None or extra.scores.shape[1] != len(attribution) else extra.scores
    classes = None if scores is None else predicted_classes(scores, model.scale)
    try:
        if not mean:
            # Contributions are added unchanged, so each member counts the same.
            first = shares.equal(len(attribution.parts))
        found = disagreement(attribution, np.array(first), predictions=classes)
    except WorkbenchError as error:
        refused = f"The members cannot be laid side by side. {error}"
    failed = "" if extra is None else extra.failed
    return EnsembleOutcome(
        attribution, key, found, refused, failed, scores, model.outputs, first, attribution
    )


def weighted(outcome: EnsembleOutcome, weights: Mapping[str, float]) -> EnsembleOutcome:
    """The outcome under other weights, by member's name; members that failed are passed over.

    Raises:
        InputError: no member that is left has a weight.
    """
    if not outcome.movable or outcome.found is None:
        return outcome
    names = outcome.found.members.names
    given = np.array([weights.get(name, 0.0) for name in names])
    if given.sum() > 0 and np.array_equal(given / given.sum(), np.array(outcome.first)):
        attribution = outcome.run
    else:
        attribution = reweighted(outcome.run, given)
    found = disagreement(attribution, given, predictions=outcome.members_classes)
    return replace(outcome, attribution=attribution, found=found)


def with_classes(
    work: Iterator[Step[Any]], study: Study, keep: Callable[[Extra], None]
) -> Iterator[Step[Any]]:
    """The steps of a study of one ensemble; at the end each member's own scores, and what failed.

    Where a member fails, the vote of the others takes the ensemble's place.

    Args:
        work: the study's steps.
        study: of one ensemble.
        keep: called with these before the last step.
    """
    ensemble = study.models[0]
    combination = combination_of(ensemble)
    last: Step[Any] | None = None
    try:
        for last in work:
            if last.result and last.done == last.total:
                break
            yield last
    except MemberError as error:
        last = _of_the_others(error, ensemble, combination)
        names = [part.model for part in last.result[0].parts]
        keep(Extra(_scores(combination, names, study), str(error)))
        yield last
        return
    if last is not None and last.result and last.done == last.total:
        names = [member.name for member in combination.members]
        if combination.form == "weighted mean":
            keep(Extra(_scores(combination, names, study)))
        yield last


def _of_the_others(error: MemberError, ensemble: Model, combination: Combination) -> Step[Any]:
    """The last step of a study in which members failed: the vote of the other members.

    Raises:
        MemberError: the same error, where the other members cannot be combined.
    """
    left = {part.model for part in error.parts}
    weights = {
        member.name: float(weight)
        for member, weight in zip(combination.members, combination.weights, strict=True)
        if member.name in left
    }
    if combination.form != "weighted mean" or not sum(weights.values()):
        raise error
    lost = [member.name for member in combination.members if member.name not in left]
    whole = compose(error.parts, weights, name=f"{ensemble.name} without {', '.join(lost[:4])}")
    return Step(1000, 1000, "the other members", (whole,))


def _scores(combination: Combination, names: list[str], study: Study) -> Array:
    pairs: list[Any] = [
        (member, view)
        for member, view in zip(combination.members, combination.views, strict=True)
        if member.name in names
    ]
    return np.stack([member.scores(study.inputs.values) @ view.T for member, view in pairs])
