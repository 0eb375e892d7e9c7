"""One cell of a study during its computation, and the models that results came from."""

from __future__ import annotations

import platform
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import (
    Attribution,
    Estimate,
    Inputs,
    Meter,
    Method,
    Model,
    Progress,
    Provenance,
    Scale,
    Study,
    about_labels,
    with_unexplained_noted,
)
from workbench.core.explaining import asked_about, explaining
from workbench.errors import IncompatibleError, ModelError
from workbench.models.asking import remarks_of, trial_of, unmoving

_made_by: weakref.WeakKeyDictionary[Attribution, weakref.ref[Model]] = weakref.WeakKeyDictionary()


def model_of(attribution: Attribution) -> Model | None:
    """The model that an attribution of this session came from, or None when it is gone or unknown.

    The reference is weak: an attribution does not keep its model alive.
    """
    made_by = _made_by.get(attribution)
    return None if made_by is None else made_by()


class CellRun:
    """One model by one method of a study during its computation, and the cost.

    Args:
        study: the study that gives rows and targets.
        model: the model to explain; an ensemble is explained through its members.
        method: the recipe.
        known: scores that are already known, shared by all cells of a study.
        through: wraps every model before it is called, for example in a clock.
    """

    def __init__(
        self,
        study: Study,
        model: Model,
        method: Method,
        known: dict[tuple[int, int], NDArray[Any]],
        through: Callable[[Model], Model] | None = None,
    ) -> None:
        self.study, self.model, self.method = study, model, method
        self.started = time.perf_counter()
        models = asked_about(model)
        self.meters = [Meter(study.inputs, known, one) for one in models]
        self.counted = [
            meter.on(unmoving(one if through is None else through(one)))
            for meter, one in zip(self.meters, models, strict=True)
        ]
        self.explaining = explaining(model, self.counted)
        # Each model is tried only once; a copy was tried when it was made, where that was possible.
        done = model.variant is not None and model.variant.batch_gap is not None
        self._trials = [] if done else [trial_of(one) for one in models if not one.metered]

    def progress(self) -> Iterator[Progress]:
        """What the method yields."""
        inputs, targets = self.study.inputs, self.study.targets
        yield from self.explaining.attribute(self.method, inputs, targets)
        for trial in self._trials:
            trial(inputs)

    def answer(self, last: Progress | None) -> tuple[Attribution, ...]:
        """The results, once the method has finished.

        Raises:
            MemberError: none of the ensemble's members could answer.
            IncompatibleError: the method gave nothing.
        """
        self.explaining.check_answered()
        if last is None:
            raise gave(self.method, "none")
        return self.results(last.estimate(), complete=True)

    def unfinished(
        self, progress: Progress, kept: tuple[Attribution, ...]
    ) -> tuple[Attribution, ...]:
        """The results so far, this cell's own marked as incomplete."""
        if self.explaining.failures:
            return kept
        return kept + self.results(progress.estimate(), complete=False)

    def rescued(
        self, last: Progress | None, kept: tuple[Attribution, ...]
    ) -> tuple[Attribution, ...]:
        """The same after the model failed: where even the scores are missing, what was kept before."""
        try:
            return kept if last is None else self.unfinished(last, kept)
        except ModelError:
            return kept

    def results(self, estimate: Estimate, *, complete: bool) -> tuple[Attribution, ...]:
        """One attribution per target, of the rows that have an estimate.

        Raises:
            MemberError: some members of the ensemble failed; it holds the others' attributions.
            ModelError: values that are not finite.
        """
        estimates = [*estimate.parts] if self.explaining.failures else [estimate, *estimate.parts]
        for one in estimates:
            _check_shapes(one, self.study, self.method)
        inputs, model = self.study.inputs, self.model
        finite = np.all([np.isfinite(_flat(one)).all(axis=(0, 2)) for one in estimates], axis=0)
        rows = np.flatnonzero(finite)
        if complete and len(rows) < len(inputs):
            bad = inputs.ids[int(np.flatnonzero(~finite)[0])]
            raise ModelError(
                f"{type(self.method).__name__} of model {model.name!r} gave values that are not finite "
                f"for {len(inputs) - len(rows)} of {len(inputs)} rows (first: row {bad}). Check the "
                "model's gradient or scores there, or leave those rows out."
            )
        if len(rows) == 0:
            return ()
        scores = estimate.scores
        if scores is None:
            scores = self.counted[0].scores(inputs.values)
        names = [t.explained(model, scores[rows], rows) for t in self.study.targets]
        make = partial(self._made, rows=rows, names=names, complete=complete)
        made = self.explaining.divided(estimate, self.method, inputs, make)
        _remember(made, model)
        return made

    def _made(
        self,
        estimate: Estimate,
        model: Model,
        scale: Scale,
        members: Sequence[int],
        *,
        remembered: bool,
        rows: NDArray[np.intp],
        names: list[tuple[str, ...]],
        complete: bool,
    ) -> tuple[Attribution, ...]:
        """One model's attributions of these rows; `names` are the explained outputs."""
        inputs = self.study.inputs
        players = estimate.players
        if players is not None and not inputs.of_kind.shared_players:
            players = players[rows]
        finished = np.zeros(len(rows), dtype=np.bool_)
        if estimate.finished is not None:
            finished = estimate.finished[rows]
        results = (
            Attribution(
                values=estimate.values[t][rows],
                output=estimate.output[t][rows],
                base=estimate.base[t][rows],
                error=None if estimate.error is None else estimate.error[t][rows],
                freedom=None if estimate.freedom is None else estimate.freedom[t][rows],
                draws=None if estimate.draws is None else estimate.draws[rows],
                inputs=inputs if len(rows) == len(inputs) else inputs[rows],
                model=model.name,
                method=self.method,
                target=target,
                explained=names[t],
                scale=scale,
                seconds=time.perf_counter() - self.started,
                evaluations=sum(self.meters[m].rows for m in members),
                players=players,
                player_names=estimate.player_names,
                complete=complete,
                finished=None if complete else finished,
                provenance=_provenance(model, self.method, inputs, estimate),
            )
            for t, target in enumerate(self.study.targets)
        )
        made = tuple(map(with_unexplained_noted, results))
        if remembered:
            _remember(made, model)
        return made


