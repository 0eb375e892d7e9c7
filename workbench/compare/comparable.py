"""Whether a difference of two explanations is a difference of their models, or of something else."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import numpy as np

from workbench.core import Attribution
from workbench.errors import IncompatibleError, InputError


def check_comparable(reference: Attribution, copy: Attribution) -> None:
    """Refuse two explanations whose difference would not be a difference of models.

    Seeds may differ (that is how the explainer's own noise is seen); rows, method, target, outputs, units
    and players may not. Backgrounds may, for the same reason.

    Raises:
        InputError: other rows, targets, explained outputs or players; values that are no numbers.
        IncompatibleError: other methods or units.
    """
    if type(reference.method) is not type(copy.method):
        raise IncompatibleError(
            f"Drift needs one method for both models: two methods never agree. {reference.model!r} is "
            f"explained by {type(reference.method).__name__}, {copy.model!r} by "
            f"{type(copy.method).__name__}. Explain both with the same."
        )
    if reference.scale != copy.scale:
        raise IncompatibleError(
            f"Attributions in different units cannot be compared: {reference.model!r} is in "
            f"{reference.scale}, {copy.model!r} in {copy.scale}. Wrap both with the same scale=."
        )
    same_rows = reference.inputs.ids == copy.inputs.ids and np.array_equal(
        reference.inputs.values, copy.inputs.values
    )
    if not same_rows or reference.values.shape != copy.values.shape:
        raise InputError(
            f"Drift needs the same rows for every model, but {reference.model!r} has "
            f"{reference.values.shape} and {copy.model!r} {copy.values.shape}. Run one study for both."
        )
    for one in (reference, copy):
        if bad := int((~np.isfinite(one.values)).sum()):
            raise InputError(
                f"Drift needs numbers, but {bad} of the values of {one.model!r} by "
                f"{type(one.method).__name__} are NaN or infinite. Leave those rows out, or correct "
                "the method."
            )
    if repr(reference.target) != repr(copy.target) or reference.explained != copy.explained:
        moved = sum(a != b for a, b in zip(reference.explained, copy.explained, strict=True))
        raise InputError(
            f"Drift needs the same output explained for every model, but {reference.model!r} has "
            f"{reference.target} and {copy.model!r} {copy.target}, other outputs on {moved} of "
            f"{len(reference)} rows. Fix it: Target(index=...) with the reference's own prediction per row."
        )
    first, second = reference.players, copy.players
    if (first is None) != (second is None) or (
        first is not None and second is not None and not np.array_equal(first, second)
    ):
        raise InputError(
            f"Drift needs the same players for every model, but those of {reference.model!r} and "
            f"{copy.model!r} differ. Explain both with the same groups or superpixels."
        )


def check_recipe(reference: Attribution, copy: Attribution, *, paired: bool) -> None:
    """Refuse explanations by one method with other parameters; other seeds too, where they are shared.

    Raises:
        InputError: they differ, or one was stopped early.
    """
    recipes = [_parameters(one, seed=paired) for one in (reference, copy)]
    if recipes[0] != recipes[1]:
        raise InputError(
            f"Drift needs one recipe for both models, but {reference.model!r} is explained by "
            f"{reference.method!r} and {copy.model!r} by {copy.method!r}. Explain both with the same."
        )
    if paired and not reference.inputs.shares_background(copy.inputs):
        raise InputError(
            f"Drift needs one background for both models, but those of {reference.model!r} and "
            f"{copy.model!r} differ. Explain both over the same rows."
        )
    for one in (reference, copy):
        if not one.complete:
            raise InputError(
                f"Drift needs finished explanations, but that of {one.model!r} by "
                f"{type(one.method).__name__} was stopped early. Run it to its end."
            )


def _parameters(attribution: Attribution, *, seed: bool) -> object:
    method: object = attribution.method
    if not is_dataclass(method):
        return type(method)
    names = [one.name for one in fields(method) if seed or one.name != "seed"]
    return type(method), [repr(getattr(method, name)) for name in names]
