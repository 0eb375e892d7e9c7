"""Study -> Attributions: the one place that checks, times and keeps what is finished."""

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
    CAPABILITIES,
    Attribution,
    Estimate,
    Inputs,
    Meter,
    Method,
    Model,
    Progress,
    Provenance,
    Scale,
    Step,
    Study,
    Target,
    about_labels,
    other_codes,
    with_unexplained_told,
)
from workbench.core.explaining import asked_about, explaining
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models.asking import remarks_of, trial_of, unmoving

_made_by: weakref.WeakKeyDictionary[Attribution, weakref.ref[Model]] = weakref.WeakKeyDictionary()


def explain(
    model: Model, inputs: Inputs, method: Method | None = None, target: Target | None = None
) -> Attribution:
    """The attribution of one target: by default each row's own prediction.

    Uses PermutationSHAP when no method is given: it suits every model and stops when it is precise enough.

    Raises:
        IncompatibleError: this method cannot explain this model or these rows; says which can.
        InputError: the rows, the target or the parameters do not fit.
        ModelError: the model failed or returned something that is not finite. For an ensemble it is a
            MemberError, whose `parts` are the other members' attributions.
    """
    if method is None:
        from workbench.methods import PermutationSHAP

        method = PermutationSHAP()
    targets = (Target.predicted() if target is None else target,)
    (attribution,) = run(Study((model,), (method,), inputs, targets))
    return attribution


def run(study: Study) -> Iterator[Attribution]:
    """Every attribution of a study, each as soon as it is finished; stop iterating to cancel.

    All targets of one model and method come from one pass. Order: models, then methods, then targets.
    """
    yielded = 0
    for step in steps(study):
        yield from step.result[yielded:]
        yielded = len(step.result)


def steps(study: Study) -> Iterator[Step[tuple[Attribution, ...]]]:
    """The same study, one batch of model calls at a time, in thousandths of a cell.

    A step's `result` are the finished attributions; `partial()` gives these and, marked `complete=False`,
    the rows of the cell in progress that already have an estimate.
    """
    cells = [(model, method) for model in study.models for method in study.methods]
    for model, method in cells:
        check(method, model, study.inputs)
    finished: tuple[Attribution, ...] = ()
    total = 1000 * len(cells)
    known: dict[tuple[int, int], NDArray[Any]] = {}
    for number, (model, method) in enumerate(cells):
        label = f"{type(method).__name__} of {model.name}"
        cell = CellRun(study, model, method, known)
        last: Progress | None = None
        for last in cell.progress():
            if not isinstance(last, Progress):
                raise _gave(method, f"{last!r} in place of Progress")
            share = 999 * last.done // max(last.total, 1)
            so_far = partial(cell.unfinished, last, finished)
            yield Step(1000 * number + share, total, label, finished, so_far)
        finished += cell.answer(last)
        yield Step(1000 * (number + 1), total, label, finished, partial(tuple, finished))


def model_of(attribution: Attribution) -> Model | None:
    """The model that an attribution of this session came from, or None when it is gone or unknown.

    Only remembered: an attribution does not keep its model alive.
    """
    made_by = _made_by.get(attribution)
    return None if made_by is None else made_by()


def check(method: Method, model: Model, inputs: Inputs) -> None:
    """Refuse what cannot work before any time is spent.

    Raises:
        IncompatibleError: the method does not suit the model or the kind of rows.
        InputError: the rows do not have the model's shape.
    """
    if reason := mismatch(model, inputs):
        raise InputError(reason)
    if reason := obstacle(method, model, inputs):
        from workbench import methods

        able = [c.__name__ for c in methods.catalog() if obstacle(c, model, inputs) is None]
        advice = (
            f"Methods that can explain it: {', '.join(able)}."
            if able
            else "No method here can explain it."
        )
        raise IncompatibleError(f"{reason} {advice}")


def mismatch(model: Model, inputs: Inputs) -> str | None:
    """Why these rows are not rows of this model, or None when they are."""
    if model.kind is not None and model.kind != inputs.kind:
        return (
            f"Model {model.name!r} reads {model.kind} rows, but these are {inputs.kind}. "
            "Choose rows of its kind, or wrap it with the right kind."
        )
    shape = inputs.values.shape[1:]
    if model.shape and (
        len(model.shape) != len(shape)
        or any(
            want is not None and want != have for want, have in zip(model.shape, shape, strict=True)
        )
    ):
        wanted = " x ".join("any" if want is None else str(want) for want in model.shape)
        hint = ""
        if inputs.of_kind.columns and model.features:
            missing = [name for name in model.features if name not in inputs.features]
            hint = f" Columns it misses: {missing[:8]}." if missing else ""
        return (
            f"Model {model.name!r} needs rows of {wanted}, but these are "
            f"{' x '.join(map(str, shape))}.{hint} Give it the columns or the image size it was trained on."
        )
    if inputs.of_kind.columns and model.features and model.features != inputs.features:
        wrong = [
            (j, want, have)
            for j, (want, have) in enumerate(zip(model.features, inputs.features, strict=True))
            if want != have
        ]
        j, want, have = wrong[0]
        return (
            f"Model {model.name!r} was trained on other column names or another order: column {j} should "
            f"be {want!r} but is {have!r} ({len(wrong)} differ). Reorder or rename the columns."
        )
    if inputs.of_kind.columns and (
        other := other_codes(model.categories, inputs.categories, inputs.features)
    ):
        return (
            f"Model {model.name!r} takes the rows' numbers otherwise: {other}. Wrap or load it with "
            "like=rows, which finds their labels, or read the rows with data.table(frame, like=...)."
        )
    return None


