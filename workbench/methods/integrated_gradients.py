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
from workbench.gradients.paths import line_gradients

Start = Literal["mean", "zero", "blur"]
"""The fills that a line can begin at: one row, not many."""


@dataclass(frozen=True)
class IntegratedGradients:
    """The mean gradient on the line from a fill to the row, times the distance between them.

    `(x - x') * integral over a in [0, 1] of dy/dx at x' + a (x - x')`. The integral is Gauss-Legendre
    quadrature with `steps` nodes, all targets from one pass. Values sum to `y(x) - y(x')` as far as the
    quadrature is exact: `gap` says how far.

    Source: Sundararajan, Taly & Yan (2017), eq. 1.
    """

    steps: Annotated[
        int, Range(2, 512), Doc("points on the line; raise it when the gap is large")
    ] = 50
    fill: Annotated[Start, Doc("where the line begins")] = "mean"

    needs: ClassVar[tuple[str, ...]] = ("gradient",)
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Sundararajan, Taly & Yan 2017"
    order: ClassVar[int] = 7
    referee: ClassVar[str] = "captum.integrated_gradients"
    quick: ClassVar = {"steps": 32}

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        return missing_for(self.fill, inputs, get_args(Start))

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row's points, and where its line begins."""
        return Evaluations.exactly(len(inputs) * (self.steps + 1))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of points."""
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.full((len(targets), *inputs.values.shape), np.nan)
        base = np.full(output.shape, np.nan)
        nodes, shares = np.polynomial.legendre.leggauss(self.steps)
        places, shares = (nodes + 1) / 2, shares / 2
        alone = np.zeros(self.steps, dtype=np.intp)  # every line begins at the one fill
        total = len(inputs) * self.steps

        def estimate() -> Estimate:
            finished = np.asarray(np.isfinite(base).all(axis=0))
            return Estimate(values.copy(), output, base.copy(), finished=finished)

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
            values[:, row] = mean * (inputs.values[row] - start[0])
            base[:, row] = weights[:, row] @ model.scores(start)[0]
            yield Progress((row + 1) * self.steps, total, estimate)
