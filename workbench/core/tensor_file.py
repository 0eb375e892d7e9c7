"""The layout of a safetensors file: the length of a header, the header as JSON, the numbers.

It is read here and not by a library, because a file may be wrong on purpose: a file that does not fit byte
by byte is refused, and nothing larger than the file is allocated. A checksum of all words and numbers tells
a file that was changed on its way; whoever changes it on purpose can write another, so it is no signature.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.markup import clean
from workbench.errors import UnsafeFileError

HEADER_BYTES = 64 * 2**20
_BRACKETS = 2**20  # in a header: each takes some hundred bytes as an object
_DIMENSIONS = 16
_EMPTY = 2**20  # places of a row, in an array of no rows
_KEY = "workbench"
_CHECKSUM = "sha256"
_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    **{f"{kind}{8 * size}": np.dtype(f"<{kind.lower()}{size}") for kind in "IU" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def storable(dtype: np.dtype[Any]) -> bool:
    """Whether the layout has a name for this type of numbers."""
    return dtype in _NAMES


def packed(arrays: Mapping[str, NDArray[Any]], text: str) -> bytes:
    """The file's bytes.

    Args:
        arrays: the arrays by name; their types must be `storable`.
        text: one text, stored in the header.
    """
    # The widest numbers first, so that all of them lie at multiples of their width.
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": {_KEY: text}}
    at = 0
    for name in order:
        array = arrays[name]
        entry = {"dtype": _NAMES[array.dtype], "shape": list(array.shape)}
        header[name] = {**entry, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    return sealed(header, b"".join(arrays[name].tobytes() for name in order))


def sealed(header: dict[str, Any], numbers: bytes) -> bytes:
    """A file of this header and these numbers, with the checksum of both."""
    words = {**header.get("__metadata__", {}), _CHECKSUM: ""}
    words[_CHECKSUM] = _checksum({**header, "__metadata__": words}, numbers)
    written = json.dumps({**header, "__metadata__": words}, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)
    return b"".join([len(written).to_bytes(8, "little"), written, numbers])


def _checksum(header: Mapping[str, Any], numbers: bytes | memoryview) -> str:
    """Of everything but the checksum itself."""
    words = {key: text for key, text in header["__metadata__"].items() if key != _CHECKSUM}
    told = json.dumps({**header, "__metadata__": words}, sort_keys=True, separators=(",", ":"))
    state = hashlib.sha256(told.encode())
    state.update(numbers)
    return state.hexdigest()


def unpacked(data: bytes, shown: str) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays by name, and the text.

    Args:
        data: the file's bytes.
        shown: the file's name, for messages.

    Raises:
        UnsafeFileError: the file is damaged, contradicts its header, or has no such text.
    """
    length = int.from_bytes(data[:8], "little")
    if length > min(HEADER_BYTES, len(data) - 8):
        raise damaged(
            shown, f"it promises a header of {length:,} bytes and has {len(data):,} in all"
        )
    header = table_in(data[8 : 8 + length], shown)
    whole = dict(header)
    words = header.pop("__metadata__", None)
    text = words.get(_KEY) if isinstance(words, dict) else None
    if not isinstance(text, str):
        raise UnsafeFileError(
            f"A file that Attribution.save wrote is needed, but {shown!r} holds no result. Read a model's "
            "weights with workbench.load."
        )
    body = memoryview(data)[8 + length :]
    found: dict[str, NDArray[Any]] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        dtype, shape, first, last = _entry(entry, name, shown)
        count = math.prod(shape)
        if last > len(body) or last - first != count * dtype.itemsize:
            raise damaged(shown, f"{clean(name)!r} has other bytes than its shape takes")
        if not count and math.prod(filter(None, shape)) > _EMPTY:
            raise damaged(shown, f"{clean(name)!r} is empty and has the shape {shape}")
        if dtype == np.bool_ and np.frombuffer(body[first:last], np.uint8).max(initial=0) > 1:
            raise damaged(shown, f"{clean(name)!r} holds what is neither true nor false")
        found[name] = np.frombuffer(body[first:last], dtype).reshape(shape)
        spans.append((first, last))
    at = 0
    for first, last in sorted(spans):
        if first != at:
            raise damaged(shown, "its arrays overlap or leave holes")
        at = last
    if at != len(body):
        raise damaged(shown, f"its arrays end at byte {at:,} of {len(body):,}")
    if words.get(_CHECKSUM) != _checksum(whole, body):
        raise damaged(shown, "its words or numbers are not those that were saved")
    return found, text


def table_in(raw: bytes | str, shown: str) -> dict[str, Any]:
    """A JSON object in which no name occurs twice.

    Raises:
        UnsafeFileError: it is not one.
    """
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        if text.count("{") + text.count("[") > _BRACKETS:
            raise damaged(shown, "its header lists more than is read")
        found = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except RecursionError:
        raise damaged(shown, "the brackets of its header lie too deep in each other") from None
    except UnsafeFileError:
        raise
    except ValueError as error:
        raise damaged(shown, str(error)) from None
    if not isinstance(found, dict):
        raise damaged(shown, "its header is no table")
    return found


def damaged(shown: str, why: str) -> UnsafeFileError:
    """The error for a file that does not fit together."""
    return UnsafeFileError(
        f"{shown!r} is damaged: {clean(why).rstrip('.')}. Save the result again, or fetch the file again."
    )


def in_words(given: Any) -> str:
    """A value from JSON in a few words; nested values are only counted."""
    if isinstance(given, dict | list):
        return f"a {'table' if isinstance(given, dict) else 'list'} of {len(given):,} entries"
    return repr(clean(given, limit=40)) if isinstance(given, str) else clean(given, limit=40)


def _entry(entry: Any, name: str, shown: str) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """An array's type and shape, its first byte and the one after its last."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise damaged(shown, f"the entry {clean(name)!r} is not a precision, a shape and a place")
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise damaged(shown, f"{clean(name)!r} has the precision {in_words(dtype)}")
    if not _whole(shape) or len(shape) > _DIMENSIONS:
        raise damaged(shown, f"{clean(name)!r} has the shape {in_words(shape)}")
    if not _whole(place) or len(place) != 2 or place[0] > place[1]:
        raise damaged(shown, f"{clean(name)!r} lies at {in_words(place)}")
    return _DTYPES[dtype], tuple(shape), place[0], place[1]


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(
        type(one) is int and 0 <= one < 2**62 for one in numbers
    )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header names an entry twice")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"its header holds {word}")
