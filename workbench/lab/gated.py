"""The code that a gate runs in a separate process: the study, and all code that it names."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from workbench.core import clean, printable, write_whole
from workbench.errors import WorkbenchError
from workbench.lab.gate import gate
from workbench.lab.junit import junit, table
from workbench.models.asking import failures


def main(study: str, outcome: str) -> None:
    """Runs the study and writes its outcome as JSON to a file, separate from everything printed here.

    Args:
        study: the TOML file.
        outcome: the file to write.
    """
    own = os.getpid()
    sys.argv[:] = ["workbench", "check", study]
    _end_with_parent()
    for stream in (sys.stdout, sys.stderr):  # one pipe, which its reader decodes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    try:
        became = _became(study)
    except BaseException as error:  # whatever the study's own code raises, or exits with
        # An unexpected failure and not a refusal, so its traceback is needed.
        trace = "" if isinstance(error, WorkbenchError) else printable(traceback.format_exc())
        stopped = isinstance(error, KeyboardInterrupt)
        _write(
            outcome, own, {"reason": printable(_reason(error)), "trace": trace, "stopped": stopped}
        )
        raise SystemExit(2) from error
    _write(outcome, own, became)


def _write(outcome: str, own: int, became: dict[str, Any]) -> None:
    if os.getpid() == own:  # not a fork that returned from the study's code
        write_whole(outcome, json.dumps(became), "The outcome of a study")


def _became(study: str) -> dict[str, Any]:
    started = time.perf_counter()
    checked = None
    for step in gate(Path(study)):
        if step.label.endswith("is finished"):
            sys.stderr.write(f"{step.done / step.total:4.0%}  {clean(step.label)}\n")
        checked = step.result or checked
    if checked is None:
        return {"reason": "A study must give an outcome, but it ended without one."}
    text = junit(checked, time.perf_counter() - started)
    return {"held": checked.held, "table": table(checked), "junit": text}


def _reason(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except failures():  # the error's own text raises an error
        return type(error).__name__


def _end_with_parent() -> None:
    """Ends this process and all it started once its parent, which holds the pipe's other end, is gone."""
    held = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        while os.read(held, 1):
            continue
        if hasattr(os, "killpg"):
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(2)

    threading.Thread(target=watch, daemon=True).start()
