"""Knowledge distillation (Hinton et al. 2015): a smaller network learns to give its teacher's scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models.arguments import Wrapping
from workbench.models.torch import TorchEngine, engine_of, remade, torch_engine_of, torch_model
from workbench.variants.recipes import Recipe
from workbench.variants.record import copied, refuse_integers
from workbench.variants.training.distill_width import narrowed
from workbench.variants.training.fidelity import fidelity_note
from workbench.variants.training.fine_tune import outcome, training_of
from workbench.variants.training.lesson import lesson_of
from workbench.variants.training.training import (
    Epoch,
    Schedule,
    Trained,
    check_schedule,
    last,
    own_copy,
)

if TYPE_CHECKING:
    import torch

SCHEDULE = Schedule(epochs=50, patience=10)
"""The training of a student, unless another is given: longer than a repair, since the student is new."""

_SUMS = 1e-3  # above single precision's errors, for libraries that round their output


def distill(
    teacher: Model,
    inputs: Inputs,
    *,
    student: torch.nn.Module | Model | None = None,
    width: float | None = None,
    temperature: float = 4.0,
    hard: float | None = None,
    reasons: float = 0.0,
    schedule: Schedule = SCHEDULE,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A student with the outputs and the scale of its teacher, trained to give the same scores.

    The loss of a row is hard * cross-entropy(class) + (1 - hard) * T² KL(softmax(teacher / T) ‖
    softmax(student / T)) + reasons * (1 - cosine(∇teacher, ∇student)). One logit counts as two classes;
    raw scores are matched by squared error over their variance. A student of a teacher that gives
    probabilities ends in a softmax (or a logistic function), added where it has none.

    Args:
        teacher: any model; its scores are computed once for all rows.
        inputs: the rows to learn from; their `y`, where known, are the hard labels.
        student: a torch module, which is trained from its present weights and reads rows through the
            teacher's preprocessing if that is a torch model; or a `Model` made from one, with its own.
        width: instead of a student: the teacher's own network with this share of its hidden channels, above
            0 and at most 1, freshly initialized.
        temperature: T above zero; the higher it is, the more the classes that are not predicted count.
        hard: the weight of the true classes in the loss, 0 … 1. Left out, it is a half where classes are
            known and zero where they are not.
        reasons: the weight of the last term, which matches the gradients of the score that is the
            teacher's highest, in tables per standard deviation of each column; 0 leaves it out. It needs a
            teacher with a gradient.
        schedule: how long and how fast to train, and when to stop: when left out, 50 epochs at most, and 10
            without a better one. Its seed decides the new weights, the order of the rows, and which of them
            are held out.
        name: what menus and tables call the student.
        rows: to try both models on; the training rows when left out.

    Raises:
        InputError: neither student nor width, or both; a student with other outputs; no rows; classes that
            no output stands for, or one alone; settings out of range.
        IncompatibleError: a network whose width cannot be changed; no gradient where `reasons` needs one.
        ModelError: the loss becomes NaN or infinite.

    Source:
        Hinton, Vinyals & Dean 2015, *Distilling the knowledge in a neural network*, section 2. For the last
        term Park et al. 2020, *Attribution preservation in network compression*, equation 5. **Differs:**
        gradients with respect to the rows are matched, of the score itself as there, but not collapsed maps
        of a layer, so that a student may have other layers.
    """
    return last(
        distill_steps(
            teacher,
            inputs,
            student=student,
            width=width,
            temperature=temperature,
            hard=hard,
            reasons=reasons,
            schedule=schedule,
            name=name,
            rows=rows,
        )
    )


