"""An ONNX model as a `Model`: scores by ONNX Runtime, for the methods that perturb rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, Scale, clean, kinds
from workbench.core.inputs import Kind
from workbench.errors import IncompatibleError, InputError, ModelError, missing
from workbench.models.arguments import Wrapping
from workbench.models.asking import IMAGE_BATCH, TABLE_BATCH, Trial, failed, failures, first_line
from workbench.models.normalize import Normalize
from workbench.models.onnx.graph import classes_of, graph_of, scale_of
from workbench.models.outputs import numbered, output_names

Shape = tuple[int | None, ...]

ABSENT = {
    "gradient": "ONNX Runtime computes no gradients; wrap the module that the model was exported from.",
    "activations": "ONNX Runtime shows no layer and computes no gradients; wrap the module that the model "
    "was exported from.",
    "feature_maps": "ONNX Runtime shows no layer inside the graph; wrap the module that the model was "
    "exported from.",
    "attention": "ONNX Runtime shows no layer inside the graph.",
    "trees": "Trees are not read out of an ONNX graph; wrap the estimator or booster itself.",
}
"""Why an ONNX model offers scores alone."""

_TYPES: dict[str, type] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
_SCORES = ("tensor(float)", "tensor(double)", "tensor(float16)")
_LABELS = ("tensor(int64)", "tensor(int32)", "tensor(string)")
_CHANNELS = (1, 3, 4)


def onnx_model(native: Any, wrapping: Wrapping) -> Model:
    """The model with predict alone, on one thread of the CPU.

    Rows of four dimensions are images, channels last as everywhere; the graph's own layout follows from its
    declared shape, from `shape=(h, w, c)` where that is not clear, and is else taken as channels first. A
    graph with several inputs reads a table: each input takes as many columns as it is wide, in their order.
    Where the graph fixes the number of rows, rows are passed in batches of that size, the last one filled
    up with copies of its last row. For inputs of whole numbers, rows are rounded; values outside the type's
    range are refused.

    Where a converted classifier gives a label and probabilities, the probabilities are taken.

    Args:
        native: an `onnxruntime.InferenceSession`, an `onnx.ModelProto`, or the bytes of one.
        wrapping: its preprocess is applied to the rows `(n, *f)` in NumPy, before the layout changes; its
            output is the name or number of the output that holds the scores.

    Raises:
        InputError: bytes that hold no ONNX model; inputs or outputs that cannot be used, with their names.
        UnsafeFileError: operators of another library, or weights outside of the bytes.
        MissingDependency: onnxruntime is not installed.
    """
    name, outputs, like, shape = wrapping.name, wrapping.outputs, wrapping.like, wrapping.shape
    preprocess = wrapping.preprocess
    proto, data = None, b""
    if not hasattr(native, "get_inputs"):
        data = native if isinstance(native, bytes) else _bytes(name, native)
        proto = graph_of(name, data)
    session = native if proto is None else _session(name, data)
    notes: list[str] = []
    reading = _reading(name, session.get_inputs(), wrapping.kind, shape, notes)
    chosen = _chosen_output(name, session.get_outputs(), wrapping.output)
    engine = _Engine(name, session, reading, chosen.name, preprocess, wrapping.batch, data)
    columns, labels = _tried(engine, chosen, reading, like, shape)
    if outputs is None and columns is None:
        raise InputError(
            f"Model {name!r} does not say how many outputs it has. Name them with outputs=[...], or "
            "give like=inputs, some rows it can be tried on."
        )
    if proto is not None and not labels:
        labels = classes_of(proto)
    made_up = labels if columns == len(labels) else numbered(columns or 0)
    scale = wrapping.scale
    if scale is None:
        scale, note = _assumed_scale(proto, chosen)
        notes.append(note)
    if outputs is None and made_up != labels:
        notes.append("The outputs have no names of their own. Name them with outputs=[...].")
    settings = repr(preprocess).encode() if isinstance(preprocess, Normalize) else b""
    trial = Trial(engine.predict)
    return Model(
        name=name,
        predict=engine.predict,
        outputs=output_names(name, outputs, columns, made_up),
        scale=scale,
        kind=reading.kind,
        features=like.features if like is not None else (),
        categories=like.categories if like is not None else None,
        shape=tuple(shape) if shape is not None else reading.shape,
        batch=wrapping.batch or engine.size,
        native=session,
        absent=ABSENT,
        digest=hashlib.sha256(data + settings).hexdigest() if data else "",
        notes=tuple(notes),
        trial=trial,
        remarks=trial.remarks,
    )


@dataclass(frozen=True)
class _Reading:
    """How rows become the inputs of the graph.

    Args:
        inputs: name, type and columns of every input; columns are None where one input takes all.
        kind: what a row is.
        shape: of a row in the user's layout, () where nothing is declared.
        first: whether images go in with channels first.
        fixed: the number of rows that the graph requires, or None.
    """

    inputs: tuple[tuple[str, type, int | None], ...]
    kind: Kind | None
    shape: Shape
    first: bool
    fixed: int | None


def _reading(
    name: str,
    inputs: Sequence[Any],
    kind: Kind | None,
    shape: Sequence[int | None] | None,
    notes: list[str],
) -> _Reading:
    described = [f"{clean(one.name)} {one.type} {one.shape}" for one in inputs]
    strange = [one for one in inputs if one.type not in _TYPES]
    widths = [one.shape[1] if len(one.shape) == 2 else None for one in inputs]
    if not inputs or strange or (len(inputs) > 1 and not all(isinstance(w, int) for w in widths)):
        raise InputError(
            f"One input of numbers, or several that are columns of a table, are needed, but model {name!r} "
            f"reads {described}. Wrap a function that feeds a session of it."
        )
    types = [_TYPES[one.type] for one in inputs]
    if any(np.issubdtype(one, np.integer) for one in types):
        notes.append("The model reads whole numbers, so rows are rounded to the nearest.")
    declared: Shape = tuple(d if isinstance(d, int) else None for d in inputs[0].shape)
    fixed, row = declared[0] if declared else None, declared[1:]
    if len(inputs) > 1:
        row = (sum(width or 0 for width in widths),)
    first = False
    if len(row) == 3:
        first, doubt = _channels_first(row, shape)
        row = (*row[1:], row[0]) if first else row
        if doubt:
            notes.append(
                "The graph does not say where an image's channels stand; they are taken as first, as torch "
                "exports them. Give shape=(h, w, c) if they are last."
            )
    if kind is None:
        kind = kinds.with_axes(1 + len(row))
    every = zip(inputs, types, widths, strict=True)
    named = tuple((one.name, type_, w if len(inputs) > 1 else None) for one, type_, w in every)
    return _Reading(named, kind, row, first, fixed)


def _channels_first(declared: Shape, shape: Sequence[int | None] | None) -> tuple[bool, bool]:
    """Whether an image goes in as `(c, h, w)`, and whether that is uncertain.

    >>> _channels_first((3, 224, 224), None), _channels_first((None, None, 3), None)
    ((True, False), (False, False))
    """

    def fits(order: tuple[int, int, int]) -> bool:
        if shape is None or len(shape) != 3:
            return True
        given = [shape[place] for place in order]
        return all(a is None or b is None or a == b for a, b in zip(declared, given, strict=True))

    can_be_first, can_be_last = fits((2, 0, 1)), fits((0, 1, 2))
    if can_be_first != can_be_last:
        return can_be_first, False
    front, back = declared[0] in _CHANNELS, declared[2] in _CHANNELS
    return (front, False) if front != back else (True, True)


def _chosen_output(name: str, outputs: Sequence[Any], wanted: str | int | None) -> Any:
    """The output that holds the scores."""
    described = [f"{clean(one.name)} {one.type} {one.shape}" for one in outputs]
    scores = [one for one in outputs if one.type in _SCORES or one.type.startswith("seq(map(")]
    if isinstance(wanted, int):
        chosen = list(outputs[wanted : wanted + 1]) if wanted >= 0 else []
    elif wanted is not None:
        chosen = [one for one in outputs if one.name == wanted]
    else:
        rest = [one for one in outputs if one not in scores]
        chosen = scores if all(one.type in _LABELS for one in rest) else []
    if len(chosen) != 1 or chosen[0] not in scores:
        unmatched = "" if wanted is None else f"output={wanted!r} is none of them. "
        raise InputError(
            f"One output of scores is needed, but model {name!r} gives {described}. {unmatched}Say which "
            "with output='name'; labels cannot be explained."
        )
    return chosen[0]


def _assumed_scale(proto: Any, chosen: Any) -> tuple[Scale, str]:
    found = None if proto is None else scale_of(proto, chosen.name)
    if found is None and (chosen.type.startswith("seq(map(") or "prob" in chosen.name.lower()):
        found = "probability", f"the output is called {clean(chosen.name)!r}"
    if found is None:
        return "logit", (
            "The scores are taken as logits, because nothing says otherwise. "
            "Give scale='probability' or scale='raw' if they are not."
        )
    scale, why = found
    word = {"probability": "probabilities", "raw": "values in the model's own unit"}[scale]
    return scale, f"The scores are taken as {word}, because {why}. Give scale=... if they are not."


class _Engine:
    """A session called with NumPy arrays; any number of threads may use it at once, as ONNX Runtime allows.

    Args:
        data: the model's bytes, for its size; b"" where a session was given.
    """

    library = "onnxruntime"

    def __init__(
        self,
        name: str,
        session: Any,
        reading: _Reading,
        output: str,
        preprocess: Callable[[Any], Any] | None,
        batch: int | None,
        data: bytes,
    ) -> None:
        self.name = name
        self.data = data
        self.session = session
        self.reading = reading
        self.output = output
        self.preprocess = preprocess
        own = TABLE_BATCH if kinds.has_columns(reading.kind) else IMAGE_BATCH
        self.size = reading.fixed or batch or own
        self.columns: int | None = None

    def predict(self, rows: NDArray[Any], /) -> NDArray[np.float64]:
        """Scores `(n, k)`."""
        if not len(rows) and self.columns is not None:
            return np.empty((0, self.columns))
        starts = range(0, max(len(rows), 1), self.size)
        return np.concatenate([self.scores(rows[start : start + self.size])[0] for start in starts])

    def scores(self, rows: NDArray[Any]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Scores of one batch, and the classes where the model returns them with its scores."""
        n, fixed = len(rows), self.reading.fixed
        if fixed is not None and n < fixed:
            rows = np.concatenate([rows, np.repeat(rows[-1:], fixed - n, axis=0)])
        feed = self._feed(np.asarray(rows))
        try:
            (answer,) = self.session.run([self.output], feed)
        except _failures() as error:
            raise ModelError(
                f"Model {self.name!r} must accept a batch of shape {tuple(rows.shape)}, but ONNX Runtime "
                f"failed: {clean(first_line(error))} Give rows of the shape it was exported for."
            ) from error
        labels: tuple[str, ...] = ()
        if isinstance(answer, list):  # one {class: probability} per row
            labels = tuple(clean(label) for label in answer[0])
            answer = [list(row.values()) for row in answer]
        found = np.asarray(answer, dtype=np.float64)
        found = found[:, None] if found.ndim == 1 else found
        if found.ndim != 2 or len(found) != len(rows):
            raise IncompatibleError(
                f"Model {self.name!r} must answer {len(rows)} rows with scores of shape (n, outputs) or "
                f"(n,), but gave {found.shape}. Wrap a function that reduces them to one score per output."
            )
        self.columns = found.shape[1]
        return found[:n], labels

    def _preprocessed(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows after a function of the user's."""
        try:
            return np.asarray(self.preprocess(rows))  # type: ignore[misc, operator]
        except failures() as error:
            advice = (
                "Correct the function given as preprocess, or give rows like those it was made for."
            )
            raise failed(self.name, error, rows, lambda _: advice) from error

    def _feed(self, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        ready = rows
        if isinstance(self.preprocess, Normalize):
            ready = self.preprocess.of_rows(rows)
        elif self.preprocess is not None:
            ready = self._preprocessed(rows)
        if ready.ndim == 4 and self.reading.first:
            ready = ready.transpose(0, 3, 1, 2)
        feed, at = {}, 0
        for name, dtype, width in self.reading.inputs:
            part = ready if width is None else ready[:, at : at + width]
            at += width or 0
            feed[name] = np.ascontiguousarray(self._typed(part, dtype))
        if at and at != ready.shape[1]:
            raise InputError(
                f"Model {self.name!r} needs rows of {at} columns for its inputs, but these have "
                f"{ready.shape[1]}. Give it the columns it was trained on."
            )
        return feed

    def _typed(self, part: NDArray[Any], dtype: type) -> NDArray[Any]:
        if not np.issubdtype(dtype, np.integer):
            return np.asarray(part, dtype=dtype)
        whole, range_ = np.rint(part), np.iinfo(dtype)
        if whole.size and not (range_.min <= whole.min() and whole.max() <= range_.max):
            raise InputError(
                f"Model {self.name!r} reads whole numbers from {range_.min} to {range_.max}, but the rows "
                f"reach from {part.min():g} to {part.max():g}. Give rows in the units it was trained on."
            )
        return np.asarray(whole, dtype=dtype)


def _tried(
    engine: _Engine,
    chosen: Any,
    reading: _Reading,
    like: Inputs | None,
    shape: Sequence[int | None] | None,
) -> tuple[int | None, tuple[str, ...]]:
    """The number of outputs and their names, from a row where there is one, else as declared."""
    known = tuple(shape) if shape is not None else reading.shape
    if like is not None:
        found, labels = engine.scores(like.values[:1])
        return found.shape[1], labels
    if known and None not in known:
        found, labels = engine.scores(np.zeros((1, *(length or 0 for length in known))))
        return found.shape[1], labels
    declared = chosen.shape[-1] if len(chosen.shape or ()) == 2 else None
    return (declared if isinstance(declared, int) else None), ()


def _bytes(name: str, native: Any) -> bytes:
    """What an `onnx.ModelProto`, or a buffer, holds."""
    if isinstance(native, bytearray | memoryview):
        return bytes(native)
    if native.ByteSize() >= 2**31:
        raise InputError(
            f"A model of less than 2 GiB is needed, but {name!r} has {native.ByteSize() / 2**30:.1f}. Make "
            "an onnxruntime.InferenceSession of its file and wrap that."
        )
    data: bytes = native.SerializeToString()
    return data


def _session(name: str, data: bytes) -> Any:
    """A session on one thread, which does not spin while it waits."""
    try:
        import onnxruntime as ort
    except ImportError:
        raise missing("onnx", f"The ONNX model {name!r}") from None
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for pool in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{pool}.allow_spinning", "0")
    options.log_severity_level = 4  # errors are raised, and reported in one sentence
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except _failures() as error:
        raise InputError(
            f"A model that ONNX Runtime {ort.__version__} can run is needed, but it refuses {name!r}: "
            f"{clean(first_line(error))} Export it with a lower opset, or for this version."
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """The exceptions of ONNX Runtime: its own classes, which have no common parent."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [thing for thing in vars(state).values() if isinstance(thing, type)]
    return (*(one for one in own if issubclass(one, Exception)), RuntimeError, ValueError)
