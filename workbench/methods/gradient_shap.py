"""GradientSHAP: Integrated Gradients averaged over the background (expected gradients)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np

from workbench.coalitions.points import APART, Points
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
from workbench.errors import InputError
from workbench.gradients.paths import distance, line_gradients, no_line

_SHORT = (
    "The budget is too small to tell background rows from chance, so the standard errors still hold the "
    "variance between background rows and are too large. A budget of {} gives honest ones."
)


@dataclass(frozen=True)
class GradientSHAP:
    """Integrated gradients averaged over the background rows, with standard errors.

    The mean of `(x - b) * dy/dx` at random points between background rows b and the row x. Background
    rows rotate, so that `budget` points use each of them equally often (to one point), and the places
    on the lines are stratified over [0, 1]. No noise is added to the rows. Standard errors are those of
    what this leaves to chance: the variance of points around their background row's mean and the trend
    along the lines. With fewer than 25 points more than background rows they are those of independent
    points, which is too large; the result says so. Over a single background row they are always too large.

    Source: Erion et al. (2021), eq. 3; Lundberg & Lee (2017).
    """

    budget: Annotated[int, Range(8, 1_048_576, log=True), Doc("gradients per explained row")] = 512
    seed: Annotated[int, Range(0, 2**31 - 1), Doc("which points are drawn")] = 0

    needs: ClassVar[tuple[str, ...]] = ("gradient",)
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Erion et al. 2021; Lundberg & Lee 2017"
    order: ClassVar[int] = 8
    referee: ClassVar[str] = "captum.gradient_shap"
    quick: ClassVar = {"budget": 40}

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        if inputs.background is not None:
            return no_line(inputs, inputs.background)
        return (
            f"needs background rows where its lines begin, but {inputs.name!r} has none. Add them with "
            "Inputs(rows, background=training_rows), or use IntegratedGradients."
        )

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row's points."""
        return Evaluations.exactly(len(inputs) * self.budget, background=True)

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of points."""
        background = inputs.background
        if background is None or self.lacks(inputs):
            raise InputError(f"GradientSHAP {self.lacks(inputs)}")
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.full((len(targets), *inputs.values.shape), np.nan)
        error = np.full(values.shape, np.nan)
        freedom = np.full(output.shape, np.inf)
        empty = model.scores(background).mean(axis=0)
        base = np.einsum("tnk,k->tn", weights, empty)
        rng = np.random.default_rng(self.seed)
        rotations = -(-self.budget // len(background))
        which = np.concatenate([rng.permutation(len(background)) for _ in range(rotations)])
        which = which[: self.budget]
        # One place in each of `budget` equal strata of [0, 1], in random order.
        places = (rng.permutation(self.budget) + rng.random(self.budget)) / self.budget
        total = len(inputs) * self.budget
        notes = _notes(self.budget, len(background))

        def estimate(row: int, points: Points, done: int) -> Estimate:
            spread = points.spread
            values[:, row], error[:, row] = points.mean, spread.error
            freedom[:, row] = spread.freedom
            return Estimate(
                values=values.copy(),
                output=output,
                base=base,
                error=error.copy(),
                freedom=freedom.copy(),
                notes=notes,
                finished=np.arange(len(inputs)) < done // self.budget,
            )

        for row in range(len(inputs)):
            points = Points(
                which, places, len(background), (len(targets), *inputs.values.shape[1:])
            )
            lines = line_gradients(
                model, inputs.values[row], background, which, places, weights[:, row]
            )
            for part, gradients in lines:
                far = distance(inputs.values[row], background[which[part]])
                share = np.where(np.isnan(inputs.values[row]), 0.0, gradients * far)
                points.add(part, share)
                del gradients, share  # or two batches would be in memory at once
                done = row * self.budget + part.stop
                yield Progress(done, total, partial(estimate, row, points, done))
            estimate(row, points, done)


def _notes(budget: int, rows: int) -> tuple[str, ...]:
    """What makes the errors too large; of far more rows than points, what they differ by is chance too."""
    enough = rows + 1 + APART
    return (_SHORT.format(enough),) if 1 < rows <= 2 * budget and budget < enough else ()
