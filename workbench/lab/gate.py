"""The gate: a study checked against its budget, from the command line or from a test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from workbench.compare.drift import ALLOWANCE, Drift
from workbench.core import Inputs, Method, Model, Step, Target
from workbench.errors import IncompatibleError, InputError
from workbench.lab.budget import Budget, Checked, check_budget
from workbench.lab.junit import table
from workbench.lab.running import drift, steps
from workbench.lab.study import one_or_more
from workbench.lab.study_file import read_study


def gate(path: str | os.PathLike[str]) -> Iterator[Step[Checked | None]]:
    """Run the study of a TOML file and check it against its budget; see docs/gate.md.

    The checks are the result of the last step.

    Raises:
        WorkbenchError: the file, the models or the rows do not allow the study, or its budget limits
            something that cannot be measured.
    """
    study, budget = read_study(path)
    for step in steps(study):
        checked = None
        if step.done == step.total and (found := step.result.drift()) is not None:
            check_whole(study.candidates, found)
            checked = check_budget(found, budget)
        yield Step(step.done, step.total, step.label, checked)


def check_whole(candidates: Sequence[Model], found: Drift) -> None:
    """Refuses a drift that left a copy out: a gate that saw no reasons of a copy has not held.

    Raises:
        IncompatibleError: a copy could not be explained; says which, and why.
    """
    missing = [one.name for one in candidates if one.name not in found.models]
    if missing:
        why = [note for note in found.notes if "can be explained by none" in note]
        raise IncompatibleError(f"A gate needs a verdict on {missing}. {' '.join(why)}")


def assert_explanations_preserved(
    reference: Model,
    candidates: Model | Sequence[Model],
    inputs: Inputs,
    methods: Method | Sequence[Method] | None = None,
    *,
    budget: Budget | None = None,
    target: Target | None = None,
    siblings: Model | Sequence[Model] = (),
    margins: Mapping[str, float] | None = None,
    random_weights: bool = False,
    noise_seeds: int = 1,
    faithfulness: bool = False,
    allowance: float = ALLOWANCE,
    seed: int = 0,
) -> Drift:
    """Fail a test, with the table of checks, unless every copy keeps the budget.

    Args:
        budget: the limits; when left out, every copy must be "preserved" for rows like these, with at most
            1 % of flips.
        random_weights: whether to compute that reference line, which a verdict does not need.

    The other arguments are those of `workbench.drift`.

    Returns:
        The `Drift`, for further assertions.

    Raises:
        AssertionError: the budget is broken.
        WorkbenchError: the study cannot be run, as in `workbench.drift`.
    """
    budget = Budget() if budget is None else budget
    if not isinstance(budget, Budget):
        raise InputError(f"A budget is a lab.Budget, such as Budget(flips=0.02), not {budget!r}.")
    found = drift(
        reference,
        candidates,
        inputs,
        methods,
        target=target,
        siblings=siblings,
        margins=margins,
        random_weights=random_weights,
        noise_seeds=noise_seeds,
        faithfulness=faithfulness,
        allowance=allowance,
        seed=seed,
    )
    check_whole(one_or_more(candidates, Model), found)
    checked = check_budget(found, budget)
    if not checked.held:
        raise AssertionError(table(checked))
    return found
