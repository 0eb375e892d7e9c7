"""A result as the bytes of one safetensors file: its arrays as they are, everything else as JSON."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.column import Column
from workbench.core.inputs import Inputs
from workbench.core.markup import clean
from workbench.core.provenance import Composition, Provenance
from workbench.core.result_fields import LARGEST, Reading, WrongError, check_shapes
from workbench.core.target import Target
from workbench.core.tensor_file import HEADER_BYTES, packed, storable
from workbench.core.writing import write_whole
from workbench.errors import InputError

VERSION = 1
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # halves of one character: JSON joins them

_NOUNS = (Inputs, Column, Target, Provenance, Composition)


def save_result(result: Any, path: str | os.PathLike[str]) -> None:
    """Writes a result to a file that `workbench.read` gives back, equal in every field and bit.

    Raises:
        InputError: the file cannot be written, or the result holds something that no such file can hold.
    """
    write_whole(path, result_bytes(result), f"Saving this {type(result).__name__}")


def result_bytes(result: Any) -> bytes:
    """The content of that file.

    Raises:
        InputError: the result holds something that no such file can hold, or too much text for one header.
    """
    writing = _Writing(type(result))
    content = writing.plain(result, "")
    text = json.dumps(
        {"version": VERSION, "of": type(result).__name__, "rows": writing.rows, "result": content},
        separators=(",", ":"),
    )
    _check_readable(result, writing, text)
    data = packed(writing.arrays, text)
    if (size := int.from_bytes(data[:8], "little")) > HEADER_BYTES:
        raise InputError(
            f"A result's text must fit into {HEADER_BYTES:,} bytes, but takes {size:,}. Save fewer rows in "
            "one file."
        )
    return data


def _check_readable(result: Any, writing: _Writing, text: str) -> None:
    """Refuses a result that the file would not preserve: a field's value does not fit its annotation."""
    content = json.loads(text)
    reading = Reading(dict(writing.arrays), dict(_methods(result)))
    try:
        reading.read_rows(content["rows"])
        check_shapes(reading.made(type(result), content["result"], "", 0))
    except (WrongError, InputError) as error:
        raise InputError(
            f"A result's file must be readable again, but of this {type(result).__name__} "
            f"{clean(error, limit=400).rstrip('.')}. Give the field what its annotation says, then save it."
        ) from None


def _methods(result: Any) -> Iterator[tuple[str, type]]:
    """The classes of recipes in a result and its members', by name."""
    if hasattr(result, "method"):
        yield type(result.method).__name__, type(result.method)
        for part in result.parts:
            yield from _methods(part)


def recipe_text(recipe: Any) -> str:
    """A method or target as text: equal recipes have equal text, different recipes different text.

    >>> recipe_text(Target(0, against="dog"))
    '{"of":"workbench.core.target.Target","fields":{"index":0,"against":"dog","labels":false}}'

    Raises:
        InputError: a field holds something without a text form, such as a function.
    """
    writing = _Writing(type(recipe))
    cls = type(recipe)
    content = {"of": f"{cls.__module__}.{cls.__qualname__}", "fields": writing.fields(recipe, "")}
    if writing.arrays:
        content["arrays"] = hashlib.sha256(packed(writing.arrays, "")).hexdigest()
    return json.dumps(content, separators=(",", ":"))


class _Writing:
    """The state of writing one file."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.arrays: dict[str, NDArray[Any]] = {}
        self.rows: list[Any] = []
        self._known: dict[int, int] = {}

    def plain(self, value: Any, where: str) -> Any:
        """A value as JSON can hold it."""
        if isinstance(value, str) and _PAIR.search(value):
            raise _unsaid(value, where)
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, int) and abs(value) < LARGEST:
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": repr(float(value))}
        if isinstance(value, np.ndarray) and value.ndim:
            return self._array(value, where)
        if isinstance(value, tuple):
            return [self.plain(one, f"{where}.{i}") for i, one in enumerate(value)]
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: self.plain(one, f"{where}.{key}") for key, one in value.items()}
        if type(value) is Inputs:
            return self._inputs(value)
        if type(value) in (self.cls, *_NOUNS):
            return self.fields(value, where)
        if is_dataclass(value) and where.endswith("method"):
            name = type(value).__name__
            return {"method": name, "fields": self.fields(value, where)}
        raise _unsaid(value, where)

    def fields(self, value: Any, where: str) -> dict[str, Any]:
        """The fields of a frozen dataclass by name."""
        if not is_dataclass(value):
            raise _unsaid(value, where)
        prefix = f"{where}." if where else ""
        return {
            one.name: self.plain(getattr(value, one.name), prefix + one.name)
            for one in fields(value)
            if one.init
        }

    def _inputs(self, inputs: Inputs) -> dict[str, int]:
        """Rows that several results share are written once."""
        if id(inputs) not in self._known:
            self._known[id(inputs)] = number = len(self.rows)
            self.rows.append(None)
            self.rows[number] = self.fields(inputs, f"rows.{number}")
        return {"rows": self._known[id(inputs)]}

    def _array(self, array: NDArray[Any], where: str) -> Any:
        """An array's place in the file; text and dates are stored as the whole numbers that encode them."""
        dtype, kept = array.dtype, array
        if dtype.hasobject:
            return {"objects": [self.plain(one, where) for one in array.ravel().tolist()],
                    "shape": list(array.shape)}  # fmt: skip
        if dtype.kind == "U" and dtype.itemsize:
            code_points = np.ascontiguousarray(array.astype(dtype.newbyteorder("<")))
            kept = code_points.view("<u4").reshape(*array.shape, dtype.itemsize // 4)
        elif dtype.kind in "mM":
            kept = np.ascontiguousarray(array.astype(dtype.newbyteorder("<"))).view("<i8")
        elif not storable(dtype):
            kept = array.astype(dtype.newbyteorder("<"))
        if not storable(kept.dtype):
            raise _unsaid(array, where)
        if where in self.arrays:  # a key with a dot in it, or arrays within one of objects
            where = next(f"{where}#{i}" for i in count(2) if f"{where}#{i}" not in self.arrays)
        self.arrays[where] = np.ascontiguousarray(kept)
        return {"array": where} if kept is array else {"array": where, "as": dtype.str}


def _unsaid(value: Any, where: str) -> InputError:
    found = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
    return InputError(
        "A result's file holds numbers, text, arrays of them and a method that is a dataclass of those, "
        f"but {where or 'this'} is {found}. Replace it by one of these before it is saved."
    )
