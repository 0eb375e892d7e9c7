"""How rows become the inputs of an ONNX graph: one tensor, columns of a table, or parts of a `Split`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import clean, kinds
from workbench.core.inputs import Kind
from workbench.errors import InputError
from workbench.models.arguments import Wrapping
from workbench.models.split import Split

Shape = tuple[int | None, ...]

_TYPES: dict[str, type] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Input:
    """One input of the graph.

    Args:
        name: as the graph calls it.
        dtype: of its numbers.
        columns: those of a row that it takes; None where it takes the whole row.
        shape: of one row's part; () for one number.
        first: whether images go in with channels first.
        whole: whether its numbers must be whole; else they are rounded where the graph reads integers.
    """

    name: str
    dtype: type
    columns: slice | None
    shape: tuple[int, ...] | None
    first: bool
    whole: bool = False

    def of(self, model: str, rows: NDArray[Any]) -> NDArray[Any]:
        """What it is fed with for rows `(n, *f)`."""
        part = rows if self.columns is None else rows[:, self.columns]
        if self.whole and part.size and bool((part != np.rint(part)).any()):
            raise InputError(
                f"Part {clean(self.name)!r} of model {model!r} must hold whole numbers, but a row holds "
                f"{part[part != np.rint(part)][0]:g}. Fill absent columns with values from the background "
                "rows, not with their mean."
            )
        if self.shape is not None:
            part = part.reshape(len(part), *self.shape)
        if part.ndim == 4 and self.first:
            part = part.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(_typed(model, part, self.dtype))


@dataclass(frozen=True)
class Reading:
    """How rows become the inputs of the graph.

    Args:
        inputs: every input.
        kind: what a row is.
        shape: of a row in the user's layout, () where nothing is declared.
        fixed: the number of rows that the graph requires, or None.
    """

    inputs: tuple[Input, ...]
    kind: Kind | None
    shape: Shape
    fixed: int | None

    def feed(self, model: str, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What the session is fed with for rows `(n, *f)`.

        Args:
            model: its name, for messages.
            rows: as many as the graph requires.
        """
        wide = max((one.columns.stop for one in self.inputs if one.columns is not None), default=0)
        if wide and (rows.ndim != 2 or rows.shape[1] != wide):
            raise InputError(
                f"Model {model!r} needs rows of {wide} columns for its inputs, but these have "
                f"{', '.join(map(str, rows.shape[1:]))}. Give it the columns it was trained on."
            )
        return {one.name: one.of(model, rows) for one in self.inputs}


def read_by(name: str, inputs: Sequence[Any], wrapping: Wrapping, notes: list[str]) -> Reading:
    """How a session reads rows.

    Args:
        name: of the model, for messages.
        inputs: what the session says of them.
        wrapping: the kind and shape of rows, where given; a `Split` as preprocess names the parts.
        notes: gains what was assumed.

    Raises:
        InputError: inputs that rows cannot be made into, with their names.
    """
    described = [f"{clean(one.name)} {one.type} {one.shape}" for one in inputs]
    strange = [one for one in inputs if one.type not in _TYPES]
    if not inputs or strange:
        raise InputError(
            f"Inputs of numbers are needed, but model {name!r} reads {described}. Wrap a function that "
            "feeds a session of it."
        )
    split = wrapping.preprocess
    if isinstance(split, Split):
        reading = _parts(name, inputs, split, described, notes)
    elif len(inputs) > 1:
        reading = _columns(name, inputs, wrapping.kind, described)
    else:
        reading = _single(inputs[0], wrapping.kind, wrapping.shape, notes)
    if any(np.issubdtype(one.dtype, np.integer) and not one.whole for one in reading.inputs):
        notes.append("The model reads whole numbers, so rows are rounded to the nearest.")
    return reading


def _single(
    one: Any, kind: Kind | None, shape: Sequence[int | None] | None, notes: list[str]
) -> Reading:
    fixed, row = _declared(one)
    first = False
    if len(row) == 3:
        first, doubt = _channels_first(row, shape)
        row = (*row[1:], row[0]) if first else row
        if doubt:
            notes.append(
                "The graph does not say where an image's channels stand; they are taken as first, as torch "
                "exports them. Give shape=(h, w, c) if they are last."
            )
    kind = kinds.with_axes(1 + len(row)) if kind is None and len(row) in (1, 3) else kind
    return Reading((Input(one.name, _TYPES[one.type], None, None, first),), kind, row, fixed)


