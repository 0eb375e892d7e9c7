"""torchao's integers for linear layers: weights alone, or weights and activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import InputError
from workbench.models.torch import dtype_of, remade
from workbench.variants.quantization.quantize_record import copied_module, finished
from workbench.variants.quantization.torchao_library import torchao_quantization
from workbench.variants.recipes import Recipe
from workbench.variants.record import beyond_reach

if TYPE_CHECKING:
    import torch

GROUP = 32
"""Weights that share a scale at 4 bits: consecutive inputs of one output."""


@repeatable
def quantize_weights(
    model: Model,
    bits: Literal[8, 4] = 8,
    *,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A copy whose linear layers hold integer weights, by torchao; activations stay as they are.

    With 8 bits every output has a scale, with 4 bits every `GROUP` inputs of an output; torchao stores
    4-bit weights as 8 bits on a CPU, so they save nothing over 8. Convolutions are left alone: a network of
    convolutions is not changed at all, and the copy's notes say so. The gradient is that of the rounded
    weights.

    Args:
        model: made from a torch module, which is left as it was found.
        bits: 8 or 4.
        name: of the copy.
        rows: to try both models on; else those it was wrapped for.

    Raises:
        IncompatibleError: a model of another library.
        InputError: neither a linear layer nor a convolution, weights of 64 bits, other bits.
        MissingDependency: torchao is not installed.
    """
    if bits not in (8, 4):
        raise InputError(
            f"quantize_weights rounds to 8 or 4 bits, not {bits!r}. For others use fake_quantize with "
            "activation_bits=None."
        )
    torchao = torchao_quantization()
    if bits == 8:
        config, stored = torchao.Int8WeightOnlyConfig(), "8-bit weights"
    else:
        import torch
        from torchao.quantization.granularity import PerGroup

        config = torchao.IntxWeightOnlyConfig(
            weight_dtype=getattr(torch, "int4"),  # noqa: B009 - torch has it, its stubs do not
            granularity=PerGroup(GROUP),
        )
        stored = "4-bit weights (stored as 8 bits)"
    return _changed(
        model,
        config,
        by=1 if bits == 8 else GROUP,
        recipe=f"quantize_weights(model, bits={bits})",
        label=f"{bits}-bit weights",
        description=f"{stored} in linear layers, by torchao",
        runs_as=f"int{bits} weights, torchao",
        name=name,
        rows=rows,
    )


@repeatable
def quantize_dynamic(model: Model, *, name: str | None = None, rows: Inputs | None = None) -> Model:
    """A copy whose linear layers multiply 8-bit weights with 8-bit activations, by torchao.

    Each row's activations are rounded within their own range as they come, so no calibration is needed
    and a row's scores do not depend on its neighbors. Convolutions are left alone. These operators have no
    gradient, and torchao does not warn: around a skip connection autograd gives a plausible but wrong one.
    So the copy offers no gradient.

    Args:
        model: made from a torch module, which is left as it was found.
        name: of the copy.
        rows: to try both models on; else those it was wrapped for.

    Raises:
        IncompatibleError: a model of another library.
        InputError: neither a linear layer nor a convolution, weights of 64 bits.
        MissingDependency: torchao is not installed.
    """
    return _changed(
        model,
        torchao_quantization().Int8DynamicActivationInt8WeightConfig(),
        by=1,
        recipe="quantize_dynamic(model)",
        label="dynamic int8",
        description="8-bit weights and activations in linear layers, ranges as they come, by torchao",
        runs_as="int8 dynamic, torchao",
        name=name,
        rows=rows,
        no_gradient="its linear layers round activations with torchao's int8 operators, which have no "
        "derivative, and autograd leaves them out without a warning.",
    )


def _changed(
    model: Model,
    config: Any,
    *,
    by: int,
    recipe: str,
    label: str,
    description: str,
    runs_as: str,
    name: str | None,
    rows: Inputs | None,
    no_gradient: str = "",
) -> Model:
    """The copy made by `config`, for linear layers whose number of inputs is a multiple of `by`."""
    from torch import nn

    module = copied_module(model)
    linear = {name: part for name, part in module.named_modules() if _can_change(part)}
    others = [
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    ]
    if not linear and not others:
        raise InputError(
            f"torchao rounds Linear layers, but {model.name!r} has neither these nor convolutions that "
            f"keep their precision: it is made of {sorted({type(p).__name__ for p in module.modules()})}. "
            "Use cast to halve its precision."
        )
    if dtype_of(module).itemsize > 4:
        raise InputError(
            f"torchao rounds weights of 32 or 16 bits, but those of {model.name!r} are "
            f"{dtype_of(module)}. Wrap module.float()."
        )
    odd = [name for name, part in linear.items() if part.in_features % by]
    # torchao drops the axis of a single input and fails without it.
    single = [name for name, part in linear.items() if part.in_features == 1 and name not in odd]
    changed = {id(part) for name, part in linear.items() if name not in (*odd, *single)}

    def wanted(part: torch.nn.Module, _name: str) -> bool:
        return id(part) in changed and _can_change(part)

    reached = [part.weight for part in linear.values() if id(part) in changed]
    said = [dict(module.named_modules())[path] for path in (*others, *odd, *single)]
    beyond = beyond_reach(module, reached, said=said)
    torchao_quantization().quantize_(module, config, filter_fn=wanted)
    notes: tuple[str, ...] = (beyond,) if beyond else ()
    if others:
        notes += (
            f"torchao rounds linear layers alone; {len(others)} convolutions stay in full precision: "
            f"{', '.join(others)}.",
        )
    if odd:
        notes += (
            f"Layers whose inputs are no multiple of {by} stay in full precision: {', '.join(odd)}.",
        )
    if single:
        notes += (f"Layers of one input stay in full precision: {', '.join(single)}.",)
    return finished(
        remade(model, module, name=name or f"{model.name}, {label}"),
        model,
        recipe=recipe,
        description=description,
        runs_as=runs_as,
        touched=len(changed),
        layers=len(linear) + len(others),
        rows=rows,
        notes=notes,
        no_gradient=no_gradient if changed else "",
    )


def _can_change(part: Any) -> bool:
    """A plain linear layer; attention reads its output layer's weights without calling the layer."""
    from torch import nn
    from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

    return (
        isinstance(part, nn.Linear)
        and type(part).forward is nn.Linear.forward
        and not isinstance(part, NonDynamicallyQuantizableLinear)
        and type(part.weight) is nn.Parameter
    )


WEIGHTS = Recipe(
    "quantize_weights",
    "Weight-only integers (torchao)",
    "quantize_weights",
    "bits per weight",
    (8, 4),
    parameter="bits",
    modules=("torchao",),
    extra="compress",
    order=12,
)
DYNAMIC = Recipe(
    "quantize_dynamic",
    "Dynamic int8 (torchao)",
    "quantize_dynamic",
    modules=("torchao",),
    extra="compress",
    order=13,
)
