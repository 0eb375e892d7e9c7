"""`cross_check`: choose a referee for an attribution, ask it the same question, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution, Model, NoReferee, Referee, Step, Target
from workbench.errors import InputError, WorkbenchError
from workbench.methods import catalog
from workbench.second_opinion import by_captum, by_captum_slopes, by_lime, by_shap
from workbench.second_opinion.asking import (
    Array,
    Meter,
    Question,
    Stopped,
    credit,
    undisturbed,
)
from workbench.second_opinion.opinion import (
    ROOM,
    Pair,
    SecondOpinion,
    smoothed,
    standard_error,
    verdict,
)
from workbench.study.cell import model_of

ROWS = 3
"""The rows that are checked by default: other libraries are slow."""

_SINGLE = 1e-5  # differences of scores in single precision, relative to the values

_QUESTIONS: dict[str, Callable[[Attribution, Model], Iterable[Referee]]] = {
    f"{library}.{name}": ask
    for library, questions in (
        ("shap", by_shap.QUESTIONS),
        ("lime", by_lime.QUESTIONS),
        ("captum", by_captum.QUESTIONS),
        ("captum", by_captum_slopes.QUESTIONS),
    )
    for name, ask in questions.items()
}
"""The computations of other libraries by name; a method's `referee` is one of these names."""


def cross_check(
    attribution: Attribution, model: Model | None = None, rows: int | Sequence[int] | None = None
) -> SecondOpinion:
    """Another library's values for the same rows, background and target, and how far apart the two are.

    shap checks Shapley values, lime LIME, captum gradients, class activation maps and occlusion. The model
    and all random states are left unchanged.

    >>> import workbench as wb
    >>> model = wb.Model("sum", lambda rows: rows @ [[2.0], [-1.0]], ("score",), "raw")
    >>> inputs = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> opinion = cross_check(wb.explain(model, inputs, wb.methods.ExactShapley()))
    >>> opinion.agrees, opinion.pairs[0].theirs.tolist()
    (True, [2.0, -1.0])

    Args:
        attribution: the attribution to check, from `explain`, `run` or a file.
        model: the model it was made from; not needed while this session still has it.
        rows: how many rows, from the first on, or which positions; the first three when left out.

    Raises:
        InputError: the model is missing or a different one, or a row does not exist.
        MissingDependency: the referee is not installed; names the extra.
    """
    *_, last = checking(attribution, model, rows)
    if last.result is None:
        raise WorkbenchError("The check ended before the referee answered. Run it again.")
    return last.result


def checking(
    attribution: Attribution,
    model: Model | None = None,
    rows: int | Sequence[int] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Step[SecondOpinion | None]]:
    """The same check, one answer of the referee at a time; the opinion is the result of the last step.

    Args:
        attribution: as in `cross_check`.
        model: as in `cross_check`.
        rows: as in `cross_check`.
        stop: called before every batch of model rows; when it returns True, the check ends without an
            opinion. There is no other way out of another library's own loop.
    """
    model = _model(attribution, model)
    positions = _positions(attribution, rows)
    weights, single = _weights(attribution, model, positions)
    name = type(attribution.method).__name__
    nobody = SecondOpinion(name, model.name, attribution.scale, (), "", "", "", None, "")
    label = f"Second opinion on {name} of {model.name}"
    opinion, notes, total = nobody, tuple[str, ...](), 1
    referees = _referees(attribution, model)
    while True:
        try:
            referee = next(referees, None)
        except NoReferee as reason:
            opinion = replace(nobody, verdict=str(reason))
            break
        if referee is None:
            break
        if opinion.pairs:
            notes += (f"{opinion.call}: {opinion.verdict}", *opinion.notes)
        case = _Case(attribution, model, positions, weights, referee, Meter(stop), single)
        for asked in case.asking():
            total = case.total + 1
            yield Step(asked, total, f"{label}: {referee.library}", None)
        if len(case.answers) < case.total:
            return
        opinion = case.judged(nobody)
        if opinion.agrees:
            break
    notes = tuple(dict.fromkeys((*notes, *opinion.notes)))
    yield Step(total, total, label, replace(opinion, notes=notes))


