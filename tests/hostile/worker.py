"""A process that judges many mutants, one after the other, and says where each of them ended.

A new interpreter per mutant would take hours. So what the quarantine does in a process of its own is done
in a fork of this one, which has imported the library and used it never, and for as many mutants as the fork
lives through. Where it dies or hangs, the next fork goes on with the next mutant: the quarantine would have
ended for that file in the same way.

On standard output, a line of JSON per step, [word, number of the mutant, what]:

- `refused`: one of the two promised errors, before any library saw the file;
- `contained`: the library's step ended in an error; in the quarantine that is a refusal;
- `wrong`: another error where only the two are promised;
- `loaded`: it was read, scored, and then scored once more on other rows, as it would be in the notebook;
- `crash` and `hang`: the fork died or stood still, and at which step.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tests.hostile.mutants import mutant
from tests.hostile.seeds import COLUMNS, SUFFIX, network
from workbench.errors import InputError, UnsafeFileError
from workbench.models.intake.formats import WEIGHTS
from workbench.models.intake.load import inspect, load
from workbench.models.intake.native_files import import_library, read_native
from workbench.models.intake.quarantined import answer, limit
from workbench.models.intake.reading import File, read_file
from workbench.models.wrapping import wrap

PROMISED = (InputError, UnsafeFileError)
BEGUN, LIBRARY, AFTERWARDS = range(3)
STEPS = ("before the library", "in the library", "in the notebook")
ROWS = np.random.default_rng(7).normal(size=(256, COLUMNS)) * np.geomspace(1e-6, 1e12, 256)[:, None]

_answers = os.dup(1)
_at = mmap.mmap(-1, 16)  # shared with the forks: the mutant, and the step it is at


def main() -> None:
    """Judges mutants of a seed; arguments: format, path of the seed, first, last, seconds per mutant."""
    os.dup2(2, 1)  # whatever libraries print is no answer
    format, seed = sys.argv[1], Path(sys.argv[2]).read_bytes()
    at, last, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    if format in WEIGHTS:
        import torch

        torch.set_num_threads(1)
    else:
        import_library(format)
    while at < last:
        stand(at, BEGUN)
        child = os.fork()
        if child == 0:
            live(format, seed, at, last)
            os._exit(0)
        how = wait(child, seconds)
        at, step = struct.unpack("<qq", _at[:])
        if how == "done":
            return
        say(how, at, STEPS[step])
        at += 1


def live(format: str, seed: bytes, first: int, last: int) -> None:
    """A fork's life."""
    limit(24 * 3600, 2**30)
    judge = judge_weights if format in WEIGHTS else judge_whole
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        path = Path(folder) / f"mutant{SUFFIX[format]}"
        for number in range(first, last):
            stand(number, BEGUN)
            path.write_bytes(mutant(seed, format, number))
            say(*judge(pool, path, number))


def wait(child: int, seconds: float) -> str:
    """ "done", "crash" or "hang": how the fork ended, or was ended where it stood still for too long."""
    seen, since = _at[:], time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return "done" if status == 0 else "crash"
        if _at[:] != seen:
            seen, since = _at[:], time.monotonic()
        elif time.monotonic() - since > seconds:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "hang"
        time.sleep(0.005)


def judge_weights(pool: ThreadPoolExecutor, path: Path, number: int) -> tuple[str, int, object]:
    """`load` itself: nothing but the two errors may come of it."""
    model: Future = pool.submit(load, path, architecture=network)
    error = model.exception()
    if error is not None:
        return ("refused" if isinstance(error, PROMISED) else "wrong"), number, error
    stand(number, AFTERWARDS)
    model.result().predict(ROWS)
    return "loaded", number, ""


def judge_whole(pool: ThreadPoolExecutor, path: Path, number: int) -> tuple[str, int, object]:
    """The steps of `load`: inspected here, read and scored as in the quarantine, and then once more."""
    looked: Future = pool.submit(look, path)
    error = looked.exception()
    if error is not None:
        return ("refused" if isinstance(error, PROMISED) else "wrong"), number, error
    file, unpacked = looked.result()
    order = {"file": path.name, "format": file.format, "sha256": "", "vouched": False, "like": None}
    order |= {"given": {}, "coded": False, "trusted": [], "unpacked": unpacked}
    stand(number, LIBRARY)
    said: Future = pool.submit(answer, order, file.data)
    error = said.exception()
    if error is not None or "error" in said.result():
        return "contained", number, error or said.result()["message"]
    stand(number, AFTERWARDS)
    again: Future = pool.submit(use, file)
    error = again.exception()
    return ("wrong" if error else "loaded"), number, error or ""


def look(path: Path) -> tuple[File, int]:
    """What `load` does before any library sees the file."""
    file = read_file(path, inspect=inspect)
    return file, inspect(file, file.stream, len(file.data)).unpacked


def use(file: File) -> None:
    """What happens in the notebook afterwards: read for good, and asked for rows that were not tried."""
    model = wrap(read_native(file))
    if model.shape == (COLUMNS,):
        model.predict(ROWS)


def stand(number: int, step: int) -> None:
    """Tells the process above where this one stands."""
    _at[:] = struct.pack("<qq", number, step)


def say(word: str, number: int, what: object) -> None:
    """One line, at once: the next step may be the last."""
    text = f"{type(what).__name__}: {what}" if isinstance(what, BaseException) else str(what)
    os.write(_answers, json.dumps([word, number, text[:300]]).encode() + b"\n")


if __name__ == "__main__":
    main()