def gave(method: Method, what: str) -> IncompatibleError:
    return IncompatibleError(
        f"{type(method).__name__}.attribute must yield at least one Progress, but yielded {what}."
    )


def _remember(results: tuple[Attribution, ...], model: Model) -> None:
    """Remember the model, so that a second opinion can use it."""
    _made_by.update((result, weakref.ref(model)) for result in results)


def _flat(estimate: Estimate) -> NDArray[Any]:
    return estimate.values.reshape(*estimate.values.shape[:2], -1)


def _check_shapes(estimate: Estimate, study: Study, method: Method) -> None:
    head = (len(study.targets), len(study.inputs))
    shape = study.inputs.values.shape[1:]
    allowed = {head + shape, head + study.inputs.places}
    if estimate.values.shape not in allowed or estimate.output.shape != head:
        raise IncompatibleError(
            f"{type(method).__name__} must estimate values of shape {sorted(allowed)} and outputs of "
            f"{head}, but gave {estimate.values.shape} and {estimate.output.shape}."
        )


def _provenance(model: Model, method: Method, inputs: Inputs, estimate: Estimate) -> Provenance:
    import workbench

    of_model = (*model.notes, *remarks_of(model))
    of_copy = _notes_on_copy(model, method)
    about_categories = about_labels(model.categories, inputs.categories)
    return Provenance(
        notes=(*of_model, *of_copy, *about_categories, *estimate.notes),
        model_notes=(*of_model, *of_copy, *about_categories),
        digest=model.digest,
        lineage=model.lineage,
        versions={
            "workbench": workbench.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        twin_gap=_twin_gap(model, method),
    )


def _twin_gap(model: Model, method: Method) -> float | None:
    """The largest score difference between the model and the twin that gave the gradients, or None."""
    by_gradient = {"gradient", "activations"} & set(method.needs)
    return model.variant.twin_gap if model.variant is not None and by_gradient else None


def _notes_on_copy(model: Model, method: Method) -> tuple[str, ...]:
    """Notes for a compressed copy's pictures: its warnings, and where its gradients come from."""
    if model.variant is None:
        return ()
    twin = () if _twin_gap(model, method) is None else (model.variant.twin_note,)
    return (*model.variant.warnings, *twin)
