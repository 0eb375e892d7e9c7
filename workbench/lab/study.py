"""`DriftStudy`: a model, candidates to replace it, and how their reasons are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from workbench.compare.drift import ALLOWANCE, check_allowance, checked_margins
from workbench.core import Inputs, Method, Model, Target, check_method, clean
from workbench.errors import IncompatibleError, InputError
from workbench.study.fit import mismatch


@dataclass(frozen=True, eq=False)
class DriftStudy:
    """What to compute: a reference and its candidates, explained on the same rows by the same recipes.

    The explained output is the reference's own prediction of each row, for every model, unless `target`
    names another. All models are explained with the same seeds and backgrounds, so that an identical copy
    has no drift at all.

    Args:
        reference: the model that the candidates are compared with.
        candidates: at least one model to replace the reference: compressed, retrained or rewritten, with
            the same outputs and scale.
        inputs: the rows. With fewer than 20 there is no verdict for rows like these; "preserved" takes 59.
        methods: at least one.
        target: what to explain; None is the reference's own prediction, row by row.
        siblings: models trained like the reference from other seeds; they show how far retraining moves
            reasons.
        margins: drift up to which reasons count as preserved, by metric; replaces the metrics' own.
        random_weights: whether the reference is also explained with random weights: the far reference line.
        noise_seeds: how often the reference is explained with other seeds and backgrounds: the near line.
        paired: whether models share seeds. If not, every model has its own seeds, and drift is compared
            with the explainer's noise; useful only as a control.
        faithfulness: whether to measure how much sooner each model's score falls and rises in its
            explanation's order than in a random one. Costs some 150 model rows per row and method, times
            the background's rows for tables.
        allowance: the share of rows like these that may lie beyond the limit of a single row while their
            reasons count as preserved, above 0 and below 1. 0.05 takes at least 59 different rows.
        seed: for the study's own random numbers: random weights, other backgrounds, the bootstrap.
    """

    reference: Model
    candidates: tuple[Model, ...]
    inputs: Inputs
    methods: tuple[Method, ...]
    target: Target | None = None
    siblings: tuple[Model, ...] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    random_weights: bool = True
    noise_seeds: int = 1
    paired: bool = True
    faithfulness: bool = False
    allowance: float = ALLOWANCE
    seed: int = 0

    def __repr__(self) -> str:
        names = [clean(one.name, limit=40) for one in self.candidates]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        recipes = ", ".join(type(one).__name__ for one in self.methods)
        against = f"{self.reference.name!r} against {names[:3]}{more}"
        return f"DriftStudy({against}, by {recipes}, {self.inputs!r})"

    def __post_init__(self) -> None:
        keep = object.__setattr__
        for name, what in (("candidates", Model), ("methods", Method), ("siblings", Model)):
            keep(self, name, one_or_more(getattr(self, name), what))
        for name in ("candidates", "methods"):
            if not getattr(self, name):
                raise InputError(f"A drift study needs at least one of its {name}; none was given.")
        _check_kinds((self.reference, *self.candidates, *self.siblings), self.methods)
        check_rows(self.inputs)
        if self.target is not None and not isinstance(self.target, Target):
            raise InputError(
                f"A drift study explains a Target, not {self.target!r}. Write Target({self.target!r}), or "
                "leave it out for the reference's own predictions."
            )
        _check_whole(
            "noise_seeds", self.noise_seeds, "Take 1 for one repetition, 0 for no line of noise."
        )
        _check_whole("seed", self.seed, "Any will do; the same gives the same numbers.")
        if not self.paired and not self.noise_seeds:
            raise InputError(
                "Models that share no seeds are held against the reference's own noise, but noise_seeds is "
                "0. Take 1 or more, or leave paired as it is."
            )
        names = [model.name for model in (self.reference, *self.candidates, *self.siblings)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(
                f"Models of a drift study need different names, but {twice} occur more than once. Give "
                "one another name with model.renamed(...)."
            )
        for other in (*self.candidates, *self.siblings):
            _check_like(self.reference, other)
        filled = self.inputs.of_kind.default_fill == "background"
        if self.faithfulness and filled and self.inputs.background is None:
            raise InputError(
                f"faithfulness puts background rows in the place of features, but {self.inputs.name!r} has "
                "none. Add them with Inputs(rows, background=training_rows), or leave faithfulness out."
            )
        for model in (self.reference, *self.candidates, *self.siblings):
            if reason := mismatch(model, self.inputs):
                raise InputError(reason)
        keep(self, "margins", MappingProxyType(checked_margins(self.margins)))
        check_allowance(self.allowance)

    def fixed_target(self, scores: NDArray[Any]) -> Target:
        """The one output explained per row, for every model, from the reference's scores `(n, k)`.

        >>> from workbench.methods import Occlusion
        >>> model = Model("net", lambda rows: rows, ("cat", "dog"), "logit")
        >>> rows = Inputs([[1.0, 2.0], [5.0, 4.0]], kind="tabular")
        >>> study = DriftStudy(model, (model.renamed("copy"),), rows, (Occlusion(),))
        >>> study.fixed_target(model.scores(rows.values))
        Target(index=(1, 0), against=None)
        """
        target = Target.predicted() if self.target is None else self.target
        target.check_rows(len(self.inputs))
        if target.index is not None:
            return target
        own = Target(None).weights(self.reference, scores)
        return Target.at(own.argmax(axis=1), self.reference.outputs, target.against)


def one_or_more(given: Any, what: type) -> tuple[Any, ...]:
    """One thing or several, as a tuple; anything else is left for a check that can name it.

    >>> one_or_more([1, 2], int), one_or_more(1, int), one_or_more(None, int)
    ((1, 2), (1,), (None,))
    """
    several = isinstance(given, Iterable) and not isinstance(given, what | str)
    return tuple(given) if several else (given,)


def check_models(models: Sequence[Any]) -> None:
    """Refuse anything that is not a `Model`.

    Raises:
        InputError: one of them is not.
    """
    for model in models:
        if not isinstance(model, Model):
            raise InputError(
                f"A drift study needs Models, but was given a {type(model).__name__}. Wrap it with "
                "workbench.wrap(...)."
            )


def check_rows(inputs: Any) -> None:
    """Refuse anything that is not `Inputs`, or has no rows.

    Raises:
        InputError: it is not, or has none.
    """
    if not isinstance(inputs, Inputs):
        raise InputError(
            f"A drift study needs Inputs, but was given a {type(inputs).__name__}. Make them of an array "
            'with Inputs(array, kind="tabular"), or of a frame with data.table(frame).'
        )
    if not len(inputs):
        raise InputError("A drift study needs rows to explain, but the selection is empty.")


def method_names(methods: Sequence[Any]) -> tuple[str, ...]:
    """The methods' class names, numbered where a class occurs more than once.

    >>> method_names([3, "a", 4])
    ('int 1', 'str', 'int 2')
    """
    kinds = [type(method).__name__ for method in methods]
    seen: dict[str, int] = {}
    names = []
    for kind in kinds:
        seen[kind] = seen.get(kind, 0) + 1
        names.append(f"{kind} {seen[kind]}" if kinds.count(kind) > 1 else kind)
    return tuple(names)


def _check_kinds(models: Sequence[Any], methods: Sequence[Any]) -> None:
    check_models(models)
    for method in methods:
        check_method(method)
        if not is_dataclass(method):
            raise InputError(
                f"A drift study repeats methods with other seeds, so a {type(method).__name__} must be a "
                "dataclass whose fields are its parameters. Write @dataclass(frozen=True) before its class."
            )


def _check_like(reference: Model, other: Model) -> None:
    if other.outputs != reference.outputs:
        raise IncompatibleError(
            f"Copies need the outputs of {reference.name!r} in its order, {_some(reference.outputs)}, but "
            f"{other.name!r} has {_some(other.outputs)}. Wrap it with outputs=[...], or compare models "
            "of the same task."
        )
    if (other.scale, other.unit) != (reference.scale, reference.unit):
        raise IncompatibleError(
            f"Reasons in different units cannot be compared: {reference.name!r} is in "
            f"{_unit(reference)}, {other.name!r} in {_unit(other)}. Wrap both with the same scale=."
        )


def _unit(model: Model) -> str:
    return f"{model.scale} ({model.unit})" if model.unit else model.scale


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(repr(clean(name, limit=40)) for name in names[:6])
    return f"[{listed}{', …' if len(names) > 6 else ''}]"


def _check_whole(name: str, number: Any, advice: str) -> None:
    if type(number) is not int or number < 0:
        raise InputError(f"{name} must be a whole number from 0, not {number!r}. {advice}")
