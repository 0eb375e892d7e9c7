"""Pruning followed by a repair: fine-tuning with the unpruned model as the teacher, zeros kept."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.core import Inputs, Model
from workbench.variants.pruning import By, Scope, prune
from workbench.variants.recipes import Recipe
from workbench.variants.training.fine_tune import SCHEDULE, outcome, training_of
from workbench.variants.training.lesson import lesson_of
from workbench.variants.training.training import Epoch, Schedule, check_schedule, last


def prune_and_repair(
    model: Model,
    inputs: Inputs,
    sparsity: float,
    *,
    by: By = "magnitude",
    scope: Scope = "global",
    temperature: float = 2.0,
    hard: float | None = None,
    reasons: float = 0.0,
    schedule: Schedule = SCHEDULE,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A pruned copy, trained further until it gives the model's scores again.

    The same as `fine_tune(prune(model, sparsity), inputs, teacher=model)`, but recorded as one copy of the
    model: its size, its change and its lineage are compared with the model itself.

    Args:
        model: made from a torch module, which is left as it is; also the teacher.
        inputs: the rows to learn from.
        sparsity: share of the weights set to zero, and kept there, 0 to below 1.
        by: see `prune`.
        scope: see `prune`.
        temperature: see `fine_tune`.
        hard: see `fine_tune`.
        reasons: see `fine_tune`.
        schedule: see `fine_tune`; its seed is also that of random pruning.
        name: what menus and tables call the copy.
        rows: to try both models on; the training rows when left out.

    Raises:
        InputError: any reason for which `prune` or `fine_tune` refuses.
        IncompatibleError: not a torch model, or one without weights to prune.
    """
    return last(
        prune_and_repair_steps(
            model,
            inputs,
            sparsity,
            by=by,
            scope=scope,
            temperature=temperature,
            hard=hard,
            reasons=reasons,
            schedule=schedule,
            name=name,
            rows=rows,
        )
    )


def prune_and_repair_steps(
    model: Model,
    inputs: Inputs,
    sparsity: float,
    *,
    by: By = "magnitude",
    scope: Scope = "global",
    temperature: float = 2.0,
    hard: float | None = None,
    reasons: float = 0.0,
    schedule: Schedule = SCHEDULE,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Iterator[Epoch]:
    """The same, epoch by epoch; the first epoch is number 0, the pruned copy before any repair.

    Arguments are those of `prune_and_repair`; they are checked at the call itself.
    """
    check_schedule(schedule)
    schedule.split(len(inputs))
    pruned = prune(model, sparsity, by=by, scope=scope, seed=schedule.seed, rows=inputs)
    lesson = lesson_of(inputs, pruned, model, temperature=temperature, hard=hard, reasons=reasons)
    what = f"{sparsity:.0%} of weights set to zero ({by}, {scope})"
    words = [
        f"by={by!r}",
        f"scope={scope!r}",
        f"temperature={temperature:g}",
        f"hard={lesson.hard:g}",
    ]
    words += [f"reasons={reasons:g}"] if reasons else []
    words += [f"schedule={schedule!r}"]
    return training_of(
        pruned.renamed(name or f"{pruned.name} and repaired"),
        model,
        lesson,
        schedule,
        recipe=f"prune_and_repair(model, inputs, {sparsity:g}, {', '.join(words)})",
        describe=lambda found: f"{what}, then fine-tuned on {len(inputs)} rows, {outcome(found)}",
        rows=inputs if rows is None else rows,
        keep_zeros=True,
        before=model,
    )


RECIPE = Recipe(
    "repair",
    "Pruning, then repair by fine-tuning",
    "prune_and_repair",
    "share of weights set to zero",
    (0.5, 0.7, 0.9),
    rows_as="inputs",
    needs_rows=True,
    order=30,
)
