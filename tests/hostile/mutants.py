"""Changed copies of a valid file, drawn from a seed: the same number gives the same copy.

Files of skops hold the addresses that their objects had in memory, so their copies differ from run to run.
"""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np

_TRICKS = (
    *(b"-1", b"0", b"1", b"255", b"65536", b"2147483647", b"4294967296", b"10000000"),
    *(
        b"9223372036854775807",
        b"99999999999999999999",
        b"NaN",
        b"1e999",
        b"-0.0",
        b'""',
        b"[]",
        b"null",
    ),
)
_INTEGERS = (0, 1, 127, 128, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)


def mutant(data: bytes, format: str, number: int) -> bytes:
    """Copy `number` of the file. Of archives, every other one has a member changed and is whole again."""
    draw = np.random.default_rng([number, len(data)])
    if format in ("torch zip", "skops") and number % 2:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {one.filename: archive.read(one) for one in archive.infolist()}
        chosen = draw.choice(sorted(members, key=lambda name: -len(members[name]))[:6])
        members[str(chosen)] = changed(members[str(chosen)], draw)
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content)  # which has no time of writing
        return written.getvalue()
    return changed(data, draw)


def changed(data: bytes, draw: np.random.Generator) -> bytes:
    """The bytes after one to three changes of nine sorts."""
    content = bytearray(data)
    for _ in range(int(draw.integers(1, 4))):
        if len(content) < 16:
            break
        at = int(draw.integers(0, len(content)))
        span = int(draw.integers(1, 17))
        sort = int(draw.integers(0, 9))
        if sort == 0:
            content[at] ^= 1 << int(draw.integers(0, 8))
        elif sort == 1:
            content[at] = int(draw.choice([0, 1, 127, 128, 255]))
        elif sort == 2:
            del content[at : at + span]
        elif sort == 3:
            content[at:at] = draw.bytes(span)
        elif sort == 4:
            content[at:at] = content[at : at + span]
        elif sort == 5 and number_at(content, at):
            first, last = number_at(content, at)
            content[first:last] = _TRICKS[int(draw.integers(0, len(_TRICKS)))]
        elif sort == 6:
            width = int(draw.choice([1, 2, 4, 8]))
            value = _INTEGERS[int(draw.integers(0, len(_INTEGERS)))] & (2 ** (8 * width) - 1)
            order = "little" if draw.integers(0, 2) else "big"
            content[at : at + width] = value.to_bytes(width, order)
        elif sort == 7:
            other = int(draw.integers(0, len(content)))
            content[at : at + span] = content[other : other + span]
        elif draw.random() < 0.2:
            del content[at:]
        else:
            content[at] = (content[at] + 1) % 256
    return bytes(content)


def number_at(content: bytearray, at: int) -> tuple[int, int] | None:
    """Where the next number written in digits begins and ends."""
    found = re.compile(rb"-?\d[\d.eE+-]*").search(content, at)
    return found.span() if found else None