def obstacle(method: Method | type, model: Model, inputs: Inputs) -> str | None:
    """Why this method cannot explain this model on these rows, or None when it can.

    `method` may be a recipe or its class; a class is judged by its default parameters.
    """
    recipe: Any = method() if isinstance(method, type) else method
    name = type(recipe).__name__
    if not getattr(recipe, "any_kind", False) and inputs.kind not in recipe.kinds:
        return f"{name} explains {' and '.join(recipe.kinds)} rows, but these are {inputs.kind}."
    lacking = [
        need for need in recipe.needs if need in CAPABILITIES and getattr(model, need) is None
    ]
    if lacking:
        reasons = [model.absent[need] for need in lacking if need in model.absent]
        found = f"but model {model.name!r} provides only {list(model.capabilities)}."
        return " ".join([f"{name} needs {lacking}, {found}", *reasons])
    lacks, unfit = getattr(recipe, "lacks", None), getattr(recipe, "unfit", None)
    reason = lacks(inputs) if lacks is not None else None
    if reason is None and unfit is not None:
        reason = unfit(model, inputs)
    return f"{name} {reason}" if reason else None


class CellRun:
    """One model by one method of a study while it is computed, and what that cost.

    Args:
        study: whose rows and targets.
        model: the model to explain; an ensemble is asked through its members.
        method: the recipe.
        known: scores that are already known, shared by all cells of a study.
        through: wraps every model before it is asked, for example in a clock.
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
        # Each model is tried once in its life; a copy was tried when it was made, where that was possible.
        done = model.variant is not None and model.variant.batch_gap is not None
        self._trials = [] if done else [trial_of(one) for one in models]

    def progress(self) -> Iterator[Progress]:
        """What the method yields."""
        inputs, targets = self.study.inputs, self.study.targets
        yield from self.explaining.attribute(self.method, inputs, targets)
        for trial in self._trials:
            trial(inputs)

    def answer(self, last: Progress | None) -> tuple[Attribution, ...]:
        """The results, once the method has come to its end.

        Raises:
            MemberError: none of the ensemble's members could answer.
            IncompatibleError: the method gave nothing.
        """
        self.explaining.check_answered()
        if last is None:
            raise _gave(self.method, "none")
        return self.results(last.estimate(), complete=True)

    def unfinished(
        self, progress: Progress, kept: tuple[Attribution, ...]
    ) -> tuple[Attribution, ...]:
        """The results so far, this cell's own marked as incomplete."""
        if self.explaining.failures:
            return kept
        return kept + self.results(progress.estimate(), complete=False)

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
        """One model's attributions of these rows, which explain what `names` say."""
        inputs = self.study.inputs
        players = estimate.players
        if players is not None and not inputs.of_kind.shared_players:
            players = players[rows]
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
                provenance=_provenance(model, self.method, inputs, estimate),
            )
            for t, target in enumerate(self.study.targets)
        )
        made = tuple(map(with_unexplained_told, results))
        if remembered:
            _remember(made, model)
        return made


def _gave(method: Method, what: str) -> IncompatibleError:
    return IncompatibleError(
        f"{type(method).__name__}.attribute must yield at least one Progress, but yielded {what}."
    )


def _remember(results: tuple[Attribution, ...], model: Model) -> None:
    """So that a second opinion can ask the same model."""
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
    """How far the twin whose gradients these are is from the model; None where there is none."""
    by_gradient = {"gradient", "activations"} & set(method.needs)
    return model.variant.twin_gap if model.variant is not None and by_gradient else None


def _notes_on_copy(model: Model, method: Method) -> tuple[str, ...]:
    """What a compressed copy's pictures must say: its warnings, and whose gradients these are."""
    if model.variant is None:
        return ()
    twin = () if _twin_gap(model, method) is None else (model.variant.twin_note,)
    return (*model.variant.warnings, *twin)
