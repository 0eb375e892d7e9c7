"""SmoothGrad: a gradient method's values, averaged over copies of the row with noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from workbench.core import (
    Doc,
    Evaluations,
    Inputs,
    Model,
    Progress,
    Range,
    Target,
    check_parameters,
    resolve_targets,
)
from workbench.gradients.noise import (
    Averaged,
    noise_size,
    noisy_copies,
    recipe_in_words,
    recipe_named,
)
from workbench.gradients.paths import no_slope


@dataclass(frozen=True)
class SmoothGrad:
    """The mean of a gradient method's values over copies of the row with noise, with standard errors.

    Gradients of networks change fast from one point to the next; their mean over close points shows what
    they have in common. captum calls it NoiseTunnel. `around` is the method that is averaged, with its
    parameters: `SmoothGrad("IntegratedGradients(steps=20)")` or
    `SmoothGrad(IntegratedGradients(steps=20))`.

    - "smoothgrad": the mean of the values;
    - "smoothgrad_sq": the mean of their squares;
    - "vargrad": their variance over the copies.

    The noise is Gaussian and independent in every feature; its standard deviation is `noise` times an
    image's range from its smallest to its largest value, or a column's standard deviation in the
    background. Columns of categories get none. The output that is explained is the row's own, not that of
    a copy.

    Source: Smilkov et al. (2017); squares: Hooker et al. (2019); variance: Adebayo et al. (2018).
    """

    around: Annotated[str, Doc("the gradient method, such as IntegratedGradients(steps=20)")] = (
        "Saliency()"
    )
    average: Annotated[
        Literal["smoothgrad", "smoothgrad_sq", "vargrad"], Doc("mean, mean square or variance")
    ] = "smoothgrad"
    samples: Annotated[int, Range(2, 4096, log=True), Doc("copies with noise")] = 50
    noise: Annotated[float, Range(0.0, 10.0), Doc("as a share of the range or deviation")] = 0.15
    seed: Annotated[int, Range(0, 2**31 - 1), Doc("which noise is drawn")] = 0

    additive: ClassVar[bool] = False
    source: ClassVar[str] = "Smilkov et al. 2017"
    order: ClassVar[int] = 11
    referee: ClassVar[str] = "captum.noise_tunnel"
    quick: ClassVar = {"samples": 8}

    def __post_init__(self) -> None:
        object.__setattr__(self, "around", recipe_in_words(self.around))
        check_parameters(self)
        self.inner  # noqa: B018 - refuses what is no gradient method

    @property
    def inner(self) -> Any:
        """The method that is averaged."""
        from workbench.methods import catalog

        return recipe_named(self.around, catalog())

    @property
    def needs(self) -> tuple[str, ...]:
        """What the method that is averaged needs."""
        return tuple(self.inner.needs)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of rows that the method that is averaged understands."""
        return tuple(self.inner.kinds)

    @property
    def linear(self) -> bool:
        """A mean of values adds up over models where the values do; squares and variances do not."""
        return self.average == "smoothgrad" and bool(getattr(self.inner, "linear", False))

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        if inputs.of_kind.columns and inputs.background is None:
            return (
                f"needs background rows, which say how far each column varies, but {inputs.name!r} has "
                "none. Add them with Inputs(rows, background=training_rows)."
            )
        if reason := no_slope(inputs):
            return reason
        reason = self.inner.lacks(inputs) if hasattr(self.inner, "lacks") else None
        return None if reason is None else f"around {type(self.inner).__name__} {reason}"

    def unfit(self, model: Model, inputs: Inputs) -> str | None:
        """Why this recipe cannot explain this model."""
        reason = self.inner.unfit(model, inputs) if hasattr(self.inner, "unfit") else None
        return None if reason is None else f"around {type(self.inner).__name__} {reason}"

    def absence(self, inputs: Inputs) -> str | None:
        """Where an absent feature's value comes from, as the method that is averaged has it."""
        told = getattr(self.inner, "absence", None)
        return told(inputs) if told is not None else None

    def evaluations(self, inputs: Inputs, /) -> Evaluations:
        """What the method asks for at one row, for every copy of each row."""
        asked = self.inner.evaluations(inputs)
        own = len(inputs) if asked.rows else 0  # a method that scores its rows scores each copy
        return Evaluations(self.samples * (asked.fewest + own), self.samples * (asked.most + own))

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per batch of copies."""
        scores, weights = resolve_targets(model, inputs, targets)
        inner, total = self.inner, len(inputs) * self.samples
        found = Averaged(self.average, inputs, np.einsum("tnk,nk->tn", weights, scores))
        at_once = max(1, min(model.batch, self.samples))
        for row in range(len(inputs)):
            size = noise_size(inputs, row, self.noise)
            rng = np.random.default_rng(self.seed)  # the same for every row and model
            for start in range(0, self.samples, at_once):
                count = min(at_once, self.samples - start)
                copies, about = noisy_copies(inputs, row, size, rng, count, weights[:, row])
                *_, last = inner.attribute(model, copies, about)
                found.add(row, last.estimate())
                done = row * self.samples + start + count
                yield Progress(done, total, partial(found.estimate, row, start + count))
