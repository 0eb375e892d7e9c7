"""`wrap`: a live object of another library as a `Model`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, get_args

from workbench.core import Inputs, Model, Scale, clean, kinds
from workbench.core.inputs import Kind
from workbench.errors import IncompatibleError, InputError
from workbench.models.boosters import booster_library, booster_model
from workbench.models.columns import check_numbers
from workbench.models.function import asked_of, function_model
from workbench.models.scikit import final_step, scikit_model


def wrap(
    native: object,
    *,
    name: str | None = None,
    outputs: Sequence[str] | None = None,
    scale: Scale | None = None,
    kind: Kind | None = None,
    like: Inputs | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    shape: Sequence[int | None] | None = None,
    batch: int | None = None,
    output: str | int | None = None,
    frames: bool = False,
) -> Model:
    """A torch module or exported program, a fitted scikit-learn estimator, Pipeline or booster, an ONNX
    model, any callable, or any object with `predict_proba`, `decision_function` or `predict`, as a `Model`.

    What is not given is read from the object where it can be, and `Model.notes` says what was assumed.
    The object is not copied: it is left as it was found, and training it further changes the model.

    Args:
        native: the live object; of an ONNX model its `ModelProto`, its bytes or an
            `onnxruntime.InferenceSession`. A `Model` comes back as it is, under `name` if one is given.
        name: what menus and tables call it; the class or function's name when left out.
        outputs: one name per column of scores.
        scale: the unit of the scores. Needed for a callable and for an object that only has `predict`;
            assumed and noted for the others.
        kind: what a row is; scikit-learn models and boosters read tables.
        like: rows such as will be explained: the object is tried on the first of them, and an estimator
            or booster fitted on a frame finds its columns by name and its categories by label in them.
        preprocess: for a torch module, applied to each batch on its device, such as `Normalize`, or
            `Split` for a module that reads several tensors; for an ONNX model, to the rows in NumPy.
        shape: the shape of one row, with None for a free length.
        batch: rows per call.
        output: for a torch module or an ONNX model that answers with several tensors, which entry holds the
            scores.
        frames: whether a callable reads pandas frames with the columns and labels of `like`.

    Raises:
        IncompatibleError: an object of another sort, or one that gives no scores.
        InputError: arguments that do not fit the object; an estimator that is not fitted.
        UnsafeFileError: an ONNX model that needs other files, or the code of other libraries.
    """
    if isinstance(native, Model):
        others = (outputs, scale, kind, like, preprocess, shape, batch, output, frames or None)
        return _renamed(native, name, others)
    _check(scale, kind, like, shape, batch)
    if frames:
        _check_frames(native, like)
    torch, base = sys.modules.get("torch"), sys.modules.get("sklearn.base")
    if torch is not None and isinstance(native, torch.export.ExportedProgram):
        native, name = native.module(), name or "exported program"
    if torch is not None and isinstance(native, torch.nn.Module):
        from workbench.models.torch_module import torch_model

        check_numbers(like, name or type(native).__name__)
        return torch_model(
            native,
            name=name or type(native).__name__,
            outputs=outputs,
            scale=scale,
            kind=kind,
            like=like,
            preprocess=_callable(preprocess),
            shape=shape,
            batch=batch,
            output=output,
        )
    if _is_onnx(native):
        from workbench.models.onnx_model import onnx_model

        check_numbers(like, name or "ONNX model")
        return onnx_model(
            native,
            name=name or "ONNX model",
            outputs=outputs,
            scale=scale,
            kind=kind,
            like=like,
            preprocess=_callable(preprocess),
            shape=shape,
            batch=batch,
            output=output,
        )
    if preprocess is not None or output is not None:
        raise InputError(
            "preprocess and output are for torch modules and ONNX models. Put the preprocessing into the "
            "Pipeline or the function itself, and let it return the scores."
        )
    final, before = final_step(native)
    if booster_library(final) is not None and not before:
        _check_tabular(kind)
        return booster_model(
            final,
            name=name or type(final).__name__,
            outputs=outputs,
            scale=scale,
            like=like,
            shape=shape,
            batch=batch,
        )
    if base is not None and isinstance(native, base.BaseEstimator):
        _check_tabular(kind)
        return scikit_model(
            native,
            name=name or type(final).__name__,
            outputs=outputs,
            scale=scale,
            like=like,
            shape=shape,
            batch=batch,
        )
    name = name or str(getattr(native, "__name__", type(native).__name__))
    asked = None if isinstance(native, type) else asked_of(native, name, outputs, scale)
    if asked is None:
        raise IncompatibleError(
            "A live torch.nn.Module, a fitted scikit-learn estimator or Pipeline, a booster of XGBoost, "
            "LightGBM or CatBoost, an ONNX model, or a callable from rows to scores is needed, but got "
            f"{_described(native)}"
        )
    if not frames:
        check_numbers(like, name)
    return function_model(
        asked,
        native,
        name=name,
        kind=kind,
        like=like,
        shape=shape,
        batch=batch,
        frames=frames,
    )


def _renamed(model: Model, name: str | None, others: tuple[object, ...]) -> Model:
    if any(given is not None for given in others):
        raise InputError(
            f"{model.name!r} is a Model already, so only its name can change. Wrap the object it was "
            "made from (model.native) with the other arguments."
        )
    return model if name is None else model.renamed(name)


def _check_frames(native: object, like: Inputs | None) -> None:
    torch, base = sys.modules.get("torch"), sys.modules.get("sklearn.base")
    known = (() if torch is None else (torch.nn.Module, torch.export.ExportedProgram)) + (
        () if base is None else (base.BaseEstimator,)
    )
    if isinstance(native, known) or _is_onnx(native) or booster_library(native) is not None:
        raise InputError(
            f"frames is for callables, but got a {type(native).__name__}. Leave it out: an estimator or "
            "booster that was fitted on a frame gets frames by itself, and the others read arrays."
        )
    if like is None or not like.of_kind.columns:
        raise InputError(
            "frames=True needs like=inputs, rows of a table whose columns and labels the frames shall "
            f"have, but like is {'missing' if like is None else f'of kind {like.kind!r}'}. Give "
            "like=workbench.data.table(frame)."
        )


def _is_onnx(native: object) -> bool:
    """Whether an object is an ONNX model in one of its forms; nothing is imported to find out."""
    onnx, runtime = sys.modules.get("onnx"), sys.modules.get("onnxruntime")
    if isinstance(native, bytes | bytearray | memoryview):
        return True
    if onnx is not None and isinstance(native, onnx.ModelProto):
        return True
    return runtime is not None and isinstance(native, runtime.InferenceSession)


def _check_tabular(kind: Kind | None) -> None:
    if kind is not None and not kinds.of(kind).columns:
        raise InputError(
            f"scikit-learn models and boosters read tables; kind={kind!r} does not fit."
        )


def _check(
    scale: object,
    kind: Kind | None,
    like: Inputs | None,
    shape: Sequence[int | None] | None,
    batch: int | None,
) -> None:
    if scale is not None and scale not in get_args(Scale):
        raise InputError(f"scale must be one of {list(get_args(Scale))}, not {scale!r}.")
    if kind is not None:
        kinds.of(kind, "kind must be one of")
    if batch is not None and (not isinstance(batch, int) or batch < 1):
        raise InputError(f"batch must be a whole number of rows above zero, not {batch!r}.")
    if shape is not None and not all(
        length is None or (isinstance(length, int) and length > 0) for length in shape
    ):
        raise InputError(f"shape must hold lengths above zero, or None where free, not {shape!r}.")
    if like is None:
        return
    if not isinstance(like, Inputs):
        raise InputError(
            f"like must be Inputs, such as workbench.data.table(frame), not {type(like).__name__}."
        )
    if not len(like):
        raise InputError(f"like needs at least one row to try, but {like.name!r} has none.")
    if kind is not None and kind != like.kind:
        raise InputError(f"kind={kind!r} contradicts like, whose rows are {like.kind}.")


def _callable(preprocess: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if preprocess is not None and not callable(preprocess):
        raise InputError(
            f"preprocess must be Normalize(mean, std) or a function of a batch, not {preprocess!r}."
        )
    return preprocess


def _described(native: object) -> str:
    if isinstance(native, type):
        return f"the class {native.__name__}. Give an instance of it."
    if isinstance(native, str | PathLike):
        return f"{clean(native)!r}. For a file use workbench.load(path)."
    return f"a {type(native).__name__}."
