"""What quantized copies share: a module to change, rows to calibrate on, a checked gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import Inputs, Model
from workbench.core.variant import CONVENTION
from workbench.errors import InputError
from workbench.models.torch import TorchEngine, engine_of
from workbench.variants.record import copied, recorded

if TYPE_CHECKING:
    import torch

CALIBRATION_BATCH = 32
"""Rows per calibration pass: fixed, so that the same rows always give the same ranges."""

_PERTURBATION = "Use a perturbation method such as Occlusion, LIME or PermutationSHAP"


def copied_module(model: Model) -> torch.nn.Module:
    """A deep copy of a torch model's module, in evaluation mode, with masks folded into the weights.

    Raises:
        IncompatibleError: the model is of another library, or TorchScript.
        InputError: some layer computes its weight anew at every call, where rounding would not reach it.
    """
    import torch

    module = copied(model)
    for path, part in module.named_modules():
        computed = [name for name, value in vars(part).items() if isinstance(value, torch.Tensor)]
        if "weight" in computed:
            raise InputError(
                f"Quantizing needs weights that are a layer's own, but {path!r} of {model.name!r} computes "
                "its weight from others before every call. Fix it first, such as by "
                "torch.nn.utils.remove_weight_norm(layer)."
            )
        # Not eval(): some modules override it, and exported ones refuse it.
        part.training = False
    return module


def engine_for(module: torch.nn.Module, model: Model, name: str) -> TorchEngine:
    """An engine that calls `module` as `model` calls its own, in batches of `CALIBRATION_BATCH`."""
    engine = engine_of(model)
    return TorchEngine(
        name,
        module,
        preprocess=engine.preprocess,
        output=engine.output,
        batch=CALIBRATION_BATCH,
    )


def check_calibration(model: Model, calibration: object) -> Inputs:
    """The calibration rows.

    Raises:
        InputError: there are none, or they are of another kind.
    """
    why = f"Activations of {model.name!r} are rounded within ranges that calibration rows give"
    advice = "Give some hundred rows such as the model was trained on, as Inputs."
    if calibration is None:
        raise InputError(f"{why}, and there are none. {advice}")
    if not isinstance(calibration, Inputs):
        raise InputError(f"{why}, but calibration is a {type(calibration).__name__}. {advice}")
    if not len(calibration):
        raise InputError(f"{why}, but {calibration.name!r} has no rows. {advice}")
    if model.kind is not None and calibration.kind != model.kind:
        raise InputError(
            f"{why}, but {calibration.name!r} holds {calibration.kind} rows and the model reads "
            f"{model.kind}. {advice}"
        )
    return calibration


def calibration_notes(model: Model, calibration: Inputs) -> tuple[str, ...]:
    """What a user should know about these calibration rows."""
    classes = calibration.y
    if classes is None or len(model.outputs) < 2 or len(np.unique(classes)) > 1:
        return ()
    return (
        f"All {len(calibration)} calibration rows are of one class ({classes[0]}), so values that other "
        "classes reach may be clipped. Calibrate on rows of every class.",
    )


def without_gradient(model: Model, reason: str) -> Model:
    """The model without gradient and activations, and the reason."""
    return replace(
        model,
        gradient=None,
        deep_lift=None,
        activations=None,
        absent={**model.absent, "gradient": reason, "activations": reason},
    )


def finished(
    copy: Model,
    original: Model,
    *,
    recipe: str,
    description: str,
    runs_as: str,
    touched: int,
    layers: int,
    rows: Inputs | None,
    notes: tuple[str, ...] = (),
    explained_as: str = "itself",
    twin_gap: float | None = None,
    rounds_activations: bool = False,
    no_gradient: str = "",
) -> Model:
    """The copy with its record, and with a gradient only if it has one and the check finds it right.

    Args:
        rounds_activations: whether its gradient, if any, passes through rounding; it is offered
            only after it was checked.
        no_gradient: why there is no gradient, where that is known; nothing is checked then.
    """
    # Autocast would compute in another precision than the copy's own.
    copy = replace(copy, masked_half=None)
    if no_gradient:
        copy = without_gradient(
            copy, f"{copy.name!r} has no gradient: {no_gradient} {_PERTURBATION}."
        )
    if copy.gradient is not None and rounds_activations:
        notes = (*notes, f"Gradients pass straight through the rounding ({CONVENTION}).")
    made = recorded(
        copy,
        original,
        recipe=recipe,
        description=description,
        runs_as=runs_as,
        touched=touched,
        layers=layers,
        rows=rows,
        explained_as=explained_as,
        twin_gap=twin_gap,
        notes=notes,
    )
    unchecked = made.variant is None or made.variant.gradient is None
    if made.gradient is not None and unchecked and rounds_activations:
        return without_gradient(
            made,
            f"The gradient of {made.name!r} was not checked, because no rows were at hand. Make the copy "
            "with rows=inputs.",
        )
    return made


def kept_parts(module: torch.nn.Module, changed: tuple[type, ...]) -> tuple[str, ...]:
    """Parts with weight matrices that are of none of the changed types, as "name (Type)"."""
    return tuple(
        f"{name or 'the module itself'} ({type(part).__name__})"
        for name, part in module.named_modules()
        if not isinstance(part, changed) and any(weight.ndim > 1 for weight in _own_weights(part))
    )


def _own_weights(part: torch.nn.Module) -> list[Any]:
    return [weight for weight in part._parameters.values() if weight is not None]
