"""`Method`: a recipe for an explanation, and the estimates that it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from workbench.core.inputs import Inputs, Kind
from workbench.core.model import Model
from workbench.core.target import Target
from workbench.errors import InputError


@dataclass(frozen=True, eq=False)
class Estimate:
    """Attributions for t targets at once, as a method computes them.

    Rows not yet begun hold NaN in `values`. Where credit went to players (superpixels, groups), it
    is spread evenly over their members in `values`, and `players` says who owned what.

    Args:
        values: `(t, n, *f)`; for images `(t, n, h, w)` or `(t, n, h, w, c)`.
        output: the explained number `(t, n)`.
        base: what the values are counted from `(t, n)`; NaN where the method has no such number.
        error: standard errors shaped like `values`, or None when nothing was sampled.
        freedom: the degrees of freedom of the standard errors `(t, n)`, or None where they are unknown;
            infinite where the errors are known exactly.
        draws: how many samples each row took `(n,)`; with the same seed, the first ones are the same. None
            where the recipe fixes the number.
        players: each feature's player, `(f,)` for tables or `(n, h, w)` for images; -1 for none.
        player_names: the players' names, where they have any.
        notes: sentences that belong beside the result, such as what was assumed.
        scores: the rows' scores `(n, k)`, where the method computed them; else they are computed later.
        parts: the estimates of an ensemble's members, one each; () for a single model.
        finished: the rows `(n,)` whose numbers will not change any more, so that they can be kept when the
            work stops; None where the method does not tell, and then none counts before the end.
    """

    values: NDArray[Any]
    output: NDArray[Any]
    base: NDArray[Any]
    error: NDArray[Any] | None = None
    players: NDArray[np.intp] | None = None
    player_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    scores: NDArray[Any] | None = None
    parts: tuple[Estimate, ...] = ()
    freedom: NDArray[Any] | None = None
    draws: NDArray[np.intp] | None = None
    finished: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Progress:
    """A sign of life: `done` of `total` steps, and a function that gives the best estimate so far.

    `estimate` is a function because estimates cost time; call it before the method is advanced.
    """

    done: int
    total: int
    estimate: Callable[[], Estimate]


@dataclass(frozen=True)
class Evaluations:
    """How many model rows a recipe will ask for, known in advance, as `workbench.run` counts them.

    >>> Evaluations.exactly(300)
    Evaluations(fewest=300, most=300, rows=True, background=False)

    Args:
        fewest: at least so many, besides the scores named below.
        most: at most so many; more than `fewest` where a tolerance may stop the recipe early.
        rows: whether the recipe also needs the scores of the explained rows. They are computed once per
            model, whatever the number of methods.
        background: likewise for the scores of the background rows.
    """

    fewest: int
    most: int
    rows: bool = True
    background: bool = False

    @classmethod
    def exactly(cls, count: int, *, rows: bool = True, background: bool = False) -> Evaluations:
        """A number that is fixed in advance."""
        return cls(count, count, rows, background)


@runtime_checkable
class Method(Protocol):
    """A frozen dataclass whose fields are its parameters, with these class variables.

    An object of your own that has them works in `workbench.explain` without registration.

    - `needs`: capabilities of the model beyond `predict`;
    - `kinds`: the kinds of rows it understands;
    - `additive`: whether values and base sum to the output (then `gap` must be near zero);
    - `source`: the paper.

    It may also have:

    - `lacks(inputs) -> str | None`: what these rows lack for this recipe, as the rest of a sentence that
      begins with the method's name; `unfit(model, inputs) -> str | None`: likewise for a model;
    - `evaluations(inputs) -> Evaluations`: how many model rows it will ask for, found without calling the
      model; without it a plan says "unknown";
    - `foretold(model, inputs, targets, most) -> Evaluations | None`: how many it will probably ask for
      where a tolerance may stop it early, from a pilot of at most `most` model rows; or None;
    - `any_kind`: True where it needs nothing but players and fills, so that it explains rows of any kind
      that has them; `kinds` then names the kinds it was made for;
    - `linear`: True where the explanation of a weighted sum of models is the weighted sum of theirs, so
      that an ensemble's can be composed of its members';
    - `signed(model, inputs, targets)`: like `attribute`, before a last step that is not linear (a maximum
      with zero), where the maps still add up;
    - `absence(inputs) -> str | None`: where an absent feature's value comes from, in words, if its
      parameter `fill` does not say so; else None;
    - `quick`: {parameter: value} of a recipe that is fast and still correct on a few rows, for a first look
      or a test; parameters left out have their default;
    - `sums_groups`: True where single columns are the players and a group's credit is their sum.

    The class itself says which library can give a second opinion, by one of

    - `referee`: a library's computation, such as "shap.permutations" or "captum.ablation";
    - `referees(attribution, model)`: the `Referee`s to ask, one after the other until one agrees; it may
      raise `NoReferee` with a sentence;
    - `unrefereed`: why no library can be asked, as a phrase.
    """

    needs: ClassVar[tuple[str, ...]]
    kinds: ClassVar[tuple[Kind, ...]]
    additive: ClassVar[bool]
    source: ClassVar[str]

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress at least once per batch of model calls; the last estimate is the answer."""
        ...


def check_method(method: Any) -> None:
    """Refuses an object that is not a `Method`, before anything uses a part it lacks.

    Raises:
        InputError: it is a class or something else, or a recipe of your own that lacks a part; says which.
    """
    wanted = ("attribute", "needs", "kinds", "additive")
    lacking = [name for name in wanted if not hasattr(method, name)]
    if isinstance(method, type) or lacking == list(wanted):
        raise InputError(
            f"A method is a recipe with its parameters, such as methods.GradCAM(), not {method!r}. "
            "Call the class."
        )
    name = type(method).__name__
    if not lacking and not callable(method.attribute):
        lacking = ["attribute"]
    if lacking:
        raise InputError(
            f"A method needs attribute(model, inputs, targets) and the facts needs, kinds and additive, "
            f"but {name} has no {lacking}. workbench.core.Method says what each of them means."
        )
    for fact in ("needs", "kinds"):
        held = getattr(method, fact)
        if not isinstance(held, tuple | list) or not all(isinstance(one, str) for one in held):
            raise InputError(
                f"{name}.{fact} must be a tuple of words, such as "
                f"{('gradient',) if fact == 'needs' else ('tabular',)}, not {held!r}."
            )


def resolve_targets(
    model: Model, inputs: Inputs, targets: Sequence[Target]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rows' scores `(n, k)` and every target's weights `(t, n, k)` over them."""
    scores = model.scores(inputs.values)
    return scores, np.stack([target.weights(model, scores) for target in targets])
