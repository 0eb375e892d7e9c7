"""The table of hostile files: what each is called, how it is made, and how it must end."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """One file.

    Args:
        make: writes it into a folder and gives its path; the second path is where a payload would leave a
            mark.
        ends: a pattern of the sentence that refuses it, or "" where it must load.
        weights: whether an architecture is given.
        seconds: how long the quarantine may take.
    """

    make: Callable[[Path, Path], os.PathLike[str] | str]
    ends: str
    weights: bool
    seconds: float


def case(name: str, ends: str, *, weights: bool = False, seconds: float = 60.0):
    """Enters a function that makes a file into the table."""

    def entered(make):
        assert name not in CASES, f"two cases are called {name!r}"
        CASES[name] = Case(make, ends, weights, seconds)
        return make

    return entered


class Payload:
    """Unpickled, it would make a folder; the tests assert that there is none."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self):
        return (os.mkdir, (self.mark,))


def written(folder: Path, name: str, content: bytes) -> Path:
    """The path of a new file."""
    path = folder / name
    path.write_bytes(content)
    return path
