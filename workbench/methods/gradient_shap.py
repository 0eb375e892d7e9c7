"""GradientSHAP: Integrated Gradients averaged over the background (expected gradients)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

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
from workbench.errors import InputError
from workbench.gradients.paths import line_gradients


@dataclass(frozen=True)
class GradientSHAP:
    """Integrated gradients averaged over the background rows, with standard errors.

    The mean of `(x - b) * dy/dx` at random points between background rows b and the row x. Background
    rows rotate, so that `budget` points use each of them equally often (to one point), and the places
    on the lines are stratified over [0, 1]. No noise is added to the rows. Standard errors are those of
    independent points, which is slightly too large.

    Source: Erion et al. (2021), eq. 3; Lundberg & Lee (2017).
    """

    budget: Annotated[int, Range(8, 1_048_576, log=True), Doc("gradients per explained row")] = 512
    seed: Annotated[int, Range(0, 2**31 - 1), Doc("which points are drawn")] = 0

    needs: ClassVar[tuple[str, ...]] = ("gradient",)
    kinds: ClassVar = ("tabular", "image")
    additive: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    source: ClassVar[str] = "Erion et al. 2021; Lundberg & Lee 2017"
    order: ClassVar[int] = 8

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        if inputs.background is not None:
            return None
        return (
            f"needs background rows where its lines begin, but {inputs.name!r} has none. Add them with "
            "inputs.with_background(rows), or use IntegratedGradients."
        )

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row's points."""
        return Evaluations.exactly(len(inputs) * self.budget, background=True)

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of points."""
        background = inputs.background
        if background is None:
            raise InputError(f"GradientSHAP {self.lacks(inputs)}")
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.full((len(targets), *inputs.values.shape), np.nan)
        error = np.full(values.shape, np.nan)
        empty = model.scores(background).mean(axis=0)
        base = np.einsum("tnk,k->tn", weights, empty)
        rng = np.random.default_rng(self.seed)
        rotations = -(-self.budget // len(background))
        which = np.concatenate([rng.permutation(len(background)) for _ in range(rotations)])
        which = which[: self.budget]
        # One place in each of `budget` equal strata of [0, 1], in random order.
        places = (rng.permutation(self.budget) + rng.random(self.budget)) / self.budget
        total = len(inputs) * self.budget

        def estimate() -> Estimate:
            return Estimate(values=values.copy(), output=output, base=base, error=error.copy())

        for row in range(len(inputs)):
            first = np.zeros((len(targets), *inputs.values.shape[1:]))
            second = np.zeros_like(first)
            points = line_gradients(
                model, inputs.values[row], background, which, places, weights[:, row]
            )
            for part, gradients in points:
                share = gradients * (inputs.values[row] - background[which[part]])
                first += share.sum(axis=1)
                second += (share**2).sum(axis=1)
                del gradients, share  # or two batches would be there at once
                done = part.stop
                values[:, row] = first / done
                variance = np.maximum(second / done - values[:, row] ** 2, 0.0)
                error[:, row] = np.sqrt(variance / max(done - 1, 1))
                yield Progress(row * self.budget + done, total, estimate)