def distill_steps(
    teacher: Model,
    inputs: Inputs,
    *,
    student: torch.nn.Module | Model | None = None,
    width: float | None = None,
    temperature: float = 4.0,
    hard: float | None = None,
    reasons: float = 0.0,
    schedule: Schedule = SCHEDULE,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Iterator[Epoch]:
    """The same, epoch by epoch: iterating advances it, stopping cancels it.

    The first epoch is number 0, the untrained student. Each has `.model()`, the student with the best
    weights so far. Arguments are those of `distill`; they are checked at the call itself.
    """
    check_schedule(schedule)
    if (student is None) == (width is None):
        found = "neither" if student is None else "both"
        raise InputError(
            f"Distillation needs a student or a width, and got {found}. Give student=a module, or "
            "width=0.5 for the teacher's own network with half its hidden channels."
        )
    if not isinstance(inputs, Inputs) or not len(inputs):
        raise InputError(
            "Distillation needs rows as Inputs, at least one, but got none. Give rows such as the teacher "
            "was trained on."
        )
    own = name or f"{teacher.name}, " + (
        "distilled" if width is None else f"distilled at width {width:g}"
    )
    if width is not None:
        pupil = _narrow(teacher, inputs, width, schedule.seed, own)
    elif isinstance(student, Model):
        engine_of(student)
        pupil = student.renamed(own)
    else:
        pupil = _wrapped(teacher, inputs, student, own)
    _check_columns(teacher, pupil, inputs)
    lesson = lesson_of(inputs, pupil, teacher, temperature=temperature, hard=hard, reasons=reasons)
    _, held = schedule.split(len(inputs))
    how = "student=student" if width is None else f"width={width:g}"
    words = [how, f"temperature={temperature:g}", f"hard={lesson.hard:g}"]
    words += [f"reasons={reasons:g}"] if reasons else []
    taught = lesson.taught

    def describe(found: Trained) -> str:
        return f"distilled from {teacher.name} on {len(inputs)} rows, {outcome(found)}"

    def notes(copy: Model) -> tuple[str, ...]:
        if taught is None or not len(held):
            return ()
        scores = copy.scores(np.asarray(inputs.values)[held])
        return (fidelity_note(scores, taught[held], copy.scale, teacher.name),)

    return training_of(
        pupil,
        teacher,
        lesson,
        schedule,
        recipe=f"distill(teacher, inputs, {', '.join([*words, f'schedule={schedule!r}'])})",
        describe=describe,
        rows=inputs if rows is None else rows,
        keep_zeros=False,
        fresh=True,
        notes=notes,
    )


def _narrow(teacher: Model, inputs: Inputs, width: float, seed: int, name: str) -> Model:
    engine = _engine(teacher)
    module = own_copy(copied(teacher))
    refuse_integers(module, teacher.name)
    few = np.asarray(inputs.values)[[0, 0, 0] if len(inputs) < 3 else [0, 1, 2]]
    own = TorchEngine(teacher.name, module, preprocess=engine.preprocess, output=engine.output)
    made = narrowed(module, own.prepared(few), width, seed=seed, name=teacher.name)
    student = TorchEngine(teacher.name, made, preprocess=engine.preprocess, output=engine.output)
    try:
        student.predict(few)
    except (ModelError, IncompatibleError) as error:
        raise IncompatibleError(
            f"A student of {width:g} times the width must answer rows as {teacher.name!r} does, but "
            f"something in its forward counts on the old number of channels: {error} Give student=a module "
            "of your own."
        ) from error
    return remade(teacher, made, name=name)


def _engine(teacher: Model) -> TorchEngine:
    try:
        return engine_of(teacher)
    except IncompatibleError:
        raise IncompatibleError(
            f"width builds a student from the teacher's own network, but {teacher.name!r} wraps a "
            f"{type(teacher.native).__name__}, which is no network to narrow. Give student=a torch module."
        ) from None


def _wrapped(teacher: Model, inputs: Inputs, student: torch.nn.Module | None, name: str) -> Model:
    import torch

    if not isinstance(student, torch.nn.Module):
        raise InputError(
            f"A student is a torch.nn.Module or a Model made from one, not a {type(student).__name__}. "
            "Give a module, or width=0.5."
        )
    engine = torch_engine_of(teacher)
    preprocess = None if engine is None else engine.preprocess
    module = own_copy(student)
    if teacher.scale == "probability":
        module = _to_probabilities(module, len(teacher.outputs))
    found = TorchEngine(name, module, preprocess=preprocess).predict(inputs.values[:1]).shape[1]
    _check_count(teacher, name, found)
    wrapping = Wrapping(
        name=name,
        outputs=teacher.outputs,
        scale=teacher.scale,
        kind=inputs.kind,
        like=inputs,
        preprocess=preprocess,
    )
    return replace(torch_model(module, wrapping), unit=teacher.unit)


def _to_probabilities(module: torch.nn.Module, k: int) -> torch.nn.Module:
    """The module with a softmax at its end, or a logistic function for one output, unless it has one."""
    from collections import OrderedDict

    from torch import nn

    leaves = [part for part in module.modules() if not any(True for _ in part.children())]
    if leaves and isinstance(leaves[-1], nn.Softmax | nn.Sigmoid):
        return module
    end: nn.Module = nn.Sigmoid() if k == 1 else nn.Softmax(1)
    end.training = False
    whole = nn.Sequential(OrderedDict(student=module, probability=end))
    whole.training = False
    return whole


def _check_columns(teacher: Model, pupil: Model, inputs: Inputs) -> None:
    _check_count(teacher, pupil.name, len(pupil.outputs))
    if teacher.scale != "probability" or len(teacher.outputs) == 1:
        return
    sums = teacher.scores(inputs.values[:32]).sum(axis=1)
    if (abs(sums - 1) > _SUMS).any():
        raise IncompatibleError(
            f"Distillation needs probabilities of classes that exclude one another, but those of "
            f"{teacher.name!r} add up to {sums.min():.3g} … {sums.max():.3g}. Wrap the teacher in logits "
            "or with one output at a time."
        )


def _check_count(teacher: Model, name: str, found: int) -> None:
    if found != len(teacher.outputs):
        raise InputError(
            f"A student needs the outputs of its teacher: {teacher.name!r} has {len(teacher.outputs)} "
            f"({list(teacher.outputs)[:8]}), but {name!r} gives {found}. Give a student with "
            f"{len(teacher.outputs)} outputs."
        )


RECIPE = Recipe(
    "distill",
    "Distillation into a narrower network",
    "distill",
    "width, as a share of the hidden channels",
    (0.75, 0.5, 0.25),
    parameter="width",
    rows_as="inputs",
    needs_rows=True,
    order=31,
)
