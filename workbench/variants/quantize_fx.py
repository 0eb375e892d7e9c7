"""`quantize_fx`: int8 by the older way of torch itself, where torch still has it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import Inputs, Model, clean
from workbench.errors import IncompatibleError, InputError, MissingDependency
from workbench.models.torch_batches import first_line
from workbench.models.torch_engine import TorchEngine
from workbench.models.torch_module import engine_of, remade
from workbench.models.torch_state import dtype_of
from workbench.variants.quantize_record import (
    CALIBRATION_BATCH,
    calibration_notes,
    check_calibration,
    copied_module,
    finished,
)

if TYPE_CHECKING:
    import torch

_FX = "torch.ao.quantization.quantize_fx"


def quantize_fx(
    model: Model,
    calibration: Inputs,
    *,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A copy in int8 by torch's own FX graph mode, which is deprecated; `quantize_static` is its successor.

    Weights have one scale per output channel, activations one per tensor, from histograms over the
    calibration rows, of 7 bits so that x86 cannot overflow. There is neither a gradient nor a look at
    single layers: these are merged and give quantized tensors.

    Args:
        model: made from a torch module, which is left as it was found.
        calibration: rows such as the model was trained on.
        name: of the copy.
        rows: to try both models on; the calibration rows when left out.

    Raises:
        IncompatibleError: a model of another library, or one that torch.fx cannot trace.
        InputError: no layer was rounded; no calibration rows; weights that are not float32.
        MissingDependency: this torch has it no longer.
    """
    import torch

    if find_spec("torch.ao.quantization") is None or find_spec(_FX) is None:
        raise MissingDependency(
            f"quantize_fx needs {_FX}, which torch {torch.__version__} has no longer. Use quantize_static."
        )
    given = check_calibration(model, calibration)
    module = copied_module(model)
    if dtype_of(module) is not torch.float32:
        raise InputError(
            f"quantize_fx needs float32 weights, but those of {model.name!r} are {dtype_of(module)}. Wrap "
            "module.float()."
        )
    engine = engine_of(model)
    layers = _weighted(module)
    if _in_integers(module):
        raise IncompatibleError(
            f"quantize_fx needs layers in floating point, but {model.name!r} has int8 layers already. Make "
            "it from the model that this was made from."
        )
    try:
        graph = _converted(module, engine, given)
    except (
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        torch.fx.proxy.TraceError,
    ) as error:
        raise IncompatibleError(
            f"quantize_fx needs a module that torch.fx can trace, but for {model.name!r} that failed: "
            f"{clean(first_line(error))} Use quantize, which rounds the module as it is."
        ) from error
    touched = _in_integers(graph)
    if not touched:
        raise InputError(
            f"quantize_fx rounds linear and convolution layers, but {model.name!r} has none: it is made of "
            f"{sorted({type(part).__name__ for part in module.modules()})}. Use cast to halve its "
            "precision."
        )
    copy = remade(model, graph, name=name or f"{model.name}, FX int8")
    merged = f"Layers of {copy.name!r} are merged with their neighbors and give quantized tensors."
    return finished(
        replace(
            copy,
            feature_maps=None,
            layers=None,
            absent={
                "feature_maps": f"{merged} Use quantize_static, whose layers keep their names."
            },
        ),
        model,
        recipe="quantize_fx(model, calibration)",
        description=f"8-bit weights, 7-bit activations over {len(given)} calibration rows, by torch FX",
        runs_as="int8, torch FX",
        touched=len(touched),
        layers=max(len(layers), len(touched)),
        rows=given if rows is None else rows,
        notes=calibration_notes(model, given),
        no_gradient="torch's int8 operators have none.",
    )


def _weighted(module: torch.nn.Module) -> list[Any]:
    from workbench.variants.quantize_layers import can_round

    return [part for part in module.modules() if can_round(part)]


def _in_integers(module: torch.nn.Module) -> list[Any]:
    """Torch's int8 layers, whose weight is a method."""
    return [part for part in module.modules() if callable(getattr(part, "weight", None))]


def _converted(
    module: torch.nn.Module, engine: TorchEngine, calibration: Inputs
) -> torch.fx.GraphModule:
    import torch

    # Conversion makes layers whose first weights are drawn at random; the user's numbers come back.
    with _quiet(), torch.random.fork_rng(devices=[]):
        from torch.ao.quantization import get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

        example = engine.prepared(np.asarray(calibration.values[:1]))
        prepared: Any = prepare_fx(module, get_default_qconfig_mapping("x86"), (example,))
        with torch.no_grad():
            for start in range(0, len(calibration), CALIBRATION_BATCH):
                prepared(engine.prepared(calibration.values[start : start + CALIBRATION_BATCH]))
        converted: torch.fx.GraphModule = convert_fx(prepared)
    return converted


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides what these calls say of their own end, and of the range they choose themselves; no more."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.ao.quantization is deprecated", DeprecationWarning)
        warnings.filterwarnings(
            "ignore", "torch.quantize_per_tensor, .* are deprecated", UserWarning
        )
        warnings.filterwarnings("ignore", "Please use quant_min and quant_max", UserWarning)
        yield
