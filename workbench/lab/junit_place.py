"""The file for a gate's JUnit report, which never replaces a file of another kind."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.core import clean, make_folder, write_whole
from workbench.errors import InputError

_HEAD = 4096
_REPORT = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>\s*)?(<!--[^>]*-->\s*)*<testsuites?[\s>/]")


def check_place(place: Path, inputs: Iterable[Path]) -> None:
    """Refuses a path that holds something other than a JUnit report, or an input. Changes nothing.

    An earlier report is recognized by its beginning; any other file is kept: a study, a model, code.

    Args:
        place: where the report is to be written.
        inputs: the files that the study reads, whether they exist or not.

    Raises:
        InputError: it holds something else, or is not a file.
    """
    try:
        if any(_same(place, one) for one in inputs):
            raise InputError(
                f"--junit needs a file of its own, but {clean(place)!r} is read by the study. Name another."
            )
        state = place.stat()
        if not stat.S_ISREG(state.st_mode):
            what = "a folder" if stat.S_ISDIR(state.st_mode) else "a device, a pipe or a socket"
            raise InputError(
                f"--junit needs a file that can be written, but {clean(place)!r} is {what}. Name a file."
            )
        with place.open("rb") as stream:
            head = stream.read(_HEAD)
    except FileNotFoundError:
        return
    except InputError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"--junit needs a file that can be written, but {clean(place)!r} cannot: {clean(why)}. Name "
            "another."
        ) from error
    if not _REPORT.match(head) and (head or place.suffix == ".py"):
        raise InputError(
            f"--junit replaces an earlier JUnit report and nothing else, but {clean(place)!r} holds "
            "something else. Name another file, or move that one away."
        )


def write_junit(place: Path, text: str) -> None:
    """Writes the report, whole or not at all; creates its folder if needed.

    Raises:
        InputError: it cannot be written.
    """
    make_folder(place.parent, "--junit")
    write_whole(place, text, "--junit")


def inputs_of(table: Any, folder: Path) -> Iterator[Path]:
    """The files that a study names, and those that may hold its own code.

    Args:
        table: as read from the study.
        folder: from which the study's paths count.
    """
    if isinstance(table, list):
        for entry in table:
            yield from inputs_of(entry, folder)
    if not isinstance(table, Mapping):
        return
    for key, value in table.items():
        if key in ("file", "csv", "background") and isinstance(value, str):
            yield folder / value
        elif isinstance(value, str) and ":" in value:
            module = Path(*value.partition(":")[0].split("."))
            yield from (module.with_suffix(".py"), module / "__init__.py")
        else:
            yield from inputs_of(value, folder)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, even over links, or would if it existed."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)
