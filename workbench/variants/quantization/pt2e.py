"""`quantize_static`: a real int8 copy by torchao's PT2E, explained through a differentiable twin."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import Inputs, Model, clean, kinds
from workbench.errors import IncompatibleError, InputError
from workbench.models.asking import first_line, steady_batches
from workbench.models.torch import TorchEngine, dtype_of, engine_of, remade
from workbench.variants.quantization.quantize_record import (
    CALIBRATION_BATCH,
    calibration_notes,
    check_calibration,
    copied_module,
    finished,
    without_gradient,
)
from workbench.variants.quantization.torchao_library import torchao_pt2e
from workbench.variants.quantization.twin import (
    Taps,
    first_apart,
    shared_copy,
    smooth_of,
    tapped,
    taps_of,
    twin_of,
)
from workbench.variants.recipes import Recipe
from workbench.variants.record import rows_to_try

if TYPE_CHECKING:
    import torch

TWIN_BOUND = 1e-4
"""How far a twin's scores may be from the copy's own, as a share of the largest score (or of 1). Both do
the same arithmetic in single precision, which leaves differences of about 1e-5; a single activation
rounded to another step moves scores by 1e-3 and more."""

_PERTURB = "Use a perturbation method such as Occlusion, LIME or PermutationSHAP."
_TAPS = "workbench_taps"  # an entry of the graph's meta, which copies keep


@dataclass(frozen=True)
class Answering:
    """A real int8 graph in place of a model.

    Args:
        model: its scores and maps are the graph's, its gradients those of a faithful twin, if any.
        twin_gap: the largest difference between the scores of the two; None without a twin.
    """

    model: Model
    twin_gap: float | None


def quantize_static(
    model: Model,
    calibration: Inputs,
    *,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A real int8 copy: the module's graph with 8-bit weights and activations, by torchao's PT2E for x86.

    Weights have one scale per output channel, activations one per tensor, from histograms over the
    calibration rows. Batch normalization is folded into the convolution before it. The graph reads rows of
    the calibration rows' shape, in any number.

    Int8 operators have no gradient. Scores, perturbations and `feature_maps` are the int8 graph's own;
    `gradient` and `activations` come from a twin that computes the same numbers and passes gradients
    straight through the rounding. `variant.twin_gap` says how far the two are apart; beyond `TWIN_BOUND`
    there is no gradient, and `model.absent` says why.

    Args:
        model: made from a torch module, which is left as it was found.
        calibration: rows such as the model was trained on.
        name: of the copy.
        rows: to try both models on; the calibration rows when left out.

    Raises:
        IncompatibleError: a model of another library, or one whose graph torch cannot export.
        InputError: no layer can be rounded; no calibration rows; weights that are not float32.
        MissingDependency: torchao is not installed.
    """
    import torch

    steps, quantizers = torchao_pt2e()
    given = check_calibration(model, calibration)
    module = copied_module(model)
    if dtype_of(module) is not torch.float32:
        raise InputError(
            f"quantize_static needs float32 weights, but those of {model.name!r} are {dtype_of(module)}. "
            "Wrap module.float()."
        )
    engine = engine_of(model)
    exported = _exported(module, engine, given)
    taps = taps_of(exported)
    _name_runs_apart(exported)
    quantizer = quantizers.X86InductorQuantizer().set_global(
        quantizers.get_default_x86_inductor_quantization_config()
    )
    try:
        # Conversion draws numbers that nobody uses; the user's own come back.
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            prepared = steps.prepare_pt2e(exported, quantizer)
            for start in range(0, len(given), CALIBRATION_BATCH):
                part = given.values[start : start + CALIBRATION_BATCH]
                prepared(engine.prepared(part).contiguous())  # as in the export: `view` needs it
            graph = _trimmed(steps.convert_pt2e(prepared))
    except ValueError as error:
        raise IncompatibleError(
            f"quantize_static needs linear and convolution layers with plain weights, but torchao cannot "
            f"round the graph of {model.name!r}: {clean(first_line(error))} Make it from the model before "
            "its weights were rounded."
        ) from error
    graph.meta[_TAPS] = taps
    touched, layers = _counted(graph)
    if not layers:
        raise InputError(
            f"quantize_static rounds linear and convolution layers, but {model.name!r} has none: it is "
            f"made of {sorted({type(part).__name__ for part in module.modules()})}. Use cast to halve "
            "its precision."
        )
    tried = given if rows is None else rows
    shaped = replace(model, shape=given.values.shape[1:])
    answering = answered_by(graph, shaped, name=name or f"{model.name}, static int8", rows=tried)
    has_twin = answering.model.gradient is not None
    return finished(
        answering.model,
        model,
        recipe="quantize_static(model, calibration)",
        description=f"8-bit weights and activations over {len(given)} calibration rows, by torchao's PT2E",
        runs_as="int8, PT2E",
        touched=touched,
        layers=layers,
        rows=tried,
        notes=calibration_notes(model, given),
        explained_as="a differentiable twin" if has_twin else "itself",
        twin_gap=answering.twin_gap,
        rounds_activations=True,
    )


def is_static(native: object) -> bool:
    """Whether this is the graph of a copy by `quantize_static`."""
    return _TAPS in getattr(native, "meta", {})


