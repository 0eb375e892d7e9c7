"""Files that appear whole or not at all, and one sentence where they cannot."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from workbench.core.markup import clean
from workbench.errors import InputError


def write_whole(path: str | os.PathLike[str], content: bytes | str, what: str) -> None:
    """Writes a file that nobody ever finds half written; an old one stays whole until then.

    The content goes to a file beside it, to the disk, and takes its name at last. A link stays a link: the
    file it leads to is written. An old file's rights stay; a new one has those of any new file.

    Args:
        path: the file.
        content: all of it; text becomes UTF-8.
        what: what needs the file, as the sentence begins.

    Raises:
        InputError: it cannot be written there: no such folder, no right, no room, a name too long, or what
            is there is no file.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        _replace(Path(os.path.realpath(path)), path, data, what)
    except (OSError, ValueError) as error:  # a ValueError: what no name of a file can hold
        if isinstance(error, InputError):
            raise
        raise unwritable(path, what, error) from error


def make_folder(path: str | os.PathLike[str], what: str) -> Path:
    """The folder, made with those above it where there was none.

    Raises:
        InputError: it cannot be made, or is a file.
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
    """The sentence for an error of the system."""
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
    # Of a name of its own: beside a long name there is no room for a longer one.
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
