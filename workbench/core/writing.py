"""Files that are written whole or not at all, and one error message where they cannot be."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from workbench.core.markup import clean
from workbench.errors import InputError


def write_whole(path: str | os.PathLike[str], content: bytes | str, what: str) -> None:
    """Writes a file so that it is never found half written; an old one stays whole until it is replaced.

    The content is written to a temporary file beside it, flushed to disk, and renamed at the end. A link
    stays a link: its target is written. An old file keeps its permissions; a new one gets the usual ones.

    Args:
        path: the file.
        content: all of it; text becomes UTF-8.
        what: what needs the file: the beginning of the error message.

    Raises:
        InputError: it cannot be written: no such folder, no permission, no room, a name too long, or the
            path is not a file.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        _replace(Path(os.path.realpath(path)), path, data, what)
    except (
        OSError,
        ValueError,
    ) as error:  # ValueError: the path holds a character that no file name can
        if isinstance(error, InputError):
            raise
        raise unwritable(path, what, error) from error


def make_folder(path: str | os.PathLike[str], what: str) -> Path:
    """The folder, created with its parents where it does not exist.

    Raises:
        InputError: it cannot be created, or is a file.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise unwritable(folder, what, error, "a folder") from error
    return folder


def unwritable(
    path: str | os.PathLike[str], what: str, error: Exception, kind: str = "a file"
) -> InputError:
    """The error message for an error of the operating system."""
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return InputError(
        f"{what} needs {kind} that can be written, but {clean(path)!r} cannot: {clean(why)}. Name another "
        "place, or make room and rights there."
    )


def _replace(target: Path, named: str | os.PathLike[str], data: bytes, what: str) -> None:
    try:
        old = target.stat()
    except FileNotFoundError:
        old = None
    if old is not None and not stat.S_ISREG(old.st_mode):
        kind = "a folder" if stat.S_ISDIR(old.st_mode) else "a device, a pipe or a socket"
        raise InputError(
            f"{what} needs a file that can be written, but {clean(named)!r} is {kind}. Name a file."
        )
    if old is not None and not os.access(target, os.W_OK):
        raise InputError(
            f"{what} needs a file that can be written, but {clean(named)!r} is protected against it. Name "
            "another file, or give the right to write this one."
        )
    # A short name of its own: a longer form of a long name might be too long.
    part = target.with_name(f".workbench-{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(part, flags, 0o666), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if old is not None:
            os.chmod(part, stat.S_IMODE(old.st_mode))
        os.replace(part, target)
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            part.unlink()
