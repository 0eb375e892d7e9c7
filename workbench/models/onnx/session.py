"""An ONNX model as a `Model`: scores by ONNX Runtime, for the methods that perturb rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model, Scale, clean, kinds
from workbench.errors import IncompatibleError, InputError, ModelError, missing
from workbench.models.arguments import Wrapping
from workbench.models.asking import IMAGE_BATCH, TABLE_BATCH, Trial, failed, failures, first_line
from workbench.models.normalize import Normalize
from workbench.models.onnx.graph import classes_of, graph_of, scale_of
from workbench.models.onnx.reading import Reading, read_by
from workbench.models.outputs import numbered, output_names
from workbench.models.split import Split

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

_SCORES = ("tensor(float)", "tensor(double)", "tensor(float16)")
_LABELS = ("tensor(int64)", "tensor(int32)", "tensor(string)")


def onnx_model(native: Any, wrapping: Wrapping) -> Model:
    """The model with predict alone, on one thread of the CPU.

    Rows of four dimensions are images, channels last as everywhere; the graph's own layout follows from its
    declared shape, from `shape=(h, w, c)` where that is not clear, and is else taken as channels first. A
    graph with several inputs reads a table: each input takes as many columns as it is wide, in their order,
    or those that a `Split` names, which also serves inputs of free length, images and token ids.
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
    reading = read_by(name, session.get_inputs(), wrapping, notes)
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
    settings = repr(preprocess).encode() if isinstance(preprocess, Normalize | Split) else b""
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
        reading: Reading,
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
        feed = self.reading.feed(self.name, self._ready(np.asarray(rows)))
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

    def _ready(self, rows: NDArray[Any]) -> NDArray[Any]:
        if isinstance(self.preprocess, Normalize):
            return self.preprocess.of_rows(rows)
        if self.preprocess is None or isinstance(self.preprocess, Split):
            return rows
        try:
            return np.asarray(self.preprocess(rows))
        except failures() as error:
            advice = (
                "Correct the function given as preprocess, or give rows like those it was made for."
            )
            raise failed(self.name, error, rows, lambda _: advice) from error


def _tried(
    engine: _Engine,
    chosen: Any,
    reading: Reading,
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