@dataclass(eq=False)
class _Case:
    """One referee's answers, row by row and seed by seed."""

    attribution: Attribution
    model: Model
    positions: NDArray[np.intp]
    weights: Array
    referee: Referee
    meter: Meter
    single: bool
    answers: list[Array] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return len(self.positions) * self.referee.draws

    def asking(self) -> Iterator[int]:
        """Asks the referee, and yields how many answers there are, from 0 on."""
        metered = self.meter.on(self.model)
        yield 0
        for row, weights in zip(self.positions, self.weights, strict=True):
            question = Question(
                self.attribution, metered, self.model, int(row), weights, self.meter
            )
            for seed in range(self.referee.draws):
                start = time.perf_counter()
                try:
                    with undisturbed():
                        answer = self.referee.ask(question, seed)
                except Stopped:
                    return
                self.seconds += time.perf_counter() - start
                self.answers.append(np.asarray(answer, dtype=np.float64))
                yield len(self.answers)

    @cached_property
    def usual(self) -> float:
        """The root mean square of our standard errors over the checked rows."""
        errors = np.concatenate([credit(self.attribution, int(row))[1] for row in self.positions])
        return float(np.sqrt((errors**2).mean()))

    def judged(self, nobody: SecondOpinion) -> SecondOpinion:
        referee, m = self.referee, self.referee.draws
        pairs = tuple(
            self._pair(int(row), np.stack(self.answers[i * m : (i + 1) * m]))
            for i, row in enumerate(self.positions)
        )
        agrees, sentence = verdict(pairs, referee.library)
        opinion = replace(
            nobody,
            pairs=pairs,
            library=referee.library,
            version=referee.version,
            call=referee.call,
            agrees=agrees,
            verdict=sentence,
            seconds=self.seconds,
            evaluations=self.meter.rows,
        )
        notes = [referee.why] * bool(referee.why) + list(() if agrees else referee.known)
        if opinion.expected > 0:
            notes.append(self._expected(opinion))
        if not self.attribution.complete:
            notes.append("The attribution was stopped early: only part of its budget was spent.")
        return replace(opinion, notes=tuple(notes))

    def _pair(self, row: int, draws: Array) -> Pair:
        ours, error, names = credit(self.attribution, row)
        theirs = draws.mean(axis=0)
        precision = max(self.referee.precision, _SINGLE if self.single else 0.0)
        size = max(np.abs(ours).max(initial=0.0), np.abs(theirs).max(initial=0.0))
        # Sums over the rows' scores round like the scores; maps have units of their own.
        level = np.nan_to_num([self.attribution.output[row], self.attribution.base[row]])
        return Pair(
            row=self.attribution.inputs.ids[row],
            explained=self.attribution.explained[row],
            players=names,
            ours=ours,
            theirs=theirs,
            expected=np.sqrt(smoothed(error, self.usual) ** 2 + standard_error(draws) ** 2),
            rounding=float(precision * (size + 0.1 * np.abs(level).max())),
        )

    def _expected(self, opinion: SecondOpinion) -> str:
        sources = []
        if self.attribution.error is not None:
            sources.append("the standard errors of the attribution")
        if self.referee.draws > 1:
            sources.append(f"the spread of {self.referee.library} over {self.referee.draws} seeds")
        return (
            f"Sampling leads to expect a difference of {opinion.expected:.1%} of the values, by "
            f"{' and '.join(sources)}. Differences below about {ROOM * opinion.expected:.0%} are not seen."
        )


def _referees(attribution: Attribution, model: Model) -> Iterator[Referee]:
    """The referees that the method's own class declares: a subclass may compute something else."""
    method = attribution.method
    name, facts = type(method).__name__, vars(type(method))
    if "referees" in facts:
        yield from method.referees(attribution, model)  # type: ignore[attr-defined]
    elif "referee" in facts:
        if facts["referee"] not in _QUESTIONS:
            raise InputError(
                f"{name}.referee must be one of {sorted(_QUESTIONS)}, not {facts['referee']!r}. For "
                "another library give the method referees(attribution, model): workbench.core.Method."
            )
        yield from _QUESTIONS[facts["referee"]](attribution, model)
    elif "unrefereed" in facts:
        raise NoReferee(
            f"No library that can be asked here computes {name} ({facts['unrefereed']})."
        )
    else:
        known = [one.__name__ for one in catalog() if {"referee", "referees"} & set(vars(one))]
        raise NoReferee(
            f"No library here is known to compute {name}. Methods that can be checked: "
            f"{', '.join(known)}."
        )


def _model(attribution: Attribution, given: Model | None) -> Model:
    model = model_of(attribution) if given is None else given
    if model is None:
        raise InputError(
            f"A second opinion needs the model {attribution.model!r}, which this attribution came from, "
            "but it is not at hand any more (or was never here). Pass it: "
            "workbench.cross_check(attribution, model=...)."
        )
    if model.name != attribution.model:
        raise InputError(
            f"The attribution is of model {attribution.model!r}, but {model.name!r} was given. Pass the "
            "model it came from, or rename that one: model.renamed(...)."
        )
    made = attribution.provenance.digest
    if made and model.digest and made != model.digest:
        raise InputError(
            f"The attribution came from weights with the digest {made[:12]}…, but model {model.name!r} has "
            f"{model.digest[:12]}…. Pass the model it came from, or explain again."
        )
    return model


def _positions(attribution: Attribution, rows: int | Sequence[int] | None) -> NDArray[np.intp]:
    n = len(attribution)
    asked: Any = min(ROWS, n) if rows is None else rows
    single = isinstance(asked, int | np.integer) and not isinstance(asked, bool)
    positions = list(range(min(int(asked), n))) if single else [] if asked is True else list(asked)
    whole = all(isinstance(i, int | np.integer) and 0 <= i < n for i in positions)
    if not positions or not whole:
        raise InputError(
            f"rows must be how many rows to check, or positions in 0..{n - 1}, not {rows!r}."
        )
    return np.array(positions, dtype=np.intp)


def _weights(
    attribution: Attribution, model: Model, positions: NDArray[np.intp]
) -> tuple[Array, bool]:
    """The target's weights over the outputs `(rows, k)`, and whether scores are in single precision.

    Raises:
        InputError: the model no longer says what was explained.
    """
    inputs, target = attribution.inputs, attribution.target
    scores = model.scores(inputs.values[positions])

    def of_rows(index: Any) -> Any:
        return tuple(index[i] for i in positions) if isinstance(index, tuple) else index

    picked = Target(of_rows(target.index), of_rows(target.against))
    weights = picked.weights(model, scores)
    now = np.einsum("nk,nk->n", weights, scores)
    then = attribution.output[positions]
    off = np.abs(now - then) > 1e-4 * np.maximum(np.abs(then), np.abs(scores).max(axis=1))
    if off.any():
        i = int(np.flatnonzero(off)[0])
        raise InputError(
            f"The attribution explains a score of {then[i]:.6g} for row {inputs.ids[positions[i]]}, but "
            f"model {model.name!r} now gives {now[i]:.6g}: it is another model by now. Explain again."
        )
    return weights, bool((scores.astype(np.float32) == scores).all())
