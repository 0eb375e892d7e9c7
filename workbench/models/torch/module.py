"""A live `torch.nn.Module` as a `Model`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import Inputs, Model, kinds
from workbench.core.inputs import Kind
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models.answer import KEPT
from workbench.models.arguments import Wrapping
from workbench.models.asking import rows_per_call
from workbench.models.digest import module_digest, object_digest
from workbench.models.normalize import Normalize
from workbench.models.outputs import numbered, output_names
from workbench.models.split import Split
from workbench.models.torch.ablated import ablated
from workbench.models.torch.arguments import NO_SLOPE, not_ready, opaque
from workbench.models.torch.deep_lift import deep_lift
from workbench.models.torch.engine import Preprocess, TorchEngine
from workbench.models.torch.first_gradient import lost_gradients
from workbench.models.torch.free_sizes import outputs_at_free_sizes
from workbench.models.torch.scale import assumed_scale, checked_scale, seen_scores
from workbench.models.torch.state import dtype_of

if TYPE_CHECKING:
    import torch

Shape = tuple[int | None, ...]

_FREE = 64  # pixels for a free height or width, samples for a free length
_FREE_VOLUME = 32
_CONVOLUTIONS = {1: "signal", 2: "image", 3: "volume"}  # by their number of axes


def torch_model(module: torch.nn.Module, wrapping: Wrapping, *, copied: bool = False) -> Model:
    """The module with the capabilities gradient, masked and, unless it reads tables, activations.

    What is not given is read from the module, and noted: the kind and the shape of a row from its first
    layer, the scale from the last step behind the scores of a few rows, against which a given scale is held
    too. The number of outputs comes from a dry run on one row, where a row is known, and at two sizes where
    height and width are free.

    Args:
        copied: whether the module stands in the place of another, whose outputs and shape are known: then
            it need not accept a row of zeros, which may be no row of it (codes from 1, logarithms).

    Raises:
        InputError: the outputs cannot be counted and are not named, or are named wrongly.
    """
    name, outputs, like, shape = wrapping.name, wrapping.outputs, wrapping.like, wrapping.shape
    preprocess, scale, kind = wrapping.preprocess, wrapping.scale, wrapping.kind
    batch, output = wrapping.batch, wrapping.output
    if why := not_ready(module):
        raise InputError(f"Model {name!r} needs weights, but {why}")
    notes: list[str] = []
    first_kind, first_shape = _first_layer(module, preprocess)
    if isinstance(preprocess, Split):
        first_kind, first_shape = "tabular", (preprocess.width,)
    engine = TorchEngine(name, module, preprocess=preprocess, output=output, batch=batch)
    if kind is None and like is None and not _reads(engine, first_kind, first_shape, shape):
        first_kind, first_shape = None, ()
    if kind is None:
        kind = like.kind if like is not None else first_kind
    if kind != first_kind:
        first_shape = ()
    known: Shape
    if like is not None:
        known = (
            *(None,) * like.of_kind.spatial,
            *like.values.shape[1 + like.of_kind.spatial :],
        )
        columns = engine.predict(like.values[:1]).shape[1]
    else:
        known = tuple(shape) if shape is not None else first_shape
        columns, known = _dry_run(engine, known, required=shape is not None and not copied)
        if columns is None and outputs is None and known and known[-1] is not None:
            columns = outputs_at_free_sizes(engine, known)
    if shape is not None:
        known = tuple(shape)
    engine.like = None if like is None else like[:KEPT]
    at_hand = like if like is not None else _noise(kind, known)
    if at_hand is not None:
        engine.trial(at_hand)
    if scale is None:
        scale, note = assumed_scale(module, seen_scores(engine, at_hand))
        notes.append(note)
    elif not copied and scale != "raw":
        checked_scale(name, scale, seen_scores(engine, at_hand))
    if outputs is None and columns is None:
        raise InputError(
            f"Model {name!r} does not say how many outputs it has. Name them with outputs=[...], or "
            "give like=inputs, some rows it can be tried on."
        )
    if outputs is None:
        notes.append("The outputs have no names of their own. Name them with outputs=[...].")
    absent = lost_gradients(engine, at_hand, kind) | _absent(engine, kind)
    hint = batch or rows_per_call(module, kind)
    lost = {*absent, *(("activations", "feature_maps") if kinds.has_columns(kind) else ())}
    return Model(
        name=name,
        predict=engine.predict,
        outputs=output_names(name, outputs, columns, numbered(columns or 0)),
        scale=scale,
        kind=kind,
        features=like.features if like is not None else (),
        categories=like.categories if like is not None else None,
        shape=known,
        batch=min(hint, engine.most or hint),
        gradient=None if "gradient" in absent else engine.gradient,
        activations=None if "activations" in lost else engine.activations,
        feature_maps=None if "feature_maps" in lost else engine.feature_maps,
        layers=None if "feature_maps" in lost else engine.layers,
        ablated=None if "feature_maps" in lost else partial(ablated, engine),
        deep_lift=None if "gradient" in absent or opaque(module) else partial(deep_lift, engine),
        masked=engine.masked,
        # Autocast leaves double precision unchanged, and bfloat16 would gain nothing.
        masked_half=partial(engine.masked, half=True)
        if dtype_of(module).itemsize in (2, 4)
        else None,
        native=module,
        absent=absent,
        digest=_digest(module, preprocess, output),
        notes=tuple(notes),
        culprit=engine.culprit,
        trial=engine.try_if_odd,
        remarks=engine.remarks,
    )


def _absent(engine: TorchEngine, kind: Kind | None) -> dict[str, str]:
    """Why a capability that torch modules usually have is missing, by its name."""
    absent = {}
    if engine.counts:
        absent["gradient"] = absent["activations"] = (
            f"It cannot be differentiated: {NO_SLOPE} Perturbation methods explain it."
        )
    no_layers = "" if kinds.has_columns(kind) else opaque(engine.module)
    return absent | (dict.fromkeys(("activations", "feature_maps"), no_layers) if no_layers else {})


def _digest(
    module: torch.nn.Module, preprocess: Preprocess | None, output: str | int | None
) -> str:
    """The hash of everything that decides the scores, or "" where a preprocessing cannot be hashed."""
    import torch

    known: object = preprocess
    if isinstance(preprocess, torch.nn.Module):
        known = module_digest(preprocess)
    elif preprocess is not None and not isinstance(preprocess, Normalize | Split):
        known = object_digest(preprocess)
    return "" if known == "" else module_digest(module, known, output)


def torch_engine_of(model: Model) -> TorchEngine | None:
    """The engine that answers for a model made from a torch module, or None for any other model."""
    engine = getattr(model.predict, "__self__", None)
    return engine if isinstance(engine, TorchEngine) else None


def engine_of(model: Model) -> TorchEngine:
    """The engine that answers for a model made from a torch module.

    Raises:
        IncompatibleError: the model is of another library.
    """
    engine = torch_engine_of(model)
    if model.combination is not None:
        raise IncompatibleError(
            f"This needs one model made from a torch module, but {model.name!r} is an ensemble. Change its "
            "members (model.combination.members) and combine the results as before."
        )
    if engine is None:
        raise IncompatibleError(
            f"This needs a model made from a torch module, but {model.name!r} wraps a "
            f"{type(model.native).__name__}. Wrap the module with workbench.wrap(module)."
        )
    return engine


def remade(model: Model, module: torch.nn.Module, *, name: str) -> Model:
    """Another module in place of a torch model's own: same outputs, scale, kind, shape and preprocessing.

    The rows that the model was wrapped for stay with it, and the module is tried on the first of them.

    Raises:
        IncompatibleError: the model is of another library.
        InputError: the module has another number of outputs.
    """
    engine = engine_of(model)
    wrapping = Wrapping(
        name=name,
        outputs=model.outputs,
        scale=model.scale,
        kind=model.kind,
        like=engine.like,
        preprocess=engine.preprocess,
        shape=model.shape or None,
        output=engine.output,
    )
    made = torch_model(module, wrapping, copied=True)
    return replace(
        made,
        features=model.features,
        categories=model.categories,
        classes=model.classes,
        opposite=model.opposite,
        lineage=model.lineage,
    )


def _dry_run(engine: TorchEngine, shape: Shape, *, required: bool) -> tuple[int | None, Shape]:
    """The number of outputs on a row of zeros, and the shape if the module accepts it."""
    if not shape or None in shape:
        return None, shape
    row = np.zeros((1, *(length or 0 for length in shape)))
    try:
        return engine.predict(row).shape[1], shape
    except ModelError as error:
        if required or error.__cause__ is None:
            raise
        return None, ()  # torch refused: the layer found first is not the one that reads the rows


def _noise(kind: Kind | None, shape: Shape) -> Inputs | None:
    """Two rows of noise to try a module on where the user gave none; None where their shape is unknown."""
    if kind is None or not shape or shape[-1] is None:
        return None
    free = _FREE if len(shape) < 4 else _FREE_VOLUME
    lengths = (free if one is None else one for one in shape)
    return Inputs(np.random.default_rng(0).random((2, *lengths)), kind=kind)


def _reads(
    engine: TorchEngine, kind: Kind | None, free: Shape, shape: Sequence[Any] | None
) -> bool:
    """Whether the first layer tells the kind: a signal's or volume's is tried, since the module may make
    channels of a table's columns itself."""
    if kind is None or not kinds.of(kind).windows or kinds.of(kind).planar or not free:
        return True
    if shape is not None:
        return len(shape) == len(free)
    if free == (None, 1) and outputs_at_free_sizes(engine, (None,)) is not None:
        return False  # it takes the columns of tables too
    return outputs_at_free_sizes(engine, free) is not None


def _first_layer(
    module: torch.nn.Module, preprocess: Preprocess | None
) -> tuple[Kind | None, Shape]:
    """The input of the first layer with weights: rows of so many channels or columns.

    The user's own preprocessing may change the shape, so then only the kind is known.
    """
    from torch import nn

    kept = preprocess is None or isinstance(preprocess, Normalize)
    for part in module.modules():
        for axes, layer in ((1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d)):
            if isinstance(part, layer) and (kept or axes == 2):
                return _CONVOLUTIONS[axes], (*(None,) * axes, part.in_channels) if kept else ()
        if isinstance(part, nn.Linear):
            return "tabular", (part.in_features,) if kept else ()
        if not any(True for _ in part.children()) and any(True for _ in part.parameters()):
            return None, ()
    return None, ()
