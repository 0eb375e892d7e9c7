"""The bytes of a file, read once, and one sentence where they cannot be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from workbench.core.markup import clean
from workbench.errors import InputError, UnsafeFileError


def read_whole(path: str | os.PathLike[str], what: str, limit: int) -> bytes:
    """All bytes of a file.

    Args:
        path: the file; a link is followed.
        what: what is needed: the beginning of the error message.
        limit: the most bytes that are read.

    Raises:
        InputError: there is no such file, it is a folder, it cannot be read, or it is being written.
        UnsafeFileError: it is a device or a pipe, which may never end, or has more than `limit` bytes.
    """
    shown = clean(path)
    try:
        _check(os.stat(path), what, shown, limit)
        # Opening does not wait, even if a pipe has replaced the file meanwhile.
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(descriptor, "rb") as stream:
            size = _check(os.fstat(descriptor), what, shown, limit)
            # Python reserves memory for all bytes it is asked to read, however short the file is.
            data = stream.read(size + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{what} is needed, but there is none at {shown!r} (looked from {clean(Path.cwd())!r}). Check "
            "the path."
        ) from None
    except (
        OSError,
        ValueError,
    ) as error:  # ValueError: the path holds a character that no file name can
        if isinstance(error, InputError | UnsafeFileError):
            raise
        raise InputError(
            f"{what} is needed, but {shown!r} cannot be read: {clean(error)}. Check the path "
            "and its rights."
        ) from None
    if len(data) != size:
        raise InputError(
            f"{what} is needed as a whole, but {shown!r} is being written: it had {size:,} bytes and has "
            "others now. Read it when it is done."
        )
    return data


def _check(state: os.stat_result, what: str, shown: str, limit: int) -> int:
    """The file's size, where it is a file that may be read."""
    if stat.S_ISDIR(state.st_mode):
        raise InputError(f"{what} is needed, but {shown!r} is a folder. Name the file inside it.")
    if not stat.S_ISREG(state.st_mode):
        raise UnsafeFileError(
            f"{shown!r} is a device or a pipe, not a file, so it was not read. Copy it into a file."
        )
    if state.st_size > limit:
        raise _too_large(shown, state.st_size, limit)
    return state.st_size


def _too_large(shown: str, size: int, limit: int) -> UnsafeFileError:
    return UnsafeFileError(
        f"{shown!r} has at least {size:,} bytes, more than the {limit:,} that are read. Save fewer rows in "
        "one file."
    )
