"""`fake_quantize`: a copy that computes with rounded weights and activations, and still has gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from workbench.core import Inputs, Model, Range
from workbench.core.repeatable import repeatable
from workbench.errors import InputError, ModelError
from workbench.models.torch import remade
from workbench.variants.quantization.quantize_record import (
    calibration_notes,
    check_calibration,
    copied_module,
    engine_for,
    finished,
    kept_parts,
)
from workbench.variants.recipes import Recipe

if TYPE_CHECKING:
    import torch

Bits = Annotated[int, Range(2, 8)]
"""How finely numbers are rounded: 8 bits are 255 or 256 steps, 2 bits are 3 or 4."""

_Ranges = dict[int, tuple[float, float]]  # by the id of a layer of the copy


@repeatable
def fake_quantize(
    model: Model,
    calibration: Inputs | None = None,
    *,
    weight_bits: Bits = 8,
    activation_bits: Bits | None = 8,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A copy whose linear and convolution layers compute with rounded weights and inputs.

    Weights are rounded to `scale · q` with whole q of at most `2^(bits - 1) - 1`, one scale per output
    channel, so that the channel's largest weight is kept. A layer's inputs are rounded to `scale · (q -
    zero)` with q from 0 to `2^bits - 1`, from their least to their largest value over the calibration
    rows (and zero); values beyond are clipped. The arithmetic between is in floating point: this shows what
    rounding does to scores and reasons, not how fast integers are. The gradient passes straight
    through the rounding.

    Args:
        model: made from a torch module, which is left as it was found.
        calibration: rows such as the model was trained on; needed unless `activation_bits` is None.
        weight_bits: 2 to 8.
        activation_bits: 2 to 8, or None to round weights alone.
        name: of the copy.
        rows: to try both models on; the calibration rows when left out.

    Raises:
        IncompatibleError: a model of another library.
        InputError: no layer can be rounded; bits or calibration rows that do not fit.

    Source: Krishnamoorthi 2018, Quantizing deep convolutional networks for efficient inference, sections
        2.1 to 2.3 and 3.1; the gradient is Bengio et al. 2013's straight-through estimator.

    Example:
        >>> import numpy as np, torch
        >>> from workbench.core import Inputs
        >>> from workbench.models import wrap
        >>> module = torch.nn.Linear(2, 1, bias=False)
        >>> _ = torch.nn.init.constant_(module.weight, 0.7)
        >>> module.weight.data[0, 1] = 0.4
        >>> copy = fake_quantize(wrap(module), weight_bits=3, activation_bits=None)  # multiples of 0.7 / 3
        >>> copy.scores(np.eye(2)).round(3)
        array([[0.7  ],
               [0.467]])
    """
    _check_bits("weight_bits", weight_bits)
    if activation_bits is not None:
        _check_bits("activation_bits", activation_bits)
    module = copied_module(model)

    from workbench.variants.quantization.quantize_layers import can_round, round_layer

    layers = {name: part for name, part in module.named_modules() if can_round(part)}
    if not layers:
        raise InputError(
            f"fake_quantize rounds Linear, Conv1d and Conv2d layers, but {model.name!r} has none: it is "
            f"made of {sorted({type(part).__name__ for part in module.modules()})}. Use cast to halve its "
            "precision."
        )
    notes: tuple[str, ...] = ()
    ranges: _Ranges | None = None
    if activation_bits is not None:
        given = check_calibration(model, calibration)
        ranges = _input_ranges(module, model, given, list(layers.values()))
        notes = calibration_notes(model, given)
    kept = []
    for place, layer in layers.items():
        if ranges is not None and id(layer) not in ranges:
            kept.append(place)
            continue
        round_layer(
            layer,
            weight_bits=weight_bits,
            input_range=None if ranges is None else ranges[id(layer)],
            input_bits=activation_bits or 0,
        )
    if kept:
        notes += (
            f"Layers that never ran on the calibration rows stay in full precision: {', '.join(kept)}.",
        )
    if others := kept_parts(module, tuple({type(layer) for layer in layers.values()})):
        notes += (f"Parts of other types stay in full precision: {', '.join(others)}.",)

    words = f"{weight_bits}-bit weights"
    if activation_bits is not None:
        words += f" and {activation_bits}-bit activations"
    sources = "" if calibration is None or activation_bits is None else ", calibration"
    return finished(
        remade(model, module, name=name or f"{model.name}, {words}"),
        model,
        recipe=f"fake_quantize(model{sources}, weight_bits={weight_bits}, "
        f"activation_bits={activation_bits})",
        description=_described(words, calibration if sources else None),
        runs_as=f"{_precision(module)}, rounded",
        touched=len(layers) - len(kept),
        layers=len(layers),
        rows=calibration if rows is None else rows,
        notes=notes,
        rounds_activations=activation_bits is not None,
    )


def _described(words: str, calibration: Inputs | None) -> str:
    """What was done, in one phrase."""
    if calibration is None:
        return f"{words}, per output channel"
    return (
        f"{words}, within the least and the largest value over {len(calibration)} calibration rows"
    )


def _input_ranges(
    module: torch.nn.Module, model: Model, calibration: Inputs, layers: list[torch.nn.Module]
) -> _Ranges:
    """The least and the largest input of each layer over all of its uses, for layers that ran."""
    ranges: _Ranges = {}

    def note(layer: torch.nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        values = given[0] if given else next(iter(named.values()))
        if values.numel():
            low, high = (float(one) for one in values.detach().aminmax())
            before = ranges.get(id(layer), (low, high))
            ranges[id(layer)] = (min(low, before[0]), max(high, before[1]))

    handles = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in layers]
    try:
        scores = engine_for(module, model, model.name).predict(calibration.values)
    finally:
        for handle in handles:
            handle.remove()
    model.checked(scores, len(calibration))
    if any(abs(end) == float("inf") or end != end for ends in ranges.values() for end in ends):
        raise ModelError(
            f"Calibrating {model.name!r} needs finite activations, but some were infinite or NaN. Check "
            "the weights and the preprocessing, or leave those rows out."
        )
    return ranges


def _check_bits(name: str, bits: object) -> None:
    if isinstance(bits, bool) or not isinstance(bits, int) or not 2 <= bits <= 8:
        none = ", or None to leave activations as they are" if name == "activation_bits" else ""
        raise InputError(
            f"{name} must be a whole number from 2 to 8{none}, not {bits!r}. For 16 bits use cast."
        )


def _precision(module: torch.nn.Module) -> str:
    from workbench.models.torch import dtype_of

    return str(dtype_of(module)).removeprefix("torch.")


RECIPE = Recipe(
    "fake_quantize",
    "Quantize and dequantize",
    "fake_quantize",
    "bits per weight",
    (8, 4, 3),
    parameter="weight_bits",
    rows_as="calibration",
    needs_rows=True,
    order=10,
)
