"""`cast`: a copy in half precision."""

from __future__ import annotations

from typing import Literal, get_args

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import InputError, ModelError
from workbench.models.torch import dtype_of, engine_of, remade
from workbench.variants.quantization.quantize_record import copied_module, finished
from workbench.variants.recipes import Recipe

Half = Literal["bfloat16", "float16"]
"""Two numbers of 16 bits: bfloat16 keeps float32's range and 8 bits of its digits, float16 11 bits and
values up to 65504."""


@repeatable
def cast(
    model: Model,
    precision: Half = "bfloat16",
    *,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A copy with weights and arithmetic of 16 bits; scores come back as float64, as ever.

    Args:
        model: made from a torch module, which is left as it was found.
        precision: "bfloat16" or "float16"; the latter is slow on a CPU (9 times as slow as float32 on
            the bundled network).
        name: of the copy.
        rows: to try both models on; else those it was wrapped for.

    Raises:
        IncompatibleError: a model of another library.
        InputError: a model without floating-point weights, or with rounded layers; no such precision.
        ModelError: some score overflows.

    Example:
        >>> import numpy as np, torch
        >>> from workbench.models import wrap
        >>> module = torch.nn.Linear(1, 1, bias=False)
        >>> _ = torch.nn.init.constant_(module.weight, 1.01)
        >>> cast(wrap(module)).scores(np.ones((1, 1)))  # the nearest number with 8 digits of base 2
        array([[1.0078125]])
    """
    import torch

    if precision not in get_args(Half):
        raise InputError(
            f"cast needs a precision of {list(get_args(Half))}, not {precision!r}. For 8 bits and fewer "
            "use fake_quantize."
        )
    module = copied_module(model)
    weights = [weight for weight in module.parameters() if weight.is_floating_point()]
    if not weights or dtype_of(engine_of(model).module).itemsize < 4:
        raise InputError(
            f"cast needs weights of 32 bits or more, but {model.name!r} has "
            f"{sorted({str(w.dtype) for w in module.parameters()}) or 'none'}. Cast the model that "
            "this was made from."
        )
    if any(hasattr(part, "weight_bits") for part in module.modules()):
        raise InputError(
            f"cast needs plain layers, but {model.name!r} has rounded ones, whose scales are of 32 bits. "
            "Quantize the copy that cast makes instead."
        )
    half: torch.dtype = getattr(torch, precision)
    module.to(half)
    copy = remade(model, module, name=name or f"{model.name}, {precision}")
    try:
        return finished(
            copy,
            model,
            recipe=f"cast(model, {precision!r})",
            description=f"weights and arithmetic in {precision}",
            runs_as=precision,
            touched=sum(_has_floats(part) for part in module.modules()),
            layers=sum(_has_floats(part) for part in module.modules()),
            rows=rows,
        )
    except ModelError as error:
        if precision == "float16":
            raise ModelError(
                f"{error} Numbers above 65504 do not fit into float16; bfloat16 holds them."
            ) from error
        raise


def _has_floats(part: object) -> bool:
    own = [*part._parameters.values(), *part._buffers.values()]  # type: ignore[attr-defined]
    return any(tensor is not None and tensor.is_floating_point() for tensor in own)


RECIPE = Recipe(
    "cast", "Half precision", "cast", "number format", ("bfloat16", "float16"), order=11
)
