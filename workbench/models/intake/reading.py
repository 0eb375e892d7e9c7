"""A file as bytes, read once through one descriptor, and its format. Nothing here runs them."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from workbench.core import clean
from workbench.errors import InputError, UnsafeFileError
from workbench.models.intake.formats import ACCEPTED, REFUSED, SUFFIXES, TRUSTABLE, sniffed

LIMIT_BYTES = 4 * 2**30
"""Larger files are refused unread; the bundled and the usual models are far smaller."""

GLANCED_BYTES = 64 * 2**20
"""Larger files are also inspected before they are read whole, so that a false one fills no memory."""

TENSORS = 100_000
"""Files with more tensors are not read: a header of 300 000 entries takes seconds."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class File:
    """A file's bytes, its format, and its sha256: hashed, inspected and parsed from the same bytes."""

    path: Path
    data: bytes
    format: str
    sha256: str
    trusted: bool = False
    """Whether the caller vouched for exactly these bytes."""

    @property
    def shown(self) -> str:
        """The file's name, with nothing in it that could disturb a display."""
        return clean(self.path.name)

    @property
    def stream(self) -> IO[bytes]:
        """The bytes as a stream from the start."""
        return io.BytesIO(self.data)

    def refuse(self, why: str) -> UnsafeFileError:
        """The error that states why this file is not read."""
        return UnsafeFileError(f"{self.shown!r} {why}")


@dataclass(frozen=True)
class Found:
    """The result of an inspection.

    Args:
        dtypes: how many tensors of each precision.
        parameters: the count of numbers in all tensors.
        checks: what was checked, as words for the user.
        words: text that was stored beside the weights.
        unpacked: the unpacked size in bytes, where that matters.
    """

    dtypes: Mapping[str, int] = field(default_factory=dict)
    parameters: int = 0
    checks: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    unpacked: int = 0


Inspect = Callable[[File, IO[bytes], int], Found]


def read_file(
    path: str | os.PathLike[str], *, trust: str | None = None, inspect: Inspect | None = None
) -> File:
    """The file, once it is known to be of a format that is read.

    A link is followed, since caches of models consist of links. Everything else about the file is read
    through one descriptor, so the file cannot be exchanged between two looks.

    Args:
        path: where it is.
        trust: "sha256:" and the digest of a file that the caller vouches for.
        inspect: how to check a large file before it is read whole; raises to refuse it.

    Raises:
        InputError: there is no such file, it is a folder, or it cannot be read; `trust` is no digest.
        UnsafeFileError: it is a device or a pipe, too large, in a format that can run code, in no known
            format, named as one format and written in another, or its digest is not the given one.
    """
    if trust is not None and not (isinstance(trust, str) and _DIGEST.fullmatch(trust)):
        raise InputError(
            "trust must be 'sha256:' and the 64 hexadecimal digits of the file's digest, as its maker "
            f"gives it, not {clean(trust)!r}."
        )
    path = Path(path)
    shown = clean(path)
    descriptor = _opened(path, shown)
    try:
        before = os.fstat(descriptor)
        _check_regular(before, shown)
        with open(descriptor, "rb", closefd=False) as stream:
            file = File(path, b"", sniffed(stream, before.st_size), "", trusted=trust is not None)
            _check_format(file)
            if inspect is not None and before.st_size > GLANCED_BYTES:
                inspect(file, stream, before.st_size)
            stream.seek(0)
            data = stream.read(before.st_size + 1)
        after = os.fstat(descriptor)
    except OSError as error:  # system files without stored content, such as some in /proc
        raise InputError(
            f"{shown!r} cannot be read: {clean(error)}. Copy it into a file of its own."
        ) from None
    finally:
        os.close(descriptor)
    if len(data) != before.st_size or _moved(before, after):
        raise InputError(f"{shown!r} changed while it was read. Load it again once it is written.")
    digest = hashlib.sha256(data).hexdigest()
    if trust is not None and trust != f"sha256:{digest}":
        raise UnsafeFileError(
            f"trust= vouches for a file of {trust}, but {shown!r} is sha256:{digest}. It is another file, "
            "or it was changed: fetch it again, and ask its maker for the digest."
        )
    file = File(path, data, sniffed(io.BytesIO(data), len(data)), digest, trusted=file.trusted)
    _check_format(file)
    return file


def _opened(path: Path, shown: str) -> int:
    """A descriptor of the file. Its kind is checked first: just opening a device can have effects."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    try:
        _check_regular(os.stat(path), shown)
        return os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"A model file is needed, but there is none at {shown!r} (looked from {clean(Path.cwd())!r}). "
            "Check the path."
        ) from None
    except (InputError, UnsafeFileError):
        raise
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        why = "it is a circle of links" if number == errno.ELOOP else clean(error)
        raise InputError(
            f"{shown!r} cannot be opened: {why}. Check the path and its rights."
        ) from None


def _check_regular(state: os.stat_result, shown: str) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise InputError(
            f"A model file is needed, but {shown!r} is a folder. Name the file inside it. A folder of "
            "Hugging Face is read by its weights (model.safetensors) with architecture=..., never by its "
            "config.json, which can name code."
        )
    if not stat.S_ISREG(state.st_mode):
        raise UnsafeFileError(
            f"{shown!r} is a device or a pipe, not a file, so it was not read. Copy it into a file."
        )
    if state.st_size > LIMIT_BYTES:
        raise UnsafeFileError(
            f"{shown!r} has {state.st_size:,} bytes, more than the {LIMIT_BYTES:,} that are read. Load "
            "it yourself and pass the live object to workbench.wrap."
        )


def _check_format(file: File) -> None:
    suffix = file.path.suffix
    named = SUFFIXES.get(suffix.lower())
    if file.trusted and file.format in TRUSTABLE:
        return
    if file.format in REFUSED:
        lie = f"is named {suffix} but " if named not in (None, "torch zip") else ""
        raise file.refuse(lie + REFUSED[file.format])
    if file.format not in ACCEPTED:
        raise file.refuse(
            f"is {file.format}. Models are read from safetensors, state dicts of torch.save, skops, ONNX, "
            "XGBoost's JSON and UBJSON, LightGBM's text and CatBoost's cbm. Check that the file is "
            "complete, or pass the live object to workbench.wrap."
        )
    if named is not None and named != file.format:
        raise file.refuse(
            f"is named {suffix} but its content is {file.format}. A file that is not what it says is "
            "not read; rename it if you know where it comes from."
        )


def _moved(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