def answered_by(
    graph: torch.fx.GraphModule, model: Model, *, name: str, rows: Inputs | None
) -> Answering:
    """The graph in place of the model, with its twin's gradients where the twin is faithful."""
    taps: Taps = graph.meta[_TAPS]
    copy = remade(model, graph, name=name)
    artefact = engine_of(copy)
    maps = _engine(tapped(graph, taps), artefact)
    if not kinds.has_columns(copy.kind):
        copy = replace(copy, feature_maps=maps.feature_maps, layers=maps.layers)
    twin_graph, left = twin_of(graph)
    if left:
        reason = (
            f"Int8 operators of {name!r} have no differentiable counterpart: "
            f"{', '.join(dict.fromkeys(left))}. {_PERTURB}"
        )
        return Answering(without_gradient(copy, reason), None)
    twin = _engine(tapped(twin_graph, taps), artefact)
    twin.smooth = _engine(smooth_of(graph), artefact)
    copy = replace(
        copy,
        gradient=twin.gradient,
        deep_lift=None,  # captum would read the layers of the copy, not of its twin
        activations=None if kinds.has_columns(copy.kind) else twin.activations,
        remarks=lambda: (*artefact.remarks(), *maps.remarks(), *twin.remarks()),
    )
    tried = rows_to_try(copy, rows)
    if tried is None:
        return Answering(copy, None)
    with steady_batches():
        scores = copy.scores(tried)
        gap = float(np.abs(twin.predict(tried) - scores).max())
    bound = TWIN_BOUND * max(1.0, float(np.abs(scores).max()))
    if not gap <= bound:  # also true where the gap is NaN
        apart = first_apart(graph, twin_graph, artefact.prepared(tried).contiguous())
        reason = (
            f"A twin must give the scores of {name!r} within {bound:.2g}, but differs by {gap:.2g}, first "
            f"at layer {apart}, so its gradients would be another model's. {_PERTURB}"
        )
        copy = without_gradient(copy, reason)
    return Answering(copy, gap)


def _engine(module: torch.nn.Module, like: TorchEngine) -> TorchEngine:
    return TorchEngine(like.name, module, preprocess=like.preprocess, output=like.output)


def _exported(
    module: torch.nn.Module, engine: TorchEngine, calibration: Inputs
) -> torch.fx.GraphModule:
    """The module's graph for any number of rows.

    Raises:
        IncompatibleError: torch cannot export it.
    """
    import torch

    # Torch takes lengths 0 and 1 of an example as fixed, so the example has two rows.
    example = engine.prepared(np.repeat(calibration.values[:1], 2, axis=0)).contiguous()
    rows = torch.export.Dim("rows", min=1)
    try:
        with warnings.catch_warnings():
            # Recurrent layers assign their weights again while they run; the graph holds them once.
            warnings.filterwarnings("ignore", "The tensor attributes .* were assigned", UserWarning)
            program = torch.export.export(module, (example,), dynamic_shapes=({0: rows},))
        return program.module()
    except (RuntimeError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise IncompatibleError(
            f"quantize_static needs a module that torch.export can turn into one graph for any number of "
            f"rows, but for {engine.name!r} that failed: {clean(first_line(error))} Use fake_quantize, "
            "which rounds the module as it is."
        ) from error


def _name_runs_apart(exported: torch.fx.GraphModule) -> None:
    """Separates the runs of a module that runs more than once, as if each were a module of its own.

    torchao's quantizer takes all nodes of one name as one run, and refuses a ReLU that is used twice.
    """
    for node in exported.graph.nodes:
        stack = node.meta.get("nn_module_stack")
        if stack:
            node.meta["nn_module_stack"] = {
                key: (f"{name}@{run}" if run else name, kind)
                for key, (name, kind) in stack.items()
                for run in [key.partition("@")[2]]
            }


def _trimmed(graph: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """The graph without the float weights that conversion leaves behind, which would double the file.

    Where the module returns one tensor, the graph takes and returns one without the trees that export
    wraps around it: copying torch's own trees causes warnings.
    """
    import torch

    codegen: Any = graph.graph._codegen
    if codegen.pytree_info.out_spec.is_leaf():
        given = graph.graph.output_node()
        answers: Any = given.args[0]
        (inner,) = answers
        given.args = (inner,)
        graph.graph.set_codegen(torch.fx.graph.CodeGen())
    trimmed = shared_copy(graph)  # holds only what its nodes use
    for parameter in trimmed.parameters():
        parameter.requires_grad_(False)
    return trimmed


def _counted(graph: torch.fx.GraphModule) -> tuple[int, int]:
    """Layers with rounded weights, and all linear and convolution layers; shared weights count once."""
    import torch

    aten = torch.ops.aten
    kinds = (
        aten.linear.default,
        aten.conv1d.default,
        aten.conv2d.default,
        aten.conv2d.padding,
        aten.conv3d.default,
        aten.conv_transpose2d.input,
    )
    found: dict[str, bool] = {}
    for node in graph.graph.nodes:
        if node.target in kinds:
            weight: Any = node.args[1]
            rounded = "dequantize" in str(weight.target)
            source = weight.args[0] if rounded else weight
            found[str(source.target)] = rounded
    return sum(found.values()), len(found)


RECIPE = Recipe(
    "quantize_static",
    "Static int8 (torchao, PT2E)",
    "quantize_static",
    rows_as="calibration",
    needs_rows=True,
    modules=("torchao",),
    extra="compress",
    order=14,
)
