"""Tables of a study file, read strictly: every key is known, or refused with the nearest that is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import InputError

Value = Mapping[str, Any]


def known_keys(table: Any, known: Iterable[str], where: str) -> Value:
    """The table, once it is one and has no other keys.

    Raises:
        InputError: it is no table, or has a key that is not known; names the nearest.
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
    """A list of tables, such as `[[copies]]` gives.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, list):
        raise InputError(f"{where} must be a list, written as [[{where}]], not {value!r}.")
    return value


def beside(folder: Path, path: str) -> Path:
    """A path of a study file, which counts from the file's own folder."""
    return folder / path
