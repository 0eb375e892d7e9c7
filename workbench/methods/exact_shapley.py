"""Shapley values by enumerating every coalition: the referee."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from workbench.coalitions.fills import Fill, fill_count, missing_for
from workbench.coalitions.game import Players, game
from workbench.coalitions.ledger import Ledger
from workbench.coalitions.samplers import all_subsets
from workbench.coalitions.solvers import shapley_of_all
from workbench.coalitions.superpixels import Segmentation, Superpixels
from workbench.core import (
    Doc,
    Evaluations,
    Inputs,
    Model,
    Progress,
    Range,
    Target,
    check_parameters,
)
from workbench.core.kinds import PLACED
from workbench.errors import InputError

MOST_PLAYERS = 16


@dataclass(frozen=True)
class ExactShapley:
    """Each player's Shapley value, exactly; every further player doubles the cost.

    All `2**p` coalitions of p players are asked. The value of a coalition is the model's mean score over
    the fills, with the features of absent players replaced: the interventional (marginal) game. Nothing is
    sampled, so there is no error.

    Source: Shapley (1953); Štrumbelj & Kononenko (2014) for models.
    """

    fill: Annotated[Fill, Doc("what replaces an absent feature")] = "auto"
    superpixels: Annotated[Segmentation, Doc("how an image becomes players", "image", "volume")] = (
        "grid"
    )
    segments: Annotated[
        int, Range(2, MOST_PLAYERS), Doc("about how many superpixels or segments", *PLACED)
    ] = 9

    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    any_kind: ClassVar[bool] = True
    source: ClassVar[str] = "Shapley 1953; Štrumbelj & Kononenko 2014"
    order: ClassVar[int] = 4
    referee: ClassVar[str] = "shap.coalitions"
    quick: ClassVar = {"segments": 4}

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        count = Players(Superpixels(self.superpixels, self.segments)).count(inputs)
        if count is not None and count > MOST_PLAYERS:
            return (
                f"asks every coalition of players, so it takes at most {MOST_PLAYERS} players; "
                f"{inputs.name!r} has {count}. Group columns, or use PermutationSHAP."
            )
        return missing_for(self.fill, inputs)

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Every coalition over every fill, the ends among them."""
        counts = Players(Superpixels(self.superpixels, self.segments)).counts(inputs)
        for p, row in zip(counts, inputs.ids, strict=True):
            _refuse_many(p, row, inputs)
        return Evaluations.exactly(fill_count(self.fill, inputs) * sum(2**p for p in counts))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of coalitions."""
        ledger = Ledger(model, inputs, targets)
        players = Players(Superpixels(self.superpixels, self.segments))
        for row in range(len(inputs)):
            one = game(model, inputs, row, self.fill, players)
            ledger.saw_fills(row, one)
            _refuse_many(one.p, inputs.ids[row], inputs)
            masks = all_subsets(one.p)
            for done, scores in one.play_averaged(masks):  # noqa: B007 - read after the loop
                if done < len(masks):
                    step = row * 1000 + 1000 * done // len(masks)
                    yield Progress(step, len(inputs) * 1000, ledger.estimate)
            values = ledger.explained(row, scores)
            credit = shapley_of_all(values, one.p)
            ledger.enter(row, one.players, one.names, (credit, None, values[0]))
            yield Progress((row + 1) * 1000, len(inputs) * 1000, ledger.estimate)


def _refuse_many(p: int, row: str, inputs: Inputs) -> None:
    if p <= MOST_PLAYERS:
        return
    if inputs.of_kind.windows:
        what, advice = (
            "superpixels" if inputs.of_kind.planar else "segments",
            "Ask for fewer segments.",
        )
    else:
        what, advice = "players", "Use KernelSHAP or PermutationSHAP, which sample coalitions."
    raise InputError(
        f"ExactShapley takes at most {MOST_PLAYERS} players, but row {row} has {p} {what}. {advice}"
    )
