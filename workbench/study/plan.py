"""`plan`: what a study will cost, before it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

from numpy.typing import NDArray

from workbench.core import Cell, Evaluations, Method, Step, Study, check_study
from workbench.core.explaining import asked_about, explaining
from workbench.core.plan import Cost, Plan, Rows
from workbench.errors import IncompatibleError, InputError
from workbench.study.fit import check
from workbench.study.probe import tried

PROBE_SECONDS = 2.0
"""The default seconds of a probe, for all cells of a study together."""


def plan(study: Study, probe_seconds: float = PROBE_SECONDS) -> Plan:
    """Model rows, seconds and bytes that a study will take.

    Model rows are known without calling a model. Seconds and bytes come from a probe: every cell (one model
    by one method) is started as it will run, and stopped after its share of `probe_seconds`, or after its
    first batch if that takes longer. A probe asks for at most 2 % of the cell's model rows; where that is
    less than one, where a method does not say how many it asks for, and where the model is metered, it
    asks for none, and the time stays unknown. Models are left unchanged; no result is kept.

    >>> import workbench as wb
    >>> model = wb.Model("sum", lambda rows: rows @ [[2.0], [-1.0]], ("score",), "raw")
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> study = wb.Study((model,), (wb.methods.ExactShapley(), wb.methods.Occlusion()), rows)
    >>> plan(study, probe_seconds=0)  # 4 coalitions, 2 columns, and the row's own score once
    Plan(2 cells: 7 model rows)
    >>> plan(study, probe_seconds=0).notes[0]
    'Shared between the cells: 1 model row. Run alone, each would ask anew.'

    Args:
        study: the study to plan.
        probe_seconds: how long the probe may take in all; 0 for no probe, so that no model is called.

    Raises:
        IncompatibleError: a method cannot explain a model or these rows, as in `run`.
        InputError: the rows, the parameters or `probe_seconds` do not fit.
        ModelError: a model failed in the probe.
    """
    (made,) = [now.result for now in planning(study, probe_seconds) if now.result is not None]
    return made


def planning(study: Study, probe_seconds: float = PROBE_SECONDS) -> Iterator[Step[Plan | None]]:
    """The same plan, one batch of the probe at a time; it is the result of the last step."""
    if not (isinstance(probe_seconds, int | float) and 0 <= probe_seconds < math.inf):
        raise InputError(
            f"probe_seconds must be a number of seconds from 0 on, not {probe_seconds!r}. Use 0 for no "
            "probe."
        )
    check_study(study)
    cells = [(model, method) for model in study.models for method in study.methods]
    for model, method in cells:
        check(method, model, study.inputs)
    counts = _counted(study)
    costs = [
        Cost(
            model.name,
            method,
            one.in_study if one is not None else None,
            metered=any(asked.metered for asked in (model, *asked_about(model))),
        )
        for (model, method), one in zip(cells, counts, strict=True)
    ]
    total, shared = 1000 * len(cells), _shared(counts)
    if probe_seconds == 0:
        yield Step(total, total, "Counting", Plan(tuple(costs), False, shared))
        return
    known: dict[tuple[int, int], NDArray[Any]] = {}
    begun = perf_counter()
    for number, (model, method) in enumerate(cells):
        left = max(0.0, probe_seconds - (perf_counter() - begun))
        label = f"Trying {type(method).__name__} of {model.name}"
        expected = costs[number]
        for now in tried(study, model, expected, known, left / (len(cells) - number)):
            expected = now
            yield Step(1000 * number, total, label, None)
        costs[number] = expected
        last = number + 1 == len(cells)
        made = Plan(tuple(costs), True, shared) if last else None
        yield Step(1000 * (number + 1), total, label, made)


def evaluations(study: Study) -> tuple[Rows | None, ...]:
    """The fewest and the most model rows of every cell, in the order of the run; no model is asked.

    Every member of an ensemble answers as often as a model alone. None for a method that does not say.
    The scores of the study's own rows and of its background are counted where `run` first asks for them.

    Raises:
        InputError: a recipe's parameters do not fit the rows, such as a budget that is too small.
    """
    return tuple(None if one is None else one.in_study for one in _counted(study))


class _Count(NamedTuple):
    """Model rows of a cell: where it stands in its study, and by itself."""

    in_study: Rows
    alone: Rows


def _counted(study: Study) -> tuple[_Count | None, ...]:
    """The counts of every cell; each method is asked once, for it may have to make superpixels to know."""
    inputs = study.inputs
    sizes = {
        "rows": len(inputs),
        "background": 0 if inputs.background is None else len(inputs.background),
    }
    declared = [_said(method, study) for method in study.methods]
    counts: list[_Count | None] = []
    known: set[tuple[int, str]] = set()
    perhaps: set[tuple[int, str]] = set()  # by a method that does not declare its model rows
    for model in study.models:
        asked_models = asked_about(model)
        begun = explaining(model, asked_models)
        members = [id(one) for one in asked_models]
        for method, one in zip(study.methods, declared, strict=True):
            if one is None:
                counts.append(None)
                perhaps |= {(member, what) for member in members for what in sizes}
                continue
            if begun.asks_for_scores_first(method, study.targets):
                one = replace(one, rows=True)
            low, high = one.fewest * len(members), one.most * len(members)
            wanted = [(m, what) for m in members for what in sizes if getattr(one, what)]
            scores = sum(sizes[what] for _, what in wanted)
            alone = low + scores, high + scores
            for key in [key for key in wanted if key not in known]:
                low += 0 if key in perhaps else sizes[key[1]]
                high += sizes[key[1]]
                known.add(key)
            counts.append(_Count((low, high), alone))
    return tuple(counts)


def evaluations_of(cell: Cell) -> Rows | None:
    """The fewest and the most model rows of one cell by itself, whatever ran before it.

    >>> import workbench as wb
    >>> model = wb.Model("sum", lambda rows: rows @ [[2.0], [-1.0]], ("score",), "raw")
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> study = wb.Study((model,), (wb.methods.ExactShapley(), wb.methods.Occlusion()), rows)
    >>> [evaluations_of(cell) for cell in study.cells], shared_evaluations(study)
    ([(5, 5), (3, 3)], (1, 1))

    Raises:
        InputError: a recipe's parameters do not fit the rows, such as a budget that is too small.
    """
    (one,) = evaluations(cell.study)
    return one


def shared_evaluations(study: Study) -> Rows | None:
    """Model rows the study's cells would ask for again if each ran alone: scores are asked for once per
    model. None where a method does not say how many it asks for.
    """
    return _shared(_counted(study))


def _shared(counts: Sequence[_Count | None]) -> Rows | None:
    known = [one for one in counts if one is not None]
    if len(known) < len(counts):
        return None
    low, high = (sum(one.alone[i] - one.in_study[i] for one in known) for i in (0, 1))
    return low, high


def _said(method: Method, study: Study) -> Evaluations | None:
    ask = getattr(method, "evaluations", None)
    declared = None if ask is None else ask(study.inputs)
    if declared is None or isinstance(declared, Evaluations):
        return declared
    raise IncompatibleError(
        f"{type(method).__name__}.evaluations must return workbench.core.Evaluations, but gave "
        f"{type(declared).__name__}. Return Evaluations.exactly(count), or None where it is not known."
    )
