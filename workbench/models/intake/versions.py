"""The oldest versions of other libraries that may read a file, and the installed ones."""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata

from workbench.errors import MissingDependency, missing

FLOORS = {
    "torch": ("2.10", "older ones can be made to corrupt memory by a file (CVE-2026-24747)"),
    "safetensors": ("0.4.3", "older ones were not tried"),
    "skops": ("0.13", "older ones fall back to joblib, which runs code (CVE-2025-54886)"),
    "onnx": ("1.21", "older ones read outside the model's folder (CVE-2026-27489)"),
    "onnxruntime": ("1.20", "older ones were not tried"),
    "xgboost": ("3", "older ones were not tried"),
    "lightgbm": ("4.5", "older ones were not tried"),
    "catboost": ("1.2.7", "older ones were not tried"),
}
"""{library: (the oldest version that may read a file, why)}."""

_EXTRAS = {
    "torch": "torch",
    "skops": "skops",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "xgboost": "boosters",
    "lightgbm": "boosters",
    "catboost": "boosters",
}
_WHEELS = {"xgboost": ("xgboost", "xgboost-cpu")}


def checked_version(library: str, why: str) -> str:
    """The installed version of a library, once it is new enough to read files.

    Args:
        library: the name it is imported by.
        why: what needs it, for the message.

    Raises:
        MissingDependency: it is not installed, or too old.
    """
    if importlib.util.find_spec(library) is None:
        raise missing(_EXTRAS.get(library, library), why)
    found = _installed(library)
    oldest, reason = FLOORS[library]
    if _numbers(found) < _numbers(oldest):
        raise MissingDependency(
            f"{why} needs {library} {oldest} or newer, but {found} is installed; {reason}. Run: "
            f'pip install "{library}>={oldest}"'
        )
    return found


def _installed(library: str) -> str:
    for wheel in _WHEELS.get(library, (library,)):
        try:
            return metadata.version(wheel)
        except metadata.PackageNotFoundError:
            continue
    return "0"  # imported from a folder without metadata: an unknown version does not count as new


def _numbers(version: str) -> tuple[int, ...]:
    """The release's numbers, without what follows them.

    >>> _numbers("2.13.0+cpu") > _numbers("2.10")
    True
    """
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in release.group().split(".")) if release else (0,)
