"""A model, or an ensemble with its members, whose answers are counted while a method asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from workbench.core import Inputs, Meter, Method, Model, Progress, Target
from workbench.errors import IncompatibleError
from workbench.models.trial import trial_of
from workbench.models.turns import unmoving
from workbench.variants.together import Together


class Counted:
    """What a method asks in one cell of a study.

    Args:
        model: a model; an ensemble is asked through its members.
        inputs: the study's rows.
        known: scores already asked for, shared by all cells of a study.
        through: what every model that is asked goes through first, such as a clock.

    Attributes:
        meters: of each model that is asked: the members, or the model alone.
        first: the first of them, counted.
        together: the ensemble with its members, or None.
    """

    def __init__(
        self,
        model: Model,
        inputs: Inputs,
        known: dict[tuple[int, int], Any],
        through: Callable[[Model], Model] | None = None,
    ) -> None:
        asked = asked_models(model)
        self.meters = [Meter(inputs, known, one) for one in asked]
        counted = [
            meter.on(unmoving(one if through is None else through(one)))
            for meter, one in zip(self.meters, asked, strict=True)
        ]
        self.first = counted[0]
        self.together = Together(model, counted) if model.combination is not None else None
        # Whoever is asked is tried, once in its life; a copy was tried when it was made, if it could be.
        done = model.variant is not None and model.variant.batch_gap is not None
        self._trials = [] if done else [trial_of(one) for one in asked]

    def attribute(
        self, method: Method, inputs: Inputs, targets: Sequence[Target]
    ) -> Iterator[Progress]:
        """What the method yields; an ensemble's estimates hold its members' as parts."""
        if self.together is not None:
            yield from self.together.attribute(method, inputs, targets)
        else:
            given: Any = method.attribute(self.first, inputs, targets)
            if not isinstance(given, Iterable):
                raise IncompatibleError(
                    f"{type(method).__name__}.attribute must yield Progress, but gave {given!r}."
                )
            yield from given
        for trial in self._trials:
            trial(inputs)


def asked_models(model: Model) -> tuple[Model, ...]:
    """Whom a method asks about a model: an ensemble's members, or the model itself."""
    return (model,) if model.combination is None else model.combination.members
