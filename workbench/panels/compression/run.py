"""What the Compression panel's Run does: copies made, explained like their model, kept as they finish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.compare.drift import FLIPS, GRAVEST_FIRST, Drift
from workbench.core import Attribution, Model, Step, clean
from workbench.errors import InputError, WorkbenchError
from workbench.lab import DriftStudy
from workbench.lab import steps as lab_steps
from workbench.panels.compression.choices import CompressionView
from workbench.panels.compression.recipes import Family
from workbench.panels.kit import Job
from workbench.study.fit import obstacle
from workbench.variants import sweep_steps
from workbench.variants.recipes import Level


@dataclass(frozen=True, eq=False)
class Copy:
    """One line of the live table.

    Args:
        title: its name until the copy is made and has its own.
        model: the copy, once it is made.
        made: whether this run made it.
        family: how it is made, or None for a copy that was on the bench.
        rows: an expression for the rows it is made with.
        level: the level it is made at.
        failed: why there is no copy, or no explanation of it; "" otherwise.
    """

    title: str
    model: Model | None = None
    made: bool = False
    family: Family | None = None
    rows: str = ""
    level: Level = None
    failed: str = ""

    @property
    def name(self) -> str:
        """The copy's name, or the line's title until there is a copy."""
        return self.title if self.model is None else self.model.name


@dataclass(frozen=True, eq=False)
class CompressionOutcome:
    """The result so far: complete after a run, partial while it runs or when it was cancelled.

    Args:
        reference: the model that copies are compared with.
        key: the choices it came from.
        copies: one line per requested copy.
        level: what the levels mean, where all copies come from one recipe; else "".
        study: the study of the copies, once they are made.
        drift: of the copies that are finished, or None before the first.
        complete: whether the run was finished.
        running: whether more is to come.
        seconds: median latency by model, where it was measured.
    """

    reference: Model
    key: tuple[object, ...]
    copies: tuple[Copy, ...]
    level: str = ""
    study: DriftStudy | None = None
    drift: Drift | None = None
    complete: bool = False
    running: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def models(self) -> tuple[Model, ...]:
        """The copies that are there."""
        return tuple(one.model for one in self.copies if one.model is not None)

    def new(self, reference: str) -> Iterator[tuple[Model, str]]:
        """The copies that this run made, each with an expression that makes it anew.

        Args:
            reference: an expression for the model.
        """
        for one in self.copies:
            if one.made and one.model is not None:
                made = (
                    f"wb.{one.family.recipe.code(reference, one.level, one.rows)}"
                    if one.family
                    else ""
                )
                yield one.model, f"{made}.renamed({one.model.name!r})"


Keep = Callable[[CompressionOutcome], None]


def compression_steps(view: CompressionView, keep: Keep) -> Iterator[Step[Any]]:
    """The run of a view, step by step; `keep` is called with the outcome whenever a part is finished.

    A copy that cannot be made or explained stays in the table with the reason; the others go on.

    Raises:
        WorkbenchError: no copy is left, or the reference cannot be explained.
    """
    reference, study = view.reference, view.study
    if reference is None or study is None:
        raise InputError(view.blocked)
    outcome = CompressionOutcome(reference, view.key, tuple(_asked_for(view)), _level(view))
    keep(outcome)
    cells = max(1, view.models) * len(study.methods)
    total = 1000 * (view.made + cells)
    done = 0
    for position, (family, level) in enumerate(_new(view)):
        title = outcome.copies[position].title
        yield _step(done, total, f"Making {title}")
        try:
            for step in sweep_steps(
                reference, family.recipe, (level,) if family.recipe.level else None,
                rows=None if view.made_with is None else view.made_with.inputs,
            ):  # fmt: skip
                if step.result is None:
                    yield _step(done, total, step.label)
                else:
                    line = replace(outcome.copies[position], model=step.result, made=True)
                    outcome = _with(outcome, position, line)
        except WorkbenchError as error:
            line = replace(outcome.copies[position], failed=str(error))
            outcome = _with(outcome, position, line)
        done += 1000
        keep(outcome)
        yield _step(done, total, f"{title} is made")
    outcome = _judgeable(view, outcome)
    keep(outcome)
    assert outcome.study is not None
    finished: tuple[str, ...] = ()
    for now in lab_steps(outcome.study):
        found = now.result
        if found.finished != finished:
            finished = found.finished
            outcome = replace(outcome, drift=found.drift())
            keep(outcome)
        last = now.done == now.total
        share = 1000 * cells if last else min(999 * cells, 1000 * cells * now.done // now.total)
        if last:
            outcome = replace(outcome, drift=found.drift(), complete=True)
            keep(outcome)
        yield _step(done + share, total, now.label, found.attributions)


def ended(job: Job, outcome: CompressionOutcome | None) -> str:
    """How a run ended, in one sentence for the live region."""
    took = f"{job.seconds:.1f} s"
    if job.state == "failed":
        return f"{job.name} failed after {took}."
    if outcome is None:
        return f"{job.name} {job.state} after {took}."
    drift = outcome.drift
    if job.state == "cancelled":
        made, judged = len(outcome.models), 0 if drift is None else len(drift.verdicts)
        return (
            f"Cancelled after {took}: {made} of {len(outcome.copies)} copies kept, {judged} judged."
        )
    parts = []
    if drift is not None:
        flips = [one.flips for one in drift.behavior if one.flips is not None]
        parts = [
            f"explanations on these {len(drift.ids)} rows: {_counts(drift.on_rows.values())}",
            f"for rows like these: {_counts(drift.verdicts.values())}",
        ]
        words = ["changed" if share > FLIPS else "preserved" for share in flips]
        parts += [f"predictions: {_counts(words)}"] if words else []
    failed = sum(bool(one.failed) for one in outcome.copies)
    parts += [f"{failed} not judged"] if failed else []
    return f"Done: {job.name} in {took}; {'; '.join(parts)}."


def _counts(words: Iterable[str]) -> str:
    """How many copies have each verdict, the gravest last."""
    every = list(words)
    return ", ".join(f"{every.count(one)} {one}" for one in reversed(GRAVEST_FIRST) if one in every)


def _new(view: CompressionView) -> Iterator[tuple[Family, Level]]:
    for family in view.families:
        for level in family.levels:
            yield family, level


def _asked_for(view: CompressionView) -> Iterator[Copy]:
    """The lines of the table before anything is made: new copies first, then those on the bench."""
    rows = "" if view.made_with is None else view.made_with.code
    for family, level in _new(view):
        at = "" if level is None else f", {level}"
        yield Copy(f"{family.recipe.title}{at}", family=family, rows=rows, level=level)
    for model in view.copies:
        yield Copy(model.name, model)


def _level(view: CompressionView) -> str:
    """What the levels mean, where one recipe with numeric levels makes all copies; else ""."""
    if len(view.families) != 1 or view.copies:
        return ""
    family = view.families[0]
    numbers = all(isinstance(level, int | float) for level in family.levels)
    return family.recipe.level if numbers else ""


def _with(outcome: CompressionOutcome, position: int, line: Copy) -> CompressionOutcome:
    copies = list(outcome.copies)
    copies[position] = line
    if line.model is not None:
        # A new copy takes the place of an older one of its name.
        copies = [
            one for i, one in enumerate(copies)
            if i == position or one.made or one.model is None or one.model.name != line.model.name
        ]  # fmt: skip
    return replace(outcome, copies=tuple(copies))


def _judgeable(view: CompressionView, outcome: CompressionOutcome) -> CompressionOutcome:
    """The outcome with a study of the copies that at least one method can explain.

    Raises:
        InputError: no copy can be explained.
    """
    study = view.study
    assert study is not None
    lines = []
    for line in outcome.copies:
        if line.model is not None:
            why = [obstacle(method, line.model, study.inputs) for method in study.methods]
            if all(why):
                line = replace(line, failed="Not explained: " + " ".join(map(str, why)))
        lines.append(line)
    able = tuple(one.model for one in lines if one.model is not None and not one.failed)
    outcome = replace(outcome, copies=tuple(lines))
    if not able:
        reasons = " ".join(clean(one.failed, limit=300) for one in lines if one.failed)
        raise InputError(
            f"No copy of {outcome.reference.name!r} can be held against it. {reasons} Choose another way "
            "to make copies, or a method that needs scores alone, such as Occlusion."
        )
    return replace(
        outcome,
        study=DriftStudy(
            outcome.reference,
            able,
            study.inputs,
            study.methods,
            target=view.target,
            siblings=view.siblings,
        ),
    )


def _step(done: int, total: int, label: str, made: tuple[Attribution, ...] = ()) -> Step[Any]:
    return Step(done, total, label, made)
