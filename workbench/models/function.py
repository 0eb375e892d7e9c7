"""Any callable, or any object with a `predict`, as a `Model`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, Scale, clean
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models.arguments import Wrapping, waits_of
from workbench.models.asking import (
    UNTRIED,
    Memory,
    Serialized,
    Trial,
    asked_again,
    first_line,
)
from workbench.models.outputs import classes_of, output_names
from workbench.models.reading_form import form_for

ABSENT = {
    "gradient": "Of a function only the scores can be asked; where you know it, give Model(gradient=...).",
    "activations": "Of a function only the scores can be asked.",
    "feature_maps": "Of a function only the scores can be asked.",
    "trees": "Of a function only the scores can be asked; wrap the estimator or booster behind it itself.",
}
"""Why a callable offers scores alone."""


@dataclass(frozen=True, eq=False)
class Asked:
    """How scores are computed from an object.

    Args:
        call: from rows to scores.
        outputs: the names of the columns of scores.
        scale: their unit.
        notes: what was assumed.
    """

    call: Callable[[Any], Any]
    outputs: tuple[str, ...]
    scale: Scale
    notes: tuple[str, ...] = ()


def can_be_asked(native: object) -> bool:
    """Whether an object other than a class can be called or has a method that gives scores.

    >>> can_be_asked(len), can_be_asked(dict), can_be_asked("model.pt")
    (True, False, False)
    """
    methods = ("predict_proba", "decision_function", "predict")
    asks = callable(native) or any(callable(getattr(native, one, None)) for one in methods)
    return asks and not isinstance(native, type)


def _way_of(native: Any, name: str, outputs: Sequence[str] | None, scale: Scale | None) -> Asked:
    """How scores are computed: by calling the object, or by the one of its methods that gives scores.

    For an object that cannot be called, `predict_proba` (probabilities) is used, else its
    `decision_function` (margins), else `predict`; a note says which.

    Raises:
        InputError: outputs or scale can neither be read nor were given, or the object has no such scale.
        IncompatibleError: it has only margins, and probabilities are wanted.
    """
    if callable(native):
        return Asked(native, *_as_given(f"the function {name!r}", outputs, scale))
    probable = callable(getattr(native, "predict_proba", None))
    margin = callable(getattr(native, "decision_function", None))
    plain = callable(getattr(native, "predict", None))
    classes = [clean(one) for one in getattr(native, "classes_", ())]
    if probable and scale in (None, "probability"):
        return _by_method(native, "predict_proba", "probability", name, outputs, classes)
    if margin and scale in (None, "raw", "logit"):
        names = classes[1:] if len(classes) == 2 else classes
        return _by_method(native, "decision_function", scale or "raw", name, outputs, names)
    if probable:
        raise InputError(
            f"scale={scale!r} needs scores of that unit, but {name!r} gives probabilities (predict_proba) "
            "and labels (predict). Leave scale out, or wrap the function that gives them."
        )
    if not plain:
        raise IncompatibleError(
            f"scale='probability' needs predict_proba, which {name!r} ({type(native).__name__}) does not "
            "have. Leave scale out for its margin, or wrap a function that gives probabilities."
        )
    known = _as_given(f"{name!r}, which has only predict,", outputs, scale)
    note = "The scores are what predict gives; a classifier's labels would not be scores."
    return Asked(native.predict, *known, (note,))


def _by_method(
    native: Any,
    method: str,
    scale: Scale,
    name: str,
    outputs: Sequence[str] | None,
    classes: list[str],
) -> Asked:
    if outputs is None and not classes:
        _as_given(f"{name!r}, whose {method} names no classes,", outputs, scale)
    note = f"The scores are what {method} gives, taken as {scale}."
    return Asked(
        getattr(native, method), output_names(name, outputs, None, classes), scale, (note,)
    )


def _as_given(
    what: str, outputs: Sequence[str] | None, scale: Scale | None
) -> tuple[tuple[str, ...], Scale]:
    """Outputs and scale as given, where the object itself names neither."""
    missing = [word for word, given in (("outputs", outputs), ("scale", scale)) if given is None]
    if outputs is None or scale is None:
        raise InputError(
            f"Wrapping {what} needs outputs=[...] (a name per column of scores) and "
            f"scale='logit', 'probability' or 'raw', but {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing."
        )
    return output_names(what, outputs, None, ()), scale


def function_model(native: object, wrapping: Wrapping) -> Model:
    """The callable as it is: rows `(n, *f)` to scores `(n, k)`, or `(n,)` for one output.

    It gets a copy of the rows, which it may write into, and may return an array, a list, a frame or a
    tensor; for a single row also its scores alone.

    Args:
        native: a callable, or an object with a method that gives scores; see `can_be_asked`.
        wrapping: with outputs and scale, where they cannot be read.

    Raises:
        InputError: outputs or scale are missing, or the scale is one it does not give.
        ModelError: it failed on `like`, or returned something else than one row of scores per row.
    """
    name, like, shape, frames = wrapping.name, wrapping.like, wrapping.shape, wrapping.frames
    kind = wrapping.kind
    way = _way_of(native, name, wrapping.outputs, wrapping.scale)
    form, found = form_for(native, way.call, wrapping)

    def answer(rows: NDArray[Any]) -> NDArray[Any]:
        return _scores(name, way.call(form.of(np.array(rows))), len(rows), len(way.outputs))

    known: tuple[int | None, ...] = tuple(shape) if shape is not None else ()
    if like is not None and shape is None and not like.of_kind.spatial:
        known = like.values.shape[1:]

    def advice(n: int) -> str:
        return _way_out(n, frames=bool(frames))

    waits, metered = waits_of(wrapping.retries), wrapping.metered
    again = asked_again(answer, waits)
    fresh = Serialized(name, native, again, advice)
    # A trial asks the same rows twice to see whether they change; a memory would hide that.
    trial = Trial(fresh, fresh.lock)
    memory = Memory(name, again) if waits or metered else None
    predict = fresh if memory is None else Serialized(name, native, memory, advice)

    def remarks() -> tuple[str, ...]:
        found = (UNTRIED,) if metered else trial.remarks()
        return (*found, *(() if memory is None else memory.remarks()))

    model = Model(
        name=name,
        predict=predict,
        outputs=way.outputs,
        scale=way.scale,
        kind=like.kind if kind is None and like is not None else kind,
        features=like.features if like is not None else (),
        categories=like.categories if like is not None else None,
        columns=like.columns if like is not None else (),
        shape=known,
        classes=classes_of(native, way.outputs, len(way.outputs)),
        batch=wrapping.batch or 4096,
        native=native,
        absent=ABSENT,
        notes=(*way.notes, *found),
        trial=_untried if metered else trial,
        remarks=remarks,
        metered=metered,
    )
    if like is not None and not metered:
        model.scores(like.values[:1])
    return model


def _untried(_inputs: Inputs) -> None:
    """In place of a trial: nothing is asked."""


def _way_out(n: int, *, frames: bool) -> str:
    words = "Give rows like those it was made for"
    if not frames:
        words += ", or frames=True and like=inputs if it reads frames"
    if n == 1:
        words += "; if it needs more rows at once, wrap a function that repeats the row"
    return f"{words}."


def _scores(name: str, answer: Any, n: int, k: int) -> NDArray[np.float64]:
    """An answer of any type as an array of numbers; for one row also `(k,)`, which `squeeze` leaves.

    Raises:
        ModelError: it holds what is no number.
    """
    if hasattr(answer, "detach"):  # a tensor of torch
        answer = answer.detach().cpu().double()
    if hasattr(answer, "toarray"):  # a sparse matrix
        answer = answer.toarray()
    if hasattr(answer, "sort_index") and sorted(answer.index.tolist(), key=str) == sorted(
        range(n), key=str
    ):
        answer = answer.sort_index()  # a Series or frame says by its index whose score each one is
    try:
        if np.iscomplexobj(answer):
            raise TypeError("complex numbers")
        scores = np.asarray(answer, dtype=np.float64).copy()  # a function may reuse its array
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"Model {name!r} must answer with numbers, one row of scores per row, but gave a "
            f"{type(answer).__name__} that cannot be read so ({clean(first_line(error))}) Wrap a function "
            "that returns scores rather than labels."
        ) from None
    if n == 1 and scores.ndim <= 1 and scores.size == k:
        return scores.reshape(1, k)
    return scores[:, None] if scores.ndim == 1 else scores
