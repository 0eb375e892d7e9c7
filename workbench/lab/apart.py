"""A study run in a process of its own, so that an early exit of its code cannot look like an outcome."""

from __future__ import annotations

import codecs
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from workbench.core import clean
from workbench.errors import WorkbenchError

GRACE = 5.0
"""Seconds that a process has to clean up after its outcome, or after it was asked to stop."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from workbench.lab.gated import main; "
    "main(*sys.argv[2:])"
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a study.

    Args:
        held: whether its budget is kept; None where it did not run to its end.
        table: the checks, as text.
        junit: the checks, as XML.
        reason: why it did not run to its end.
        trace: the traceback of that error, unless the study was refused on purpose.
        stopped: whether a user interrupted it.
    """

    held: bool | None = None
    table: str = ""
    junit: str = ""
    reason: str = ""
    trace: str = ""
    stopped: bool = False


def run_apart(study: Path, show: Callable[[str], None]) -> Outcome:
    """The outcome of a study that runs in a process of its own.

    Its code is imported only there. The outcome comes back in a file that only the two processes know;
    neither the process's output nor its exit status counts as an outcome.

    Args:
        study: the TOML file.
        show: called with the process's output as it comes.

    Raises:
        WorkbenchError: no process can be started.
        KeyboardInterrupt: raised after the process and all it started have ended.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            place = Path(folder) / "outcome.json"
            code = _run(study, place, show)
            return _read(place, code)
    except (OSError, ValueError) as error:
        if isinstance(error, WorkbenchError):
            raise
        raise WorkbenchError(
            f"A study runs in a process of its own, but none can be started: {clean(error)}. Make room for "
            "temporary files and processes."
        ) from error


def _run(study: Path, place: Path, show: Callable[[str], None]) -> int:
    process = subprocess.Popen(
        [
            *(sys.executable, "-P", *(f"-W{one}" for one in sys.warnoptions)),
            *("-c", _START, json.dumps(sys.path), str(study), str(place)),
        ],
        stdin=subprocess.PIPE,  # never written to: when it closes, the process knows that this one is gone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    reader = threading.Thread(target=_relay, args=(process.stdout, show), daemon=True)
    reader.start()
    try:
        _await(process, place)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        raise
    finally:
        code = _end(process)
        reader.join(GRACE)
    return code


def _await(process: subprocess.Popen[bytes], place: Path) -> None:
    """Waits until the process ends, or has written its outcome and only a thread keeps it alive."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
            return
        if place.exists():
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            return


def _end(process: subprocess.Popen[bytes]) -> int:
    """How the process ended; it and everything it started have been ended."""
    code = process.poll()
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        elif code is None:
            process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    return process.returncode if code is None else code


def _relay(stream: IO[bytes], show: Callable[[str], None]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while chunk := os.read(stream.fileno(), 2**16):
        show(decoder.decode(chunk))
    stream.close()


def _read(place: Path, code: int) -> Outcome:
    try:
        fields: Any = json.loads(place.read_text(encoding="utf-8"))
        return Outcome(**fields)
    except (OSError, ValueError, TypeError):
        known = {one.value: one.name for one in signal.Signals}
        how = f"was ended by {known.get(-code, -code)}" if code < 0 else f"ended itself with {code}"
        return Outcome(
            reason=f"A study must run to its end, but its process {how} before there was an outcome. Look "
            "for os._exit, a crash in a library or too little memory in what the study names."
        )
