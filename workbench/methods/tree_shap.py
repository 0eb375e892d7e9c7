"""TreeSHAP: exact Shapley values of sums of decision trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from workbench.coalitions.ledger import average
from workbench.core import (
    Doc,
    Estimate,
    Evaluations,
    Inputs,
    Model,
    Progress,
    Target,
    check_parameters,
    resolve_targets,
)
from workbench.errors import IncompatibleError, InputError
from workbench.trees.credit import TreeCredit


@dataclass(frozen=True)
class TreeSHAP:
    """Exact Shapley values of a tree model, in one of two games.

    - "interventional": absent features come from the background rows, as in every other method here;
    - "tree_path_dependent": absent features follow both branches in proportion to the training rows
      that did. It needs no background, and gives credit to features that only correlate with what is used.

    The two answer different questions and must not be mixed.

    Both are exact, whatever the number of background rows, for missing values and splits of categories
    too. The first call in a new installation takes some seconds: the engine is compiled, and kept.

    Source: Lundberg et al. (2020), which defines both games; computed leaf by leaf from patterns of
    conditions met, after Yang (2021) and Nadel & Wettenstein (2024).
    """

    feature_perturbation: Annotated[
        Literal["interventional", "tree_path_dependent"],
        Doc("where an absent feature's value comes from"),
    ] = "interventional"

    needs: ClassVar[tuple[str, ...]] = ("trees",)
    kinds: ClassVar = ("tabular",)
    additive: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Lundberg et al. 2020"
    order: ClassVar[int] = 0
    referee: ClassVar[str] = "shap.trees"
    sums_groups: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        if self.feature_perturbation == "tree_path_dependent" or inputs.background is not None:
            return None
        return (
            "needs background rows for feature_perturbation='interventional', but "
            f"{inputs.name!r} has none. Add them with Inputs(rows, background=training_rows), or choose "
            "feature_perturbation='tree_path_dependent'."
        )

    def evaluations(self, _inputs: Inputs, /) -> Evaluations:
        """Only the scores of the rows and of a background: the trees are read directly."""
        return Evaluations.exactly(0, background=self.feature_perturbation == "interventional")

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per chunk of rows."""
        if model.trees is None:
            raise IncompatibleError(f"TreeSHAP needs trees, but model {model.name!r} has none.")
        if reason := self.lacks(inputs):
            raise InputError(f"TreeSHAP {reason}")
        trees = model.trees()
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.full((len(targets), *inputs.values.shape), np.nan)
        base = np.full(output.shape, np.nan)
        background = inputs.background if self.feature_perturbation == "interventional" else None
        expected = trees.expected() if background is None else average(model.scores(background))

        def estimate() -> Estimate:
            players, names = inputs.players()
            grouped = len(names) < len(players)
            return Estimate(
                values=values.copy(),
                output=output,
                base=base.copy(),
                players=players if grouped else None,
                player_names=names if grouped else (),
                notes=_notes(grouped=grouped),
                finished=np.asarray(np.isfinite(base).all(axis=0)),
            )

        for done, part, credit in TreeCredit(trees, background).of(inputs.values, weights):
            values[:, part] = credit
            base[:, part] = weights[:, part] @ expected
            yield Progress(int(1000 * done), 1000, estimate)


def _notes(*, grouped: bool) -> tuple[str, ...]:
    if not grouped:
        return ()
    return ("The credit of a group is the sum of its columns' credit: columns played, not groups.",)
