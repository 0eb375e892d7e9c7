"""`quantize_onnx`: a real int8 copy, computed by ONNX Runtime."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import Inputs, Model, clean
from workbench.errors import IncompatibleError, InputError, missing
from workbench.models.asking import first_line
from workbench.models.normalize import Normalize
from workbench.models.torch import TorchEngine, dtype_of, engine_of, in_order
from workbench.models.wrapping import wrap
from workbench.variants.quantization.quantize_record import (
    CALIBRATION_BATCH,
    calibration_notes,
    check_calibration,
    copied_module,
    finished,
)
from workbench.variants.recipes import Recipe

if TYPE_CHECKING:
    import torch

_MATRICES = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_ROWS = "rows"  # the graph's one input


def quantize_onnx(
    model: Model,
    calibration: Inputs,
    *,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A real int8 copy: the module exported to ONNX, its weights and activations of 8 bits.

    Weights have one scale per output channel, activations one per tensor, from their least to their largest
    value over the calibration rows. The graph reads rows of the calibration rows' shape, in any number.
    ONNX Runtime computes no gradients and shows no layers, so the copy can only be perturbed.
    `native` holds the bytes of the .onnx file: `workbench.wrap(copy.native)` reads them again.

    Args:
        model: made from a torch module, which is left as it was found.
        calibration: rows such as the model was trained on.
        name: of the copy.
        rows: to try both models on; the calibration rows when left out.

    Raises:
        IncompatibleError: a model of another library, or one that torch cannot export.
        InputError: no layer can be rounded; no calibration rows; weights that are not float32.
        MissingDependency: onnx, onnxruntime or onnxscript is not installed.
    """
    import torch

    if any(find_spec(library) is None for library in ("onnx", "onnxruntime", "onnxscript")):
        raise missing("onnx", "quantize_onnx")
    given = check_calibration(model, calibration)
    module = copied_module(model)
    if dtype_of(module) is not torch.float32:
        raise InputError(
            f"quantize_onnx needs float32 weights, but those of {model.name!r} are {dtype_of(module)}. "
            "Wrap module.float()."
        )
    engine = _within_the_graph(module, engine_of(model))
    exported = _exported(engine, given)
    data = _quantized(exported, engine, given)
    touched, layers = _counted(data)
    if not layers:
        raise InputError(
            f"quantize_onnx rounds linear and convolution layers, but {model.name!r} has none: its graph "
            f"computes {sorted({node.op_type for node in exported.graph.node})}. Use cast to halve its "
            "precision."
        )
    wrapped = wrap(
        data,
        name=name or f"{model.name}, ONNX int8",
        outputs=model.outputs,
        scale=model.scale,
        kind=model.kind,
        preprocess=engine.preprocess,
        shape=given.values.shape[1:],
    )
    copy = replace(
        wrapped,
        native=data,
        features=model.features,
        categories=model.categories,
        columns=model.columns,
        lineage=model.lineage,
    )
    return finished(
        copy,
        model,
        recipe="quantize_onnx(model, calibration)",
        description=f"8-bit weights and activations over {len(given)} calibration rows, by ONNX Runtime",
        runs_as="int8, ONNX Runtime",
        touched=touched,
        layers=layers,
        rows=given if rows is None else rows,
        notes=calibration_notes(model, given),
    )


def _within_the_graph(module: torch.nn.Module, engine: TorchEngine) -> TorchEngine:
    """An engine whose module holds everything that ONNX Runtime cannot do around the graph.

    `Normalize` is data, and stays outside; other preprocessing and the choice of an output go inside.
    """
    from torch import nn

    from workbench.models.torch import selected

    outside = engine.preprocess if isinstance(engine.preprocess, Normalize) else None
    inside = None if outside is not None else engine.preprocess

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, rows: torch.Tensor) -> Any:
            ready = rows if inside is None else inside(rows)
            return selected(engine.name, self.module(ready), engine.output)

    whole = Whole() if inside is not None or engine.output is not None else module
    whole.training = False
    return TorchEngine(engine.name, whole, preprocess=outside)


def _exported(engine: TorchEngine, calibration: Inputs) -> Any:
    """The module as an `onnx.ModelProto`, without the paths and code lines that torch writes into it.

    Raises:
        IncompatibleError: torch cannot export it.
    """
    import torch
    from torch.onnx import OnnxExporterError

    # Torch takes lengths 0 and 1 of an example as fixed, so the example has two rows.
    example = in_order(engine.prepared(np.repeat(calibration.values[:1], 2, axis=0)))
    try:
        with _quiet():
            program: Any = torch.onnx.export(
                engine.module,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
                input_names=[_ROWS],
                output_names=["scores"],
                verbose=False,
            )
    except (OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        raise IncompatibleError(
            f"quantize_onnx needs a module that torch can export to ONNX for any number of rows, but for "
            f"{engine.name!r} that failed: {clean(first_line(error))} Use fake_quantize, which rounds the "
            "module as it is."
        ) from error
    proto = program.model_proto
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info):
        del part.metadata_props[:]
    for part in (*proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del part.metadata_props[:]
    # Torch's exporter has already inferred shapes and folded constants, as ONNX Runtime wants.
    known = proto.metadata_props.add()
    known.key, known.value = "onnx.quant.pre_process", "onnxruntime.quant"
    return proto


def _quantized(proto: Any, engine: TorchEngine, calibration: Inputs) -> bytes:
    """The int8 graph as the bytes of a file; nothing stays on the disk."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # untyped library
        def __init__(self) -> None:
            self.starts = iter(range(0, len(calibration), CALIBRATION_BATCH))

        def get_next(self) -> dict[str, Any] | None:
            start = next(self.starts, None)
            if start is None:
                return None
            some = engine.prepared(calibration.values[start : start + CALIBRATION_BATCH])
            return {_ROWS: some.contiguous().numpy()}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "int8.onnx"
        quantization.quantize_static(
            proto,
            path,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            # Signed weights run on an instruction that cuts its sums at 16 bits where a processor has no
            # VNNI: wrong numbers from a good file. Unsigned ones are summed whole on every processor.
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QUInt8,
            extra_options={"WeightSymmetric": True},
        )
        return path.read_bytes()


def _counted(data: bytes) -> tuple[int, int]:
    """Layers with rounded weights, and all that multiply with weights; each set of weights counts once."""
    import onnx

    graph = onnx.load_model_from_string(data).graph
    weights = {one.name for one in graph.initializer}
    back = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in weights
    }
    found = {
        back.get(place, place): place in back
        for node in graph.node
        if node.op_type in _MATRICES
        for place in node.input[1:2]
        if place in back or place in weights
    }
    return sum(found.values()), len(found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides only two warnings: that torchvision is missing, and that torch copies an outdated tree."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


RECIPE = Recipe(
    "quantize_onnx",
    "Static int8 (ONNX Runtime)",
    "quantize_onnx",
    rows_as="calibration",
    needs_rows=True,
    modules=("onnx", "onnxruntime", "onnxscript"),
    extra="onnx",
    order=15,
)
