"""A separate process, with limits, in which a file is first read and scored.

It keeps crashes, endless loops and runaway memory away from the notebook. It is not a security sandbox: the
process runs as the same user, sees the same files and the same network.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from workbench import errors
from workbench.core import Inputs, clean
from workbench.errors import InputError, UnsafeFileError, WorkbenchError
from workbench.models.intake.reading import File
from workbench.models.normalize import Normalize
from workbench.models.split import Split

ROWS = 8
"""Rows of `like` that the process is given to try."""

_START = (
    "import json, sys; paths = json.loads(sys.argv[1]); sys.path.insert(0, paths.pop(0)); "
    "sys.path += [path for path in paths if path not in sys.path]; "
    "from workbench.models.intake.quarantined import main; main()"
)
# What a process needs to start and to find its libraries; no file needs the rest.
_ENVIRONMENT = (
    *("PATH", "LANG", "LC_ALL", "HOME", "USERPROFILE", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CONDA_PREFIX", "APPDATA", "LOCALAPPDATA"),
)


@dataclass(frozen=True)
class Quarantine:
    """The limits of the process in which a file is tried first.

    Args:
        seconds: of wall-clock time, and of processor time.
        bytes: memory beyond that of the libraries and eight times the file's unpacked size.
    """

    seconds: float = 60.0
    bytes: int = 2**29

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.bytes > 0):
            raise InputError(
                f"A quarantine needs seconds and bytes above zero, not {self.seconds!r} and "
                f"{self.bytes!r}. It cannot be left out: pass the live object to workbench.wrap instead."
            )


@dataclass(frozen=True)
class Passed:
    """The result of a process that read a file and survived: its checks, and the limits it kept to."""

    checks: tuple[str, ...]
    limits: str


_passed: dict[str, Passed] = {}


def try_first(
    file: File,
    given: Mapping[str, Any],
    like: Inputs | None,
    trusted: tuple[str, ...],
    unpacked: int,
    quarantine: Quarantine,
) -> Passed:
    """Reads the file in a separate process and asks it for scores, once a session for the same bytes.

    Args:
        file: a file that was inspected.
        given: the arguments for `wrap`.
        like: rows to try; generated ones when left out.
        trusted: for skops, further types.
        unpacked: the bytes that the file holds when unpacked.
        quarantine: the limits.

    Raises:
        UnsafeFileError: the process crashed, did not end, asked for too much, or refused the file.
        WorkbenchError: the adapter's own error in that process, such as arguments that do not fit.
    """
    given, code = dict(given), given["preprocess"]
    if isinstance(code, Normalize):
        given["preprocess"] = asdict(code)
    elif isinstance(code, Split):
        shapes = {part: list(shape) for part, shape in code.parts.items()}
        parts = list(shapes.values()) if code.positional else shapes
        given["preprocess"] = {"parts": parts, "whole": list(code.whole)}
    elif (
        code is not None
    ):  # a function of the caller's cannot be sent there, and rows do not fit without it
        given["preprocess"], like = None, None
    order = {
        "coded": code is not None and not isinstance(code, Normalize),
        "file": file.path.name,
        "format": file.format,
        "sha256": file.sha256,
        "vouched": file.trusted,
        "given": given,
        "like": None if like is None else _written(like),
        "trusted": list(trusted),
        "unpacked": unpacked,
        "limits": asdict(quarantine),
    }
    line = json.dumps(order, default=_plain).encode()
    key = hashlib.sha256(line).hexdigest()
    if key not in _passed:
        _passed[key] = _judged(file, _answer(file, line, quarantine))
    return _passed[key]


def _answer(file: File, line: bytes, quarantine: Quarantine) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as heard:
        process = _started(file, folder, heard)
        try:
            printed, _ = process.communicate(line + b"\n" + file.data, quarantine.seconds)
        except subprocess.TimeoutExpired:
            raise _fault(
                file,
                f"it did not end within {quarantine.seconds:g} s, so the process was ended",
            ) from None
        finally:
            _end(process)
        if process.returncode:
            raise _fault(file, _why(process.returncode, heard, quarantine))
    try:
        answer = json.loads(printed)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise _fault(file, "the process ended without an answer")
    return answer


def _started(file: File, folder: str, heard: IO[bytes]) -> subprocess.Popen[bytes]:
    """The process: isolated from the working folder and PYTHON* variables, with this package first."""
    paths = [str(Path(__file__).parents[3])]
    paths += [os.path.abspath(path) for path in sys.path if path and os.path.isabs(path)]
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR"), folder)
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_CACHE_DIR": folder}
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _START, json.dumps(paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=heard,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _fault(file, f"no process could be started ({clean(error)})") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and all it started; they are gone when this returns."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _why(code: int, heard: IO[bytes], quarantine: Quarantine) -> str:
    heard.seek(max(0, heard.seek(0, os.SEEK_END) - 4096))
    lines = heard.read().decode(errors="replace").strip().splitlines() or [""]
    if "MemoryError" in lines[-1] or "bad_alloc" in " ".join(lines[-3:]):
        return f"it asked for more memory than the {quarantine.bytes:,} bytes that are allowed"
    if code == -getattr(signal, "SIGXCPU", 0):
        return f"it took more than {quarantine.seconds:g} s of the processor"
    if code < 0:
        known = {one.value: one.name for one in signal.Signals}
        return f"it crashed there ({known.get(-code, -code)}) in the library's own code"
    return f"it failed there: {clean(lines[-1])}"


def _judged(file: File, answer: dict[str, Any]) -> Passed:
    """The report of the process on the file: only text, and never used as anything else."""
    if answer.get("error") is not None:
        kind = getattr(errors, str(answer["error"]), None)
        message = clean(answer.get("message", ""), limit=4000)
        if not (isinstance(kind, type) and issubclass(kind, WorkbenchError)):
            kind = UnsafeFileError
        raise kind(message)
    checks, limits = answer.get("checks"), answer.get("limits")
    if not isinstance(checks, list) or not isinstance(limits, str):
        raise _fault(file, "the process ended without an answer")
    return Passed(tuple(clean(one, limit=400) for one in checks), clean(limits, limit=400))


def _fault(file: File, why: str) -> UnsafeFileError:
    return file.refuse(
        f"is tried in a process of its own before it is loaded here, and {why}. It is damaged, made to do "
        "harm, or larger than the limits: load(path, quarantine=Quarantine(seconds=..., bytes=...)). "
        "Where you trust it, load it yourself and pass the live object to workbench.wrap."
    )


def _written(like: Inputs) -> dict[str, Any]:
    rows = np.asarray(like.values[:ROWS])
    return {
        "values": rows.tolist(),
        "shape": list(rows.shape),
        "dtype": rows.dtype.name,
        "kind": like.kind,
        "features": list(like.features),
        "categories": {name: list(labels) for name, labels in like.categories.items()},
        "columns": [asdict(column) for column in like.columns],
        "name": like.name,
    }


def _plain(value: Any) -> Any:
    """A NumPy number as a Python number; a label of another type as text."""
    return value.item() if isinstance(value, np.generic) else str(value)
