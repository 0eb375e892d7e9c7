"""The code that runs inside the quarantine: limits first, then the file, then its first scores."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Column, Inputs, Model
from workbench.errors import WorkbenchError
from workbench.models.intake.native_files import import_library, read_native
from workbench.models.intake.reading import File
from workbench.models.intake.structure import faults
from workbench.models.normalize import Normalize
from workbench.models.split import Split
from workbench.models.tabular import booster_library
from workbench.models.wrapping import wrap

_WRITTEN_BYTES = 2**28  # for files that the library writes for itself, such as CatBoost's JSON
_PROBES = 32


def main() -> None:
    """Reads an order and a file from standard input, and answers with one JSON object."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not mix with the answer
    order = json.loads(sys.stdin.buffer.readline())
    _import_library(order["format"])
    limits = limit(order["limits"]["seconds"], order["limits"]["bytes"] + 8 * order["unpacked"])
    outcome = answer(order, sys.stdin.buffer.read()) | {"limits": limits}
    with os.fdopen(answers, "w") as stream:
        json.dump(outcome, stream)


class _NoTorch:
    """An import finder that reports that torch is not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "torch":
            raise ModuleNotFoundError("torch is not needed here", name=name)


def _import_library(format: str) -> None:
    """Imports the library that reads the format, before memory is limited.

    skops walks through all of scikit-learn, one corner of which imports torch where it is installed. That
    takes longer than all the rest, so torch is hidden from it.
    """
    finders: list[Any] = sys.meta_path
    finders.insert(0, _NoTorch())
    import_library(format)
    del finders[0]


def limit(seconds: float, room: int) -> str:
    """Limits this process's processor time and memory, as far as the platform can; returns the limits set.

    Args:
        seconds: of processor time; the process that started this one watches the clock.
        room: bytes of memory beyond what it has now.
    """
    clock = f"a process of its own, ended after {seconds:g} s"
    try:
        import resource
    except ImportError:  # Windows
        return f"{clock}; this platform limits no memory"
    held = [clock]
    for what, amount in (
        ("CORE", 0),
        ("FSIZE", _WRITTEN_BYTES),
        ("CPU", math.ceil(seconds)),
        ("AS", _address_space() + room),
    ):
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{what}"), (amount, amount))
        except (OSError, ValueError):  # macOS takes no limit on memory
            if what == "AS":
                held.append("this platform limits no memory")
            continue
        if what == "AS":
            held.append(f"{room:,} bytes of memory beyond the libraries'")
    return "; ".join(held)


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 2**31
    return pages * os.sysconf("SC_PAGE_SIZE")


def answer(order: dict[str, Any], data: bytes) -> dict[str, Any]:
    """The result for the file: the checks it passed, or one of our errors as text.

    Any other error ends the process, and its parent reports that.
    """
    file = File(
        Path(order["file"]), data, order["format"], order["sha256"], trusted=order["vouched"]
    )
    like = _read(order["like"])
    try:
        native = read_native(file, tuple(order["trusted"]))
        checks = faults(native, file)
        model = wrap(native, **_arguments(order), like=like)
    except WorkbenchError as error:
        return {"error": type(error).__name__, "message": str(error)}
    labels = file.format == "skops" or order["coded"]
    try:
        return {"checks": [*checks, _tried(model, like, may_fail=labels)]}
    except WorkbenchError as error:
        return {"error": type(error).__name__, "message": str(error)}


def _arguments(order: dict[str, Any]) -> dict[str, Any]:
    given, numbers = dict(order["given"]), order["given"].get("preprocess")
    made = None if numbers is None else (Split if "parts" in numbers else Normalize)(**numbers)
    return given | {"preprocess": made}


def _tried(model: Model, like: Inputs | None, *, may_fail: bool) -> str:
    """Asks for scores, so that a crash or a hang happens here; returns what was tried.

    Args:
        model: as it will be in the notebook.
        like: rows to score; generated ones when left out.
        may_fail: whether the model may refuse generated rows: a Pipeline may want labels, a part of `Split`
            codes, and a model whose preprocessing was not sent here another shape.
    """
    rows = like.values if like is not None else _made_up(model)
    if rows is None:
        return "no row could be made up, so none was tried: give like=inputs"
    try:
        model.predict(rows)
    except (WorkbenchError, ValueError, TypeError, LookupError) as error:
        if not may_fail or like is not None:
            raise
        return f"it answers no made-up rows ({type(error).__name__}), so none was scored: give like=inputs"
    if like is None and booster_library(model.native) is not None:
        model.predict(
            np.full((1, *rows.shape[1:]), np.nan)
        )  # boosters have a branch for missing values
    return f"{len(rows)} {'rows of like' if like is not None else 'made-up rows'} scored"


def _made_up(model: Model) -> NDArray[np.float64] | None:
    """Rows small and large: zeros, ones, and noise of four sizes."""
    if not model.shape or None in model.shape:
        return None
    lengths = [length for length in model.shape if length is not None]
    if math.prod(lengths) * _PROBES > 10**7:
        return None
    noise = np.random.default_rng(0).normal(size=(_PROBES, *lengths))
    noise *= np.resize([1.0, 10.0, 100.0, 1e6], _PROBES).reshape(-1, *[1] * len(lengths))
    noise[0], noise[1], noise[2] = 0.0, 1.0, -1.0
    return noise


def _read(written: dict[str, Any] | None) -> Inputs | None:
    if written is None:
        return None
    values = np.array(written["values"], dtype=written["dtype"]).reshape(written["shape"])
    return Inputs(
        values,
        kind=written["kind"],
        features=tuple(written["features"]),
        categories={name: tuple(labels) for name, labels in written["categories"].items()},
        columns=tuple(Column(**one) for one in written["columns"]),
        name=written["name"],
    )
