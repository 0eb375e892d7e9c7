"""The header of a safetensors file, checked against the file before any library reads it."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from typing import IO, Any

from workbench.core import clean
from workbench.models.intake.reading import TENSORS, File, Found

HEADER_BYTES = 25 * 2**20
DIMENSIONS = 16
NAME = 1024  # the most characters in a tensor's name
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


def inspect_safetensors(file: File, stream: IO[bytes], size: int) -> Found:
    """What the header states, once it matches the file byte by byte.

    Every tensor's span of bytes must be what its shape and precision take, and the spans must follow each
    other from the header to the file's last byte.

    Args:
        file: for messages.
        stream: the content.
        size: its bytes.

    Raises:
        UnsafeFileError: oversized, ambiguous, damaged, or at odds with the file.
    """
    stream.seek(0)
    (length,) = struct.unpack("<Q", stream.read(8))
    if length > HEADER_BYTES:
        raise file.refuse(
            f"has a header of {length:,} bytes, more than the {HEADER_BYTES:,} that are read. Save it "
            "again with safetensors."
        )
    header = _parsed(file, stream.read(length))
    words = header.pop("__metadata__", {})
    if not isinstance(words, dict) or not all(isinstance(one, str) for one in words.values()):
        raise _damaged(file, "its metadata is not text")
    if "workbench" in words:
        raise file.refuse(
            "holds a result that Attribution.save wrote, not a model. Read it with workbench.read."
        )
    if len(header) > TENSORS:
        raise file.refuse(
            f"lists {len(header):,} tensors, more than the {TENSORS:,} that are read."
        )
    spans: list[tuple[int, int, str]] = []
    dtypes: Counter[str] = Counter()
    parameters = 0
    for name, entry in header.items():
        dtype, numbers, begin, end = _entry(file, name, entry)
        if end - begin != (numbers * _BITS[dtype] + 7) // 8:
            raise _damaged(
                file,
                f"{clean(name)!r} claims {numbers:,} numbers of {dtype} in {end - begin:,} bytes",
            )
        spans.append((begin, end, name))
        dtypes[dtype] += 1
        parameters += numbers
    at = 0
    for begin, end, name in sorted(spans):
        if begin != at:
            how = "overlap those" if begin < at else "leave a hole after those"
            raise _damaged(file, f"the bytes of {clean(name)!r} {how} of the tensor before")
        at = end
    if 8 + length + at != size:
        raise _damaged(file, f"its tensors end at byte {8 + length + at:,} of {size:,}")
    return Found(
        dtypes=dict(sorted(dtypes.items())),
        parameters=parameters,
        checks=(
            f"header of {length:,} bytes: one entry per name, {len(header):,} tensors",
            "every tensor's bytes are what its shape and precision take, without holes or overlaps",
        ),
        words=words,
    )


def _parsed(file: File, raw: bytes) -> dict[str, Any]:
    # Counted before they are parsed: a header of a million empty entries takes a gigabyte as objects.
    if raw.count(b"{") > TENSORS + 2 or raw.count(b'"') > 16 * TENSORS:
        raise file.refuse(
            f"lists {raw.count(b'{') - 1:,} tensors, more than the {TENSORS:,} that are read."
        )
    try:
        header = json.loads(raw, object_pairs_hook=without_repeats, parse_constant=_no_constant)
    except RecursionError:
        raise _damaged(file, "the brackets of its header lie too deep in each other") from None
    except ValueError as error:
        raise _damaged(file, str(error)) from None
    if not isinstance(header, dict):
        raise _damaged(file, "its header is no table of tensors")
    return header


def _entry(file: File, name: str, entry: Any) -> tuple[str, int, int, int]:
    """The precision, the count of numbers, the first byte, and the byte after the last."""
    if len(name) > NAME:
        raise _damaged(file, f"a name has {len(name):,} characters")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(file, f"the entry {clean(name)!r} is not a precision, a shape and a place")
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise _damaged(file, f"{clean(name)!r} has the unknown precision {clean(dtype)!r}")
    if not _whole(shape) or len(shape) > DIMENSIONS:
        raise _damaged(file, f"{clean(name)!r} has the shape {clean(shape)}, which no tensor has")
    if not _whole(place) or len(place) != 2 or place[0] > place[1]:
        raise _damaged(
            file, f"{clean(name)!r} lies at {clean(place)}, which is no first byte and end"
        )
    return dtype, math.prod(shape), place[0], place[1]


def _whole(numbers: Any) -> bool:
    """Whether these are lengths or positions that fit into the 64 bits that libraries use for them."""
    return isinstance(numbers, list) and all(
        type(one) is int and 0 <= one < 2**63 for one in numbers
    )


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict, refused where a name comes twice: readers differ in which one they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the header names an entry twice")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"the header holds {word}")


def _damaged(file: File, why: str) -> Exception:
    return file.refuse(
        f"is damaged: {clean(why).rstrip('.')}. Save it again with safetensors, or fetch it again."
    )
