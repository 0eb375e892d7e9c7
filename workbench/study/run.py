"""Study -> Attributions: the one place that checks, times and keeps what is finished."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from numpy.typing import NDArray

from workbench.core import (
    Attribution,
    Inputs,
    Method,
    Model,
    Progress,
    Step,
    Study,
    Target,
)
from workbench.errors import ModelError
from workbench.study.cell import CellRun, gave
from workbench.study.fit import check


def explain(
    model: Model, inputs: Inputs, method: Method | None = None, target: Target | None = None
) -> Attribution:
    """The attribution of one target: by default each row's own prediction.

    Uses PermutationSHAP when no method is given: it suits every model and stops when it is precise enough.

    >>> import workbench as wb
    >>> model = wb.Model("sum", lambda rows: rows @ [[2.0], [-1.0]], ("score",), "raw")
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> explain(model, rows, wb.methods.ExactShapley()).values
    array([[ 2., -1.]])

    Raises:
        IncompatibleError: this method cannot explain this model or these rows; says which can.
        InputError: the rows, the target or the parameters do not fit.
        ModelError: the model failed or returned something that is not finite; its `partial` holds the rows
            that were finished before, see `workbench.errors.ModelError`. For an ensemble it is a
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

    >>> import workbench as wb
    >>> model = wb.Model("sum", lambda rows: rows @ [[2.0], [-1.0]], ("score",), "raw")
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> study = wb.Study((model,), (wb.methods.ExactShapley(), wb.methods.Occlusion()), rows)
    >>> [type(one.method).__name__ for one in run(study)]
    ['ExactShapley', 'Occlusion']

    Raises:
        ModelError: a model failed; its `partial` holds every attribution so far, the last ones with the
            rows that their cell had finished.
    """
    yielded = 0
    for step in steps(study):
        yield from step.result[yielded:]
        yielded = len(step.result)


def steps(study: Study) -> Iterator[Step[tuple[Attribution, ...]]]:
    """The same study, one batch of model calls at a time, in thousandths of a cell.

    A step's `result` holds the finished attributions; `partial()` also gives, marked `complete=False`,
    those rows of the cell in progress that already have an estimate.

    >>> import workbench as wb
    >>> model = wb.Model("sum", lambda rows: rows @ [[2.0], [-1.0]], ("score",), "raw")
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> *_, last = steps(wb.Study((model,), (wb.methods.ExactShapley(),), rows))
    >>> last.label, last.done, last.total, len(last.result)
    ('ExactShapley of sum', 1000, 1000, 1)
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
        try:
            for last in cell.progress():
                if not isinstance(last, Progress):
                    raise gave(method, f"{last!r} in place of Progress")
                share = 999 * last.done // max(last.total, 1)
                so_far = partial(cell.unfinished, last, finished)
                yield Step(1000 * number + share, total, label, finished, so_far)
            finished += cell.answer(last)
        except ModelError as error:
            error.partial = cell.rescued(last, finished)
            raise
        yield Step(1000 * (number + 1), total, label, finished, partial(tuple, finished))
