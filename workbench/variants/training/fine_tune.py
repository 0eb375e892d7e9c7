"""Training a network further: after pruning, on newer rows, with or without a teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workbench.core import Inputs, Model
from workbench.models.torch import TorchEngine, engine_of, remade
from workbench.variants.record import copied, recorded, refuse_integers, running
from workbench.variants.training.lesson import Lesson, lesson_of
from workbench.variants.training.training import (
    Epoch,
    Schedule,
    Trained,
    changed_layers,
    check_schedule,
    last,
    own_copy,
    trained,
    with_state,
)

SCHEDULE = Schedule(epochs=20, patience=5)
"""The further training of a copy, unless another is given."""


def fine_tune(
    model: Model,
    inputs: Inputs,
    *,
    teacher: Model | None = None,
    temperature: float = 2.0,
    hard: float | None = None,
    reasons: float = 0.0,
    keep_zeros: bool = True,
    schedule: Schedule = SCHEDULE,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A copy of a torch model, trained further by Adam; the epoch with the best held-out loss is kept.

    The same seed gives the same bits. Where no epoch is better than the model itself, the model's weights
    are kept. Batch normalization learns its statistics anew from batches of eight rows or more.

    Args:
        model: made from a torch module, which is left as it is.
        inputs: the rows to learn from, with their `y` (or values, where scores are raw) where known.
        teacher: any model with the same outputs and scale, whose scores are to be matched: for a repair,
            the model before it was pruned.
        temperature: the divisor of both models' logits before they are matched; above zero.
        hard: the weight of the true classes in the loss, 0 … 1; the teacher has the rest. Left out, it is a
            half; without a teacher it is one, and zero where classes are not known.
        reasons: the weight of the term that matches the gradients of both models' scores; see `distill`.
        keep_zeros: whether weights that are exactly zero stay so, as pruned ones should.
        schedule: how long and how fast to train, and when to stop. Its seed decides the order of the rows,
            which rows are held out, and what dropout leaves out.
        name: what menus and tables call the copy.
        rows: to try both models on; the training rows when left out.

    Raises:
        InputError: no rows; neither classes nor a teacher; classes that no output stands for, or one alone;
            a teacher of other outputs; settings out of range.
        IncompatibleError: not a torch model; one in half precision or with integer weights.
        ModelError: the loss becomes NaN or infinite.
    """
    return last(
        fine_tune_steps(
            model,
            inputs,
            teacher=teacher,
            temperature=temperature,
            hard=hard,
            reasons=reasons,
            keep_zeros=keep_zeros,
            schedule=schedule,
            name=name,
            rows=rows,
        )
    )


def fine_tune_steps(
    model: Model,
    inputs: Inputs,
    *,
    teacher: Model | None = None,
    temperature: float = 2.0,
    hard: float | None = None,
    reasons: float = 0.0,
    keep_zeros: bool = True,
    schedule: Schedule = SCHEDULE,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Iterator[Epoch]:
    """The same, epoch by epoch: iterating advances it, stopping cancels it.

    The first epoch is number 0, before any step. Each has `.model()`, the copy with the best weights so
    far. Arguments are those of `fine_tune`; they are checked at the call itself.
    """
    check_schedule(schedule)
    engine_of(model)
    lesson = lesson_of(inputs, model, teacher, temperature=temperature, hard=hard, reasons=reasons)
    schedule.split(len(inputs))
    return training_of(
        model.renamed(name or f"{model.name}, fine-tuned"),
        model,
        lesson,
        schedule,
        recipe=f"fine_tune(model, inputs, {_settings(lesson, teacher, schedule)})",
        describe=lambda found: f"fine-tuned on {len(inputs)} rows, {outcome(found)}",
        rows=inputs if rows is None else rows,
        keep_zeros=keep_zeros,
    )


def _settings(lesson: Lesson, teacher: Model | None, schedule: Schedule) -> str:
    words = [] if teacher is None else ["teacher=teacher", f"temperature={lesson.temperature:g}"]
    words += [f"hard={lesson.hard:g}"] if teacher is not None else []
    words += [f"reasons={lesson.reasons:g}"] if lesson.reasons else []
    return ", ".join([*words, f"schedule={schedule!r}"])


def training_of(
    student: Model,
    original: Model,
    lesson: Lesson,
    schedule: Schedule,
    *,
    recipe: str,
    describe: Callable[[Trained], str],
    rows: Inputs,
    keep_zeros: bool,
    fresh: bool = False,
    before: Model | None = None,
    notes: Callable[[Model], tuple[str, ...]] = lambda _: (),
) -> Iterator[Epoch]:
    """Trains a copy of the student, epoch by epoch, and records each best one as a copy of `original`.

    Args:
        student: the model with whose weights training starts; it has the copy's name.
        original: the model with which the copy is compared.
        lesson: what is learned.
        schedule: how to train.
        recipe: the call, for the record.
        describe: one line for the record.
        rows: to try both models on.
        keep_zeros: see `fine_tune`.
        fresh: whether the student is a new network, so that none of its layers are the original's.
        before: the module with which the copy's layers are compared; the student at the start if left out.
        notes: sentences about a finished copy.
    """
    engine = engine_of(student)
    start = own_copy(copied(student))
    refuse_integers(start, student.name)
    counted = start if before is None else copied(before)
    module = own_copy(start)
    own = TorchEngine(student.name, module, preprocess=engine.preprocess, output=engine.output)

    def finish(found: Trained) -> Model:
        after = with_state(start, found.state)
        touched, layers = changed_layers(counted, after)
        made = remade(student, after, name=student.name)
        return recorded(
            made,
            original,
            recipe=recipe,
            description=describe(found),
            runs_as=running(after),
            touched=layers if fresh else touched,
            layers=layers,
            rows=rows,
            notes=notes(made),
        )

    return trained(module, own, lesson, schedule, finish, keep_zeros=keep_zeros)


def outcome(found: Trained) -> str:
    """The result of training, as a phrase."""
    if not found.best:
        return f"where no epoch was better than the start (held-out loss {found.start:.3g})"
    return (
        f"best after epoch {found.best}: held-out loss {found.start:.3g} before, "
        f"{found.validation:.3g} after"
    )
