"""The parts of a drift study: which model is explained, by which recipes, over which background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from workbench.core import Inputs, Method, Model, Study, Target
from workbench.errors import IncompatibleError
from workbench.lab.random_weights import with_random_weights
from workbench.lab.study import DriftStudy, method_names
from workbench.study.fit import check, obstacle

Role = Literal["reference", "noise", "random weights", "sibling", "copy"]

_SEEDS = 2**31 - 1  # methods' seeds lie below
_STRIDE = 7919  # between the seeds of repetitions: a user may use neighboring seeds too


@dataclass(frozen=True, eq=False)
class Part:
    """One model and the methods that explain it; a study runs its parts one after the other.

    Args:
        role: the role of its attributions in the study.
        model: the model to explain.
        methods: the methods that explain it.
        names: the name of each of `methods` in the study.
        inputs: the study's rows, over the background of this part.
    """

    role: Role
    model: Model
    methods: tuple[Method, ...]
    names: tuple[str, ...]
    inputs: Inputs

    def study(self, target: Target) -> Study:
        """The study that computes it."""
        return Study((self.model,), self.methods, self.inputs, (target,))


def parts(
    study: DriftStudy, depends_on_background: Callable[[Method], bool]
) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Everything a study explains, in the order of the run, and notes on what it leaves out and why.

    The reference and its lines come first, so that every copy has its verdict as soon as it is finished.

    Args:
        depends_on_background: whether another background moves a method's values.

    Raises:
        IncompatibleError: a method cannot explain the reference, or no method can explain any copy.
    """
    named = tuple(zip(method_names(study.methods), study.methods, strict=True))
    for _, method in named:
        check(method, study.reference, study.inputs)
    made = [_part("reference", study.reference, named, study.inputs)]
    notes: list[str] = []
    for number in range(study.noise_seeds):
        made += _noise(study, named, number, depends_on_background)
    if study.random_weights:
        random = with_random_weights(study.reference, study.seed)
        if random is None:
            notes.append(
                f"The line of random weights is missing: the weights of {study.reference.name!r} cannot "
                "be reached. Torch modules and tree models have one."
            )
        else:
            made += _able("random weights", random, named, study.inputs, notes)
    for sibling in study.siblings:
        made += _able("sibling", sibling, named, study.inputs, notes)
    for number, copy in enumerate(study.candidates):
        recipes = named if study.paired else _reseeded(named, 1 + study.noise_seeds + number)
        made += _able("copy", copy, recipes, study.inputs, notes)
    if not any(part.role == "copy" for part in made):
        raise IncompatibleError(notes[-1])
    return tuple(made), tuple(notes)


def unexplained(model: Model, reasons: Sequence[str]) -> str:
    """Why a copy has no verdict, and what to do."""
    return (
        f"Copy {model.name!r} can be explained by none of the study's methods. {' '.join(reasons)} "
        "Add a method that needs scores alone, such as Occlusion or PermutationSHAP."
    )


def with_other_background(inputs: Inputs, seed: int) -> Inputs:
    """The same rows with a background resampled from theirs with replacement; unchanged without one."""
    if inputs.background is None:
        return inputs
    b = len(inputs.background)
    chosen = np.random.default_rng(seed).integers(0, b, size=b)
    return inputs.with_background(inputs.background[np.sort(chosen)])


def has_seed(method: Any) -> bool:
    """Whether a recipe draws something that another seed would draw differently."""
    return any(field.name == "seed" for field in fields(method))


def _part(role: Role, model: Model, named: tuple[tuple[str, Method], ...], inputs: Inputs) -> Part:
    names, methods = zip(*named, strict=True)
    return Part(role, model, methods, names, inputs)


def _noise(
    study: DriftStudy,
    named: tuple[tuple[str, Method], ...],
    number: int,
    depends_on_background: Callable[[Method], bool],
) -> list[Part]:
    """The reference with other seeds, then also with another background: two sources of noise.

    The first alone shows how precise the values are; a method that depends on neither has no noise.
    """
    made = []
    seeded = tuple(pair for pair in named if has_seed(pair[1]))
    if seeded:
        made.append(_part("noise", study.reference, _reseeded(seeded, 1 + number), study.inputs))
    dependent = tuple(pair for pair in named if depends_on_background(pair[1]))
    if dependent:
        inputs = with_other_background(study.inputs, study.seed + 1 + number)
        made.append(_part("noise", study.reference, _reseeded(dependent, 1 + number), inputs))
    return made


def _able(
    role: Role,
    model: Model,
    named: tuple[tuple[str, Method], ...],
    inputs: Inputs,
    notes: list[str],
) -> list[Part]:
    """The part with the methods that can explain this model, or none; notes name the others."""
    reasons = {name: obstacle(method, model, inputs) for name, method in named}
    lacking = [reason for reason in reasons.values() if reason is not None]
    able = tuple(pair for pair in named if reasons[pair[0]] is None)
    if not able and role == "copy":
        notes.append(unexplained(model, lacking))
        return []
    notes += [f"Left out for {model.name!r}: {reason}" for reason in lacking]
    return [_part(role, model, able, inputs)] if able else []


def _reseeded(named: tuple[tuple[str, Method], ...], number: int) -> tuple[tuple[str, Method], ...]:
    return tuple((name, _with_other_seed(method, number)) for name, method in named)


def _with_other_seed(method: Any, number: int) -> Method:
    if not has_seed(method):
        return method  # type: ignore[no-any-return]
    return replace(method, seed=(method.seed + number * _STRIDE) % _SEEDS)  # type: ignore[no-any-return]
