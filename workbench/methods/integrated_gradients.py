"""Integrated Gradients: the gradient's mean along the line from a fill to the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

import numpy as np

from workbench.coalitions.fills import fill_rows, missing_for
from workbench.core import (
    Doc,
    Estimate,
    Evaluations,
    Inputs,
    Model,
    Progress,
    Range,
    Target,
    check_parameters,
    resolve_targets,
)
from workbench.core.kinds import PLACED
from workbench.gradients.paths import distance, line_gradients, no_line
from workbench.gradients.slopes import COLUMNS, SUMMED, groups_of

Start = Literal["mean", "zero", "blur", "baseline"]
"""The fills that a line can begin at: one row, not many."""


@dataclass(frozen=True)
class IntegratedGradients:
    """The mean gradient on the line from a fill to the row, times the distance between them.

    `(x - x') * integral over a in [0, 1] of dy/dx at x' + a (x - x')`. The integral is Gauss-Legendre
    quadrature with `steps` nodes, all targets from one pass. Values sum to `y(x) - y(x')` as far as the
    quadrature is exact: `gap` says how far. With `multiply_by_inputs=False` the distance is left out: the
    mean slope itself, in score per unit of the feature, which sums to nothing.

    The columns of a group move along the line together, so the group's value is the sum of its columns'.

    Source: Sundararajan, Taly & Yan (2017), eq. 1.
    """

    steps: Annotated[
        int, Range(2, 512), Doc("points on the line; raise it when the gap is large")
    ] = 50
    fill: Annotated[Start, Doc("where the line begins")] = "mean"
    multiply_by_inputs: Annotated[
        bool, Doc("times the distance from the fill; without it, the mean slope")
    ] = True

    needs: ClassVar[tuple[str, ...]] = ("gradient",)
    kinds: ClassVar = ("tabular", *PLACED)
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Sundararajan, Taly & Yan 2017"
    order: ClassVar[int] = 7
    referee: ClassVar[str] = "captum.integrated_gradients"
    quick: ClassVar = {"steps": 32}
    sums_groups: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_parameters(self)

    @property
    def additive(self) -> bool:
        """Values sum to what the output is above the base; mean slopes do not."""
        return self.multiply_by_inputs

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        reason = missing_for(self.fill, inputs, get_args(Start))
        if reason is not None or not inputs.of_kind.columns or not len(inputs):
            return reason
        return no_line(inputs, fill_rows(self.fill, inputs, 0))

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row's points, and where its line begins if its score is the base."""
        return Evaluations.exactly(len(inputs) * (self.steps + self.multiply_by_inputs))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of points."""
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.full((len(targets), *inputs.values.shape), np.nan)
        base = np.full(output.shape, np.nan)
        finished = np.zeros(len(inputs), dtype=np.bool_)
        nodes, shares = np.polynomial.legendre.leggauss(self.steps)
        places, shares = (nodes + 1) / 2, shares / 2
        alone = np.zeros(self.steps, dtype=np.intp)  # every line begins at the one fill
        total = len(inputs) * self.steps

        grouped, players, names = groups_of(inputs)
        owned = grouped and self.multiply_by_inputs
        note = SUMMED if owned else COLUMNS

        def estimate() -> Estimate:
            return Estimate(
                values=values.copy(),
                output=output,
                base=base.copy(),
                players=players if owned else None,
                player_names=names if owned else (),
                notes=(note,) if grouped else (),
                finished=finished.copy(),
            )

        for row in range(len(inputs)):
            start = fill_rows(self.fill, inputs, row)
            mean = np.zeros((len(targets), *inputs.values.shape[1:]))
            points = line_gradients(
                model, inputs.values[row], start, alone, places, weights[:, row]
            )
            for part, gradients in points:
                mean += np.einsum("s,ts...->t...", shares[part], gradients)
                del gradients  # or two batches would be in memory at once
                if part.stop < self.steps:
                    yield Progress(row * self.steps + part.stop, total, estimate)
            far = distance(inputs.values[row], start)[0]
            # Where the row and the fill are both missing, the line stands still: there is no slope.
            standing = np.isnan(inputs.values[row])
            values[:, row] = np.where(
                standing, 0.0, mean * far if self.multiply_by_inputs else mean
            )
            if self.multiply_by_inputs:
                base[:, row] = weights[:, row] @ model.scores(start)[0]
            finished[row] = True
            yield Progress((row + 1) * self.steps, total, estimate)
