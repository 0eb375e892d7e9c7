"""`wrap`: a live object of another library as a `Model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from workbench.core import Inputs, Model, Scale, clean
from workbench.core.inputs import Kind
from workbench.errors import IncompatibleError, InputError
from workbench.models.adapters import adapter_of, recognized
from workbench.models.arguments import Wrapping


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
    frames: bool | None = None,
    retries: int | Sequence[float] = 0,
    metered: bool = False,
) -> Model:
    """A torch module or exported program, a fitted scikit-learn estimator, Pipeline or booster, an ONNX
    model, any callable, or any object with `predict_proba`, `decision_function` or `predict`, as a `Model`.

    What is not given is read from the object where possible, and `Model.notes` says what was assumed.
    The object is not copied: it is left as it was found, and training it further changes the model.

    >>> import numpy as np
    >>> def twice(rows):
    ...     return 2 * rows[:, :1]
    >>> model = wrap(twice, outputs=["twice"], scale="raw", shape=(3,))
    >>> model.name, model.scores(np.ones((1, 3)))
    ('twice', array([[2.]]))

    Args:
        native: the live object; of an ONNX model its `ModelProto`, its bytes or an
            `onnxruntime.InferenceSession`. A `Model` comes back as it is, under `name` if one is given.
        name: what menus and tables call it; the class or function's name when left out.
        outputs: one name per column of scores.
        scale: the unit of the scores. Needed for a callable and for an object that only has `predict`;
            assumed and noted for the others.
        kind: what a row is; scikit-learn models and boosters read tables.
        like: example rows, like those to be explained: the object is tried on the first of them, and an
            estimator or booster fitted on a frame takes column names and category labels from them.
        preprocess: for a torch module, applied to each batch on its device, such as `Normalize`, or
            `Split` for a module that reads several tensors; for an ONNX model, to the rows in NumPy.
        shape: the shape of one row, with None for a free length.
        batch: rows per call.
        output: for a torch module or an ONNX model that answers with several tensors, which entry holds the
            scores.
        frames: whether a callable or an estimator reads pandas frames with the columns, labels and types of
            `like` (True), or arrays (False). When left out, an estimator that keeps its columns' names gets
            frames by these names, and of the others it is found by trying; where both are accepted and
            give different scores, it must be said.
        retries: for a function that may fail for a while, such as a remote one: how often a failed call is
            made again, after 1, 2, 4, ... seconds (at most 60), or the seconds to wait before each of
            these calls. What it has answered is kept, and not asked again.
        metered: for a function whose answers cost money or a quota: nothing is asked beside the runs
            themselves (no try with `like`, no trial, no probe in `plan`), and no row twice.

    Raises:
        IncompatibleError: an object of another sort, or one that gives no scores.
        InputError: arguments that do not fit the object; an estimator that is not fitted.
        UnsafeFileError: an ONNX model that needs other files, or the code of other libraries.
    """
    if isinstance(native, Model):
        flags = (frames, retries or None, metered or None)
        others = (outputs, scale, kind, like, preprocess, shape, batch, output, *flags)
        return _renamed(native, name, others)
    wrapping = Wrapping(
        name=name or "",
        outputs=outputs,
        scale=scale,
        kind=kind,
        like=like,
        preprocess=preprocess,
        shape=shape,
        batch=batch,
        output=output,
        frames=frames,
        retries=retries,
        metered=metered,
    )
    adapter = adapter_of(native)
    reads: tuple[str, ...] = getattr(adapter, "reads", ())
    if wrapping.frames:
        _check_frames(native, wrapping, known=adapter is not None and "frames" not in reads)
    _check_read(wrapping, reads)
    if adapter is None:
        raise IncompatibleError(f"{recognized()} is needed, but got {_described(native)}")
    return adapter.wrap(native, wrapping)


def _renamed(model: Model, name: str | None, others: tuple[object, ...]) -> Model:
    if any(given is not None for given in others):
        raise InputError(
            f"{model.name!r} is a Model already, so only its name can change. Wrap the object it was "
            "made from (model.native) with the other arguments."
        )
    return model if name is None else model.renamed(name)


def _check_frames(native: object, wrapping: Wrapping, *, known: bool) -> None:
    """Frames are made only for callables and estimators, with the columns and labels of `like`."""
    if known:
        raise InputError(
            f"frames is for callables and estimators, but got a {type(native).__name__}. Leave it out: a "
            "booster that was fitted on a frame finds its columns by name, and the others read arrays."
        )
    like = wrapping.like
    if like is None or not like.of_kind.columns:
        raise InputError(
            "frames=True needs like=inputs, rows of a table whose columns and labels the frames shall "
            f"have, but like is {'missing' if like is None else f'of kind {like.kind!r}'}. Give "
            "like=workbench.data.table(frame)."
        )


def _check_read(wrapping: Wrapping, reads: tuple[str, ...]) -> None:
    """Refuses arguments that the adapter would ignore in silence."""
    given = {"preprocess": wrapping.preprocess, "output": wrapping.output}
    if any(value is not None and name not in reads for name, value in given.items()):
        raise InputError(
            "preprocess and output are for torch modules and ONNX models. Put the preprocessing into the "
            "Pipeline or the function itself, and let it return the scores."
        )
    remote = {"retries": wrapping.retries, "metered": wrapping.metered}
    if any(value and name not in reads for name, value in remote.items()):
        raise InputError(
            "retries and metered are for functions, such as remote ones. Leave them out: a model in this "
            "process fails again in the same way, and costs nothing."
        )
    preprocess = wrapping.preprocess
    if preprocess is not None and not callable(preprocess):
        raise InputError(
            f"preprocess must be Normalize(mean, std) or a function of a batch, not {preprocess!r}."
        )


def _described(native: object) -> str:
    if isinstance(native, type):
        return f"the class {native.__name__}. Give an instance of it."
    if isinstance(native, str | PathLike):
        return f"{clean(native)!r}. For a file use workbench.load(path)."
    return f"a {type(native).__name__}."
