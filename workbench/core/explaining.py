"""`Explaining`: how a run gets a model's explanation, whether it is one model or made of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workbench.core.attribution import Attribution
from workbench.core.capabilities import Scale
from workbench.core.inputs import Inputs
from workbench.core.method import Estimate, Method, Progress
from workbench.core.model import Model
from workbench.core.target import Target
from workbench.errors import IncompatibleError


class Make(Protocol):
    """Makes the attributions of an estimate, one per target.

    `members` are the positions of the members whose answers went into it; `remembered` says whether a
    second opinion can ask the model again.
    """

    def __call__(
        self,
        estimate: Estimate,
        model: Model,
        scale: Scale,
        members: Sequence[int],
        *,
        remembered: bool,
    ) -> tuple[Attribution, ...]: ...


class Explaining(Protocol):
    """The explanation of a model under way.

    - `failures`: for each member that failed, by position, why it did. The other members' results are kept;
      the model's own result is not made.
    - `asks_for_scores_first(method, targets)`: whether the rows' scores are computed before the method
      begins.
    - `attribute(method, inputs, targets)`: what the method yields; an estimate has a part for every member
      that has not failed.
    - `check_answered()`: raises `MemberError` where no member could answer.
    - `divided(estimate, method, inputs, make)`: the results, one per target; where a member failed, raises
      `MemberError`, which holds the other members' results.
    """

    @property
    def failures(self) -> Mapping[int, str]: ...

    def asks_for_scores_first(self, method: Method, targets: Sequence[Target], /) -> bool: ...

    def attribute(
        self, method: Method, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]: ...

    def check_answered(self) -> None: ...

    def divided(
        self, estimate: Estimate, method: Method, inputs: Inputs, make: Make, /
    ) -> tuple[Attribution, ...]: ...


def asked_about(model: Model) -> tuple[Model, ...]:
    """The models that are called to explain a model: its members, or the model itself."""
    combination = model.combination
    return (model,) if combination is None or combination.begin is None else combination.members


def explaining(model: Model, counted: Sequence[Model]) -> Explaining:
    """The explanation of a model, computed by calling these models.

    Args:
        model: the model to explain.
        counted: `asked_about(model)`, perhaps counted.
    """
    combination = model.combination
    if combination is None or combination.begin is None:
        return Alone(model, counted[0])
    begun: Explaining = combination.begin(model, counted)
    return begun


@dataclass(frozen=True, eq=False)
class Alone:
    """The explanation of one model by itself.

    Args:
        model: whose results they are.
        counted: the same model, perhaps counted.
    """

    model: Model
    counted: Model

    @property
    def failures(self) -> Mapping[int, str]:
        """Always empty: a single model that fails raises its own error."""
        return {}

    def asks_for_scores_first(self, method: Method, targets: Sequence[Target], /) -> bool:  # noqa: ARG002
        """Always False: methods compute scores when they need them."""
        return False

    def attribute(
        self, method: Method, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """What the method yields.

        Raises:
            IncompatibleError: it yields nothing.
        """
        given: Any = method.attribute(self.counted, inputs, targets)
        if not isinstance(given, Iterable):
            raise IncompatibleError(
                f"{type(method).__name__}.attribute must yield Progress, but gave {given!r}."
            )
        yield from given

    def check_answered(self) -> None:
        """Nothing to check: a model that fails has raised its own error by then."""

    def divided(
        self,
        estimate: Estimate,
        method: Method,  # noqa: ARG002
        inputs: Inputs,  # noqa: ARG002
        make: Make,
        /,
    ) -> tuple[Attribution, ...]:
        """The whole estimate belongs to the one model."""
        return make(estimate, self.model, self.model.scale, (0,), remembered=True)
