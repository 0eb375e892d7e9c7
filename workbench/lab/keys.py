"""Tables of a study file, read strictly: an unknown key is refused, and the closest known key named."""

from __future__ import annotations

import difflib
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.core import clean
from workbench.errors import InputError

Value = Mapping[str, Any]
_LARGEST = 2**20  # bytes of a study file: text that people write


def known_keys(table: Any, known: Iterable[str], where: str) -> Value:
    """The table, checked to be one and to have only known keys.

    Raises:
        InputError: it is not a table, or has an unknown key; names the closest known key.
    """
    known = list(known)
    if not isinstance(table, Mapping):
        raise InputError(f"{where} must be a table of keys {known}, not {table!r}.")
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise InputError(f"{where} has no key {key!r}. {hint}Keys: {known}.")
    return table


def text(table: Value, key: str, where: str) -> str:
    """A key's text.

    Raises:
        InputError: it is missing, or something else.
    """
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{where}.{key} must be a text, not {value!r}.")
    return value


def whole(table: Value, key: str, where: str, default: int, least: int = 0) -> int:
    """A key's whole number, or the default.

    Raises:
        InputError: it is something else, or below `least`.
    """
    value = table.get(key, default)
    if type(value) is not int or value < least:
        raise InputError(f"{where}.{key} must be a whole number from {least}, not {value!r}.")
    return value


def yes_or_no(table: Value, key: str, where: str, *, default: bool) -> bool:
    """A key's true or false, or the default.

    Raises:
        InputError: it is something else.
    """
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise InputError(f"{where}.{key} must be true or false, not {value!r}.")
    return value


def tables(value: Any, where: str) -> list[Any]:
    """A list of tables, such as `[[candidates]]` gives.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, list):
        raise InputError(f"{where} must be a list, written as [[{where}]], not {value!r}.")
    return value


def parsed(file: Path) -> Any:
    """The table in a TOML file, read from a file alone: a device or a pipe may never end.

    Raises:
        InputError: there is no such file, it is too large, or it is not TOML.
    """
    check_stored(file, "A study file is needed")
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise InputError(
                f"A study file is at most {_LARGEST:,} bytes of TOML, but {clean(file)} has more. Give the "
                "path of a study."
            )
        return tomllib.loads(content.decode())
    except OSError as error:
        raise InputError(
            f"A study file is needed, but {clean(file)!r} cannot be read: {error.strerror}. "
            "Check the path and its rights."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{clean(file)} is not valid TOML: {clean(error)}.") from error


def check_stored(file: Path, needed: str) -> None:
    """Refuses everything but regular files: reading others can hang, or fill the memory.

    Raises:
        InputError: it does not exist, or is a folder, a device, a pipe or a socket.
    """
    try:
        kind = file.stat().st_mode
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"{needed}, but {clean(file)!r} cannot be read: {why}. Check the path and its rights."
        ) from error
    if not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "a device, a pipe or a socket"
        raise InputError(f"{needed}, but {clean(file)!r} is {what}. Give the path of a file.")


def beside(folder: Path, path: str) -> Path:
    """A path in a study file, relative to the file's own folder."""
    return folder / path
