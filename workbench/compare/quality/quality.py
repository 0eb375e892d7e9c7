"""Whether a copy's explanations are better or worse than its reference's, paired by row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.coalitions.fills import Fill
from workbench.compare.drift import FEWEST_ROWS, Quality, intervals
from workbench.compare.quality.faithfulness import faithfulness
from workbench.compare.quality.pointing import mass_in_mask, pointing_game
from workbench.core import Attribution, Model
from workbench.errors import InputError

Array = NDArray[np.float64]


def ratings(
    attribution: Attribution,
    model: Model | None = None,
    *,
    steps: int = 16,
    controls: int = 4,
    fill: Fill = "auto",
    seed: int = 0,
) -> dict[str, Array]:
    """Measures of an explanation's quality, row by row; higher is better for every measure.

    Images with `truth`: "pointing game" (1 for a hit) and "mass in mask". With a model: "deletion gain" and
    "insertion gain", which ask it again (`evaluations_of_faithfulness` says how often).

    Args:
        attribution: the explanation.
        model: the model that was explained; None leaves the gains out.
        steps: see `faithfulness`, as for the following.
        controls: see there.
        fill: see there.
        seed: see there.
    """
    found: dict[str, Array] = {}
    if attribution.inputs.of_kind.planar and attribution.inputs.truth is not None:
        found["pointing game"] = pointing_game(attribution).astype(np.float64)
        found["mass in mask"] = mass_in_mask(attribution)
    if model is not None:
        gains = faithfulness(
            model, attribution, steps=steps, controls=controls, fill=fill, seed=seed
        )
        found["deletion gain"], found["insertion gain"] = gains.deletion, gains.insertion
    return found


def quality(
    reference: Mapping[str, ArrayLike],
    copy: Mapping[str, ArrayLike],
    *,
    model: str,
    method: str,
    seed: int = 0,
) -> tuple[Quality, ...]:
    """Each measure of a copy compared with the reference's: better, worse, or no difference seen.

    Rows are paired; the interval of the mean difference is the bootstrap's over rows, as of drift.

    Args:
        reference: `ratings` of the reference's explanation.
        copy: those of the copy's.
        model: the copy's name.
        method: the method's.
        seed: of the bootstrap.

    Raises:
        InputError: a measure of other rows.

    Example:
        >>> (found,) = quality({"mass in mask": [0.5] * 20}, {"mass in mask": [0.25] * 20}, model="int8",
        ...                    method="GradCAM")
        >>> found.difference, found.verdict
        (-0.25, 'worse')
    """
    found = []
    for measure in reference:
        if measure not in copy:
            continue
        before, after = (np.asarray(one[measure], dtype=np.float64) for one in (reference, copy))
        if before.shape != after.shape or before.ndim != 1 or not len(before):
            raise InputError(
                f"Quality needs {measure!r} of the same rows for both models, but {before.shape} and "
                f"{after.shape} were given. Rate explanations of one study."
            )
        mean, low, high = (float(end[0]) for end in intervals(after - before, seed=seed))
        found.append(
            Quality(
                model,
                method,
                measure,
                before,
                after,
                mean,
                low,
                high,
                "undetermined"
                if len(before) < FEWEST_ROWS
                else "better"
                if low > 0
                else "worse"
                if high < 0
                else "no difference seen",
            )
        )
    return tuple(found)
