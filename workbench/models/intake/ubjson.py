"""XGBoost's UBJSON, checked before XGBoost reads it, since its reader believes every length."""

from __future__ import annotations

import struct

DEPTH = 64
_SIZES = {"i": 1, "U": 1, "C": 1, "I": 2, "l": 4, "d": 4, "L": 8, "D": 8}
_BARE = "TFZN"
_WHOLE = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q"}


def ubjson_fault(data: bytes) -> str:
    """Why the bytes are no complete UBJSON object, or "" where they are one.

    >>> ubjson_fault(b"{L" + bytes(7) + b"\\x01aU\\x07}")
    ''
    >>> ubjson_fault(b"{L" + bytes(7) + b"\\x01a[$d#L" + bytes(6) + b"\\x01\\x00}")
    'a value at byte 23 has 1024 bytes, of which 1 are there'
    """
    try:
        end = _Walk(data).value(0, 0)
    except _FaultError as fault:
        return str(fault)
    except (IndexError, struct.error, UnicodeDecodeError):
        return "it ends in the middle of a value"
    return "" if end == len(data) else f"it ends at byte {end} of {len(data)}"


class _FaultError(Exception):
    """What is wrong, in words; never leaves this file."""


class _Walk:
    """Steps over values; each method takes the byte to begin at and returns the one after the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def marker(self, at: int) -> str:
        return chr(self.data[at])

    def whole(self, at: int) -> tuple[int, int]:
        """A length with its marker, and the position after it."""
        kind = self.marker(at)
        if kind not in _WHOLE:
            raise _FaultError(f"byte {at} should begin a length")
        end = at + 1 + _SIZES[kind]
        (number,) = struct.unpack(_WHOLE[kind], self.data[at + 1 : end])
        if number < 0:
            raise _FaultError(f"a length at byte {at} is {number}")
        return number, end

    def past(self, at: int, size: int) -> int:
        if size > len(self.data) - at:
            left = len(self.data) - at
            raise _FaultError(
                f"a value at byte {at - 1} has {size} bytes, of which {left} are there"
            )
        return at + size

    def text(self, at: int) -> int:
        size, at = self.whole(at)
        end = self.past(at, size)
        self.data[at:end].decode()
        return end

    def value(self, at: int, depth: int) -> int:
        kind = self.marker(at)
        if depth > DEPTH:
            raise _FaultError(f"more than {DEPTH} values lie in each other")
        if kind in _BARE:
            return at + 1
        if kind in _SIZES:
            return self.past(at + 1, _SIZES[kind])
        if kind == "S":
            return self.text(at + 1)
        if kind == "{":
            return self.table(at + 1, depth)
        if kind == "[":
            return self.array(at + 1, depth)
        raise _FaultError(f"byte {at} begins no value")

    def table(self, at: int, depth: int) -> int:
        seen: set[bytes] = set()
        while self.marker(at) != "}":
            end = self.text(at)
            name = self.data[at:end]
            if name in seen:
                raise _FaultError(f"a name at byte {at} comes twice")
            seen.add(name)
            at = self.value(end, depth + 1)
        return at + 1

    def array(self, at: int, depth: int) -> int:
        if self.marker(at) == "$":
            kind = self.marker(at + 1)
            if kind not in _SIZES or self.marker(at + 2) != "#":
                raise _FaultError(f"byte {at} begins no array of numbers")
            count, end = self.whole(at + 3)
            return self.past(end, count * _SIZES[kind])
        if self.marker(at) == "#":
            count, at = self.whole(at + 1)
            self.past(at, count)  # every value takes at least a byte
            for _ in range(count):
                at = self.value(at, depth + 1)
            return at
        while self.marker(at) != "]":
            at = self.value(at, depth + 1)
        return at + 1
