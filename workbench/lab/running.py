"""A drift study, run: the reference, its reference lines and its copies, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.compare.drift import ALLOWANCE, Drift, behavior
from workbench.core import Attribution, Method, Step, Study, Target
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.lab.answers import Answers, gap_in_words
from workbench.lab.default_methods import default_methods
from workbench.lab.evidence import Evidence
from workbench.lab.part_running import Running
from workbench.lab.parts import Part, parts, with_other_background
from workbench.lab.study import DriftStudy, check_rows
from workbench.models.asking import Probed, steady_batches, unmoving
from workbench.study.given import given_method, given_model, given_target, listed
from workbench.study.rows import given_rows
from workbench.study.run import run
from workbench.study.run import steps as run_steps

SELF_TEST = 2
"""On so many rows an identical copy must have no drift; this is tested before anything else."""

_TRIED = (
    "reference",
    "sibling",
    "copy",
)  # the other parts are the reference itself, or derived from it


@dataclass(frozen=True, eq=False)
class DriftSoFar:
    """The results of a drift study so far, after one batch of model calls.

    Args:
        attributions: the finished attributions of the reference and the copies.
        finished: the names of the copies that are finished with every method that can explain them.
        drift: the `Drift` of the finished copies, or None before the first of them.
    """

    attributions: tuple[Attribution, ...]
    finished: tuple[str, ...]
    drift: Callable[[], Drift | None]


def steps(study: DriftStudy) -> Iterator[Step[DriftSoFar]]:
    """The study, one batch of model calls at a time. Stop iterating to cancel; finished results are kept.

    Progress is counted in thousandths of a cell (one model by one method).

    Before anything else the reference is explained twice on `SELF_TEST` rows, under another name: an
    identical copy must have exactly no drift.

    Raises:
        IncompatibleError: a method cannot explain the reference, or every copy can be explained by none.
        ModelError: a model failed, or the reference does not give the same explanation twice.
    """
    running = _steps(study)
    while True:
        with (
            steady_batches()
        ):  # entered for each step, so that the caller is not affected in between
            step = next(running, None)
        if step is None:
            return
        yield step


def _steps(study: DriftStudy) -> Iterator[Step[DriftSoFar]]:
    scores = unmoving(study.reference).scores(study.inputs.values)
    target = study.fixed_target(scores)
    # Known classes that are not outputs would stop the study at its end, so they are checked first.
    outputs, scale = study.reference.outputs, study.reference.scale
    labels = study.reference.classes
    behavior(scores, scores, outputs, scale, y=study.inputs.y, classes=labels)
    depends_on_background = _depends_on_background(study, target)
    yield from _self_test(study, target)
    every, notes = parts(study, depends_on_background)
    evidence = Evidence(study, scores, notes)
    total = 1000 * sum(len(part.methods) for part in every)
    before = 0
    drift: Callable[[], Drift | None] = _nothing
    for part in every:
        answers = Answers(part.model, study.inputs) if part.role in _TRIED else None
        if answers is not None:
            _check_repeats(part, answers.first)
        running = Running(part)
        for step in running.steps(target):
            if step.done < step.total:
                label = f"{step.label} ({part.role})"
                now = DriftSoFar(evidence.attributions, evidence.finished, drift)
                yield Step(before + step.done, total, label, now)
        before += 1000 * len(part.methods)
        part, made = running.part, running.made
        for note in running.notes:
            evidence.note(note)
        if not made:
            if before == total and not evidence.finished:
                raise IncompatibleError(running.notes[-1])
            label = f"{part.model.name} ({part.role}) is left out"
            drift = evidence.drift_so_far() if evidence.finished else drift
            yield Step(
                before, total, label, DriftSoFar(evidence.attributions, evidence.finished, drift)
            )
            continue
        known = None if answers is None else answers.by_now()
        if known is not None:
            _check_repeats(part, known)
        evidence.keep(part, made, known)
        for name in part.names if part.role in ("reference", "copy") else ():
            evidence.rate(part.model, name)
            if study.faithfulness:
                label = f"Faithfulness of {name} of {part.model.name}"
                now = DriftSoFar(evidence.attributions, evidence.finished[:-1], drift)
                yield Step(before - 1, total, label, now)
        if part.role == "copy":
            drift = evidence.drift_so_far()
        label = f"{part.model.name} ({part.role}) is finished"
        now = DriftSoFar(evidence.attributions, evidence.finished, drift)
        yield Step(before, total, label, now)


def drift(
    reference: Any,
    candidates: Any,
    inputs: Any,
    methods: Any = None,
    *,
    target: Any = None,
    siblings: Any = (),
    margins: Mapping[str, float] | None = None,
    random_weights: bool = True,
    noise_seeds: int = 1,
    paired: bool = True,
    faithfulness: bool = False,
    allowance: float = ALLOWANCE,
    seed: int = 0,
) -> Drift:
    """How a model's reasons changed in its copies: verdicts, with the numbers behind them.

    All models get the same rows, recipes and seeds: an identical copy has exactly no drift, which is tested
    before anything else. There are two separate verdicts: `on_rows` is about the rows at hand, `verdicts`
    about rows like these. Every drift comes with three others to compare it with: the explainer's own
    noise, the drift of `siblings` trained anew, and that of random weights. For progress and cancelling use
    `lab.steps`; `docs/verdicts.md` explains each word.

    Args:
        candidates: one or more: compressed, retrained, fine-tuned, or the same model in another library.
        methods: one or more; chosen by the kind of rows when left out, see `lab.default_methods`.

    The other arguments are those of `lab.DriftStudy`. Models, rows, methods and target may be all that
    `workbench.explain` takes.

    Raises:
        InputError: names, margins, rows or their classes do not fit.
        IncompatibleError: outputs or scale differ from the reference's, a method cannot explain the
            reference, or no method can explain any copy. A copy that none can explain is left out, and a
            note of the result says why.
        ModelError: a model failed, or the reference does not give the same explanation twice.

    Example:
        >>> import numpy as np, workbench as wb
        >>> def model(name, *weights):
        ...     return wb.Model(name, lambda rows: rows @ np.array([weights]).T, ("y",), "raw")
        >>> rows = wb.Inputs(np.random.default_rng(0).normal(size=(60, 2)), kind="tabular")
        >>> found = wb.drift(
        ...     model("net", 2.0, 1.0),
        ...     [model("same", 2.0, 1.0), model("other", 1.0, 2.0)],
        ...     rows,
        ...     wb.methods.Occlusion(fill="zero"),
        ... )
        >>> dict(found.verdicts)
        {'same': 'preserved', 'other': 'changed'}
    """
    rows = given_rows(inputs, reference)
    check_rows(rows)
    original = given_model(reference, rows)
    copies = tuple(given_model(one, rows) for one in listed(candidates))
    recipes = default_methods((original, *copies), rows) if methods is None else listed(methods)
    wanted = None if target is None else given_target(target, original, rows)
    if wanted == "all":
        raise InputError("A drift study explains one output. Give its name, or leave target out.")
    study = DriftStudy(
        original,
        copies,
        rows,
        tuple(given_method(one) for one in recipes),
        target=wanted,
        siblings=tuple(given_model(one, rows) for one in listed(siblings)),
        margins={} if margins is None else margins,
        random_weights=random_weights,
        noise_seeds=noise_seeds,
        paired=paired,
        faithfulness=faithfulness,
        allowance=allowance,
        seed=seed,
    )
    return judged(study)


def judged(study: DriftStudy) -> Drift:
    """The drift of a whole study, run to its end; raises the same errors as `steps`."""
    ends = (step.result.drift() for step in steps(study) if step.done == step.total)
    (made,) = (drift for drift in ends if drift is not None)
    return made


def studies(study: DriftStudy) -> tuple[Study, ...]:
    """Everything that will be run, the self-test first, as studies that `workbench.plan` can count.

    Not included: the scores of the rows, one call per model and eight of single rows; and, where a method
    may depend on the background, two explanations of one row.

    Raises:
        IncompatibleError: as `steps`.
    """
    scores = unmoving(study.reference).scores(study.inputs.values)
    target = study.fixed_target(scores)
    every, _ = parts(study, _depends_on_background(study, target))
    return (_self_test_study(study, target), *(part.study(target) for part in every))


def _nothing() -> None:
    return None


def _self_test_study(study: DriftStudy, target: Target) -> Study:
    few, of_few = study.inputs[:SELF_TEST], target.of_rows(slice(SELF_TEST))
    twice = (study.reference, study.reference.renamed("identical copy"))
    return Study(twice, study.methods, few, (of_few,))


def _self_test(study: DriftStudy, target: Target) -> Iterator[Step[DriftSoFar]]:
    last: tuple[Attribution, ...] = ()
    for step in run_steps(_self_test_study(study, target)):
        last = step.result
        yield Step(0, 1, "An identical copy must have no drift", DriftSoFar((), (), _nothing))
    half = len(study.methods)
    for first, second in zip(last[:half], last[half:], strict=True):
        if not np.array_equal(first.values, second.values):
            raise ModelError(
                f"An identical copy must have exactly no drift, but {type(first.method).__name__} of "
                f"{study.reference.name!r} gave two answers for the same rows, up to "
                f"{np.abs(first.values - second.values).max():.3g} apart. The model or the method draws "
                "numbers that no seed fixes: make it repeatable first."
            )


def _check_repeats(part: Part, found: Probed) -> None:
    if part.role == "reference" and found.repeat_gap:
        raise ModelError(
            f"An identical copy must have exactly no drift, but {gap_in_words(part.model.name, found)} "
            "It draws numbers that no seed fixes, or changes while it is asked: make it repeatable first."
        )


def _depends_on_background(study: DriftStudy, target: Target) -> Callable[[Method], bool]:
    """Whether another background changes a method's values, tried on one row."""
    one, of_one = study.inputs[:1], target.of_rows(slice(1))

    def depends(method: Method) -> bool:
        if study.inputs.background is None:
            return False
        other = with_other_background(one, study.seed + 1)
        first, second = (
            next(run(Study((study.reference,), (method,), rows, (of_one,)))).values
            for rows in (one, other)
        )
        return not np.array_equal(first, second)

    return depends