def _columns(name: str, inputs: Sequence[Any], kind: Kind | None, described: list[str]) -> Reading:
    widths = [
        one.shape[1] if len(one.shape) == 2 and isinstance(one.shape[1], int) else None
        for one in inputs
    ]
    known = [width for width in widths if width is not None]
    if len(known) < len(inputs):
        parts = ", ".join(f"{clean(one.name)!r}: ..." for one in inputs)
        whole = [clean(one.name) for one in inputs if "int" in one.type]
        raise InputError(
            f"It must be known which columns of a row go to which input, but model {name!r} reads "
            f"{described}. Say how long each part is: preprocess=workbench.models.Split({{{parts}}}, "
            f"whole={whole}); or wrap a function that feeds a session of it."
        )
    made, at = [], 0
    for one, width in zip(inputs, known, strict=True):
        made.append(Input(one.name, _TYPES[one.type], slice(at, at + width), None, first=False))
        at += width
    return Reading(tuple(made), "tabular" if kind is None else kind, (at,), _declared(inputs[0])[0])


def _parts(
    name: str, inputs: Sequence[Any], split: Split, described: list[str], notes: list[str]
) -> Reading:
    """The parts of a `Split`, by the names of the inputs or in their order."""
    names = [one.name for one in inputs]
    called = dict(zip(split.parts, names, strict=False)) if split.positional else {}
    parts = {called.get(part, part): (part, shape) for part, shape in split.parts.items()}
    if set(parts) != set(names) or len(split.parts) != len(names):
        raise InputError(
            f"A part for each input is needed, but Split has {list(split.parts)} and model {name!r} reads "
            f"{described}. Name the parts as the inputs are named."
        )
    made, fixed = [], None
    groups = split.groups
    for one in inputs:
        part, shape = parts[one.name]
        rows, declared = _declared(one)
        fixed = rows if fixed is None else fixed
        first, doubt = _channels_first(declared, shape) if len(shape) == 3 else (False, False)
        laid = (shape[2], *shape[:2]) if first else shape
        fits = len(declared) == len(laid) and all(
            a is None or a == b for a, b in zip(declared, laid, strict=True)
        )
        if not fits:
            raise InputError(
                f"Part {clean(part)!r} of Split has the shape {shape} in each row, but model {name!r} "
                f"reads {clean(one.name)!r} as {one.shape}. Give that part this shape without its first "
                "length, images channels last."
            )
        if doubt:
            notes.append(
                f"The graph does not say where the channels of {clean(one.name)!r} stand; they are taken "
                "as first, as torch exports them."
            )
        columns = slice(groups[part].start, groups[part].stop)
        dtype, whole = _TYPES[one.type], part in split.whole
        made.append(Input(one.name, dtype, columns, shape, first, whole))
    return Reading(tuple(made), "tabular", (split.width,), fixed)


def _declared(one: Any) -> tuple[int | None, Shape]:
    """The number of rows that an input requires, and the shape of a row, None for what is free."""
    lengths: Shape = tuple(length if isinstance(length, int) else None for length in one.shape)
    return (lengths[0], lengths[1:]) if lengths else (None, ())


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


def _typed(model: str, part: NDArray[Any], dtype: type) -> NDArray[Any]:
    if dtype is np.bool_:
        if not bool(((part == 0) | (part == 1)).all()):
            raise InputError(
                f"Model {model!r} reads yes or no, as 1 or 0, but the rows reach from {part.min():g} to "
                f"{part.max():g}. Give rows in the units it was trained on."
            )
        return np.asarray(part, dtype=dtype)
    if not np.issubdtype(dtype, np.integer):
        return np.asarray(part, dtype=dtype)
    whole, range_ = np.rint(part), np.iinfo(dtype)
    if whole.size and not (range_.min <= whole.min() and whole.max() <= range_.max):
        raise InputError(
            f"Model {model!r} reads whole numbers from {range_.min} to {range_.max}, but the rows "
            f"reach from {part.min():g} to {part.max():g}. Give rows in the units it was trained on."
        )
    return np.asarray(whole, dtype=dtype)
