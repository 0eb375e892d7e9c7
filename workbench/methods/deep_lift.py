"""DeepLIFT: the difference from a reference, handed back through the network layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import fill_rows, missing_for
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
from workbench.core.kinds import PLACED
from workbench.errors import IncompatibleError
from workbench.gradients.paths import no_line, no_slope
from workbench.gradients.slopes import SUMMED, groups_of

Start = Literal["mean", "zero", "blur", "baseline"]
"""The fills that a reference can be: one row, not many."""

_OFF = 1e-3
"""A gap above this share of the change that is explained is said: rounding leaves a thousandth of it."""


@dataclass(frozen=True)
class DeepLIFT:
    """What each feature contributes to the score's difference from that of a reference row.

    Each layer's difference in output is shared among its inputs in proportion to their own differences: for
    an activation function, its multiplier is the change of its output over the change of its input (the
    rescale rule). Values sum to `y(x) - y(reference)`. captum computes them, on a copy of the module.

    captum sees layers that are modules (`nn.ReLU`), each used once, and has a rule for ReLU, LeakyReLU,
    ELU, Sigmoid, Tanh, Softplus and pools whose windows do not overlap. A function in `forward` (`F.relu`),
    a softmax or any other layer is passed with its plain slope, and then the values do not sum up: `gap`
    and a note say so. The model's gradient is checked first.

    Source: Shrikumar, Greenside & Kundaje (2017), sections 3.1 to 3.5.1.
    """

    fill: Annotated[Start, Doc("the reference that the row is held against")] = "mean"

    needs: ClassVar[tuple[str, ...]] = ("gradient",)
    kinds: ClassVar = ("tabular", *PLACED)
    additive: ClassVar[bool] = True
    source: ClassVar[str] = "Shrikumar, Greenside & Kundaje 2017"
    order: ClassVar[int] = 8
    unrefereed: ClassVar[str] = "the values are captum's own; IntegratedGradients can be checked"
    sums_groups: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        reason = missing_for(self.fill, inputs, get_args(Start))
        if reason is not None or not inputs.of_kind.columns or not len(inputs):
            return reason
        return no_slope(inputs) or no_line(inputs, fill_rows(self.fill, inputs, 0))

    def unfit(self, model: Model, _inputs: Inputs) -> str | None:
        """Why this recipe cannot explain this model."""
        if model.deep_lift is not None:
            return None
        return (
            f"goes through a torch module layer by layer, which model {model.name!r} does not offer. "
            "Use IntegratedGradients."
        )

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """Each row, its reference, and the check of the gradient at the first row."""
        return Evaluations.exactly(2 * len(inputs) + min(1, len(inputs)))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of rows."""
        if model.deep_lift is None or model.gradient is None:
            raise IncompatibleError(f"DeepLIFT {self.unfit(model, inputs)}")
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.full((len(targets), *inputs.values.shape), np.nan)
        base = np.full(output.shape, np.nan)
        grouped, players, names = groups_of(inputs)
        if len(inputs):
            model.gradient(inputs.values[:1], weights[:, :1])  # refuses one that is no slope

        def estimate() -> Estimate:
            return Estimate(
                values=values.copy(),
                output=output,
                base=base.copy(),
                players=players,
                player_names=names,
                notes=(*((SUMMED,) if grouped else ()), *_gaps(values, output - base)),
            )

        for start in range(0, len(inputs), model.batch):
            part = slice(start, min(start + model.batch, len(inputs)))
            rows = range(part.start, part.stop)
            fills = np.concatenate([fill_rows(self.fill, inputs, row) for row in rows])
            start_of = np.einsum("tnk,nk->tn", weights[:, part], model.scores(fills))
            _, found = model.deep_lift(inputs.values[part], fills, weights[:, part])
            values[:, part], base[:, part] = found, start_of
            yield Progress(part.stop, len(inputs), estimate)


def _gaps(values: NDArray[np.float64], change: NDArray[np.float64]) -> tuple[str, ...]:
    """What must be said where values do not sum to the change that they explain."""
    left = np.abs(change - values.reshape(*change.shape, -1).sum(axis=2))
    size = np.abs(values.reshape(*change.shape, -1)).sum(axis=2)
    off = left > _OFF * np.maximum(np.abs(change), size)
    if not off.any():
        return ()
    rows = int(off.any(axis=0).sum())
    return (
        f"The values of {rows} rows do not sum to the output less the base: the model has steps that the "
        "rescale rule does not reach. They are no layers of their own (such as F.relu in forward), layers "
        "without a rule (such as a softmax or GELU), or pools whose windows overlap. Use "
        "IntegratedGradients; of a probability, explain the logit.",
    )
