"""The fate of mutants: the tests of a mutant's file, run in a copy of the tree until one fails."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from functools import cache
from pathlib import Path
from typing import Literal

from tests.mutants.operators import Mutant
from tests.mutants.rooms import asked_about

Outcome = Literal[
    "assertion", "exception", "hung", "survived", "unfinished", "equivalent", "unclear"
]  # fmt: skip
HANGS = 120
"""Seconds after which one test is taken to run for ever."""


_COPIED = ("workbench", "tests", "assets", "notebooks", "docs")
_MEMORY = 8 * 2**30
_EQUIVALENT = Path(__file__).with_name("equivalent.txt")


def copied(root: Path, tree: Path) -> None:
    """Copy what tests read; nothing is linked, so that no mutant can reach the working tree."""
    skipped = shutil.ignore_patterns("__pycache__")
    for name in _COPIED:
        shutil.copytree(root / name, tree / name, ignore=skipped)
    for one in root.iterdir():
        if one.is_file():
            shutil.copy2(one, tree / one.name)


class Trials:
    """A copy of the tree in which mutants are made, one after the other."""

    def __init__(self, tree: Path, seconds: float) -> None:
        self._tree, self._seconds = tree, seconds

    def outcome(self, mutant: Mutant) -> tuple[Outcome, str]:
        """What became of the mutant, and the test that saw it.

        "assertion": a test compared, and found it wrong. "exception": something broke on the way, which
        tells a reader less. "hung": one test took longer than `HANGS` seconds. "unfinished": the tests took
        longer than they may, all together. "equivalent": listed as one that changes no behavior.
        """
        file = self._tree / mutant.path
        source = file.read_bytes()
        if is_equivalent(mutant, source):
            return "equivalent", ""
        _write(file, mutant.applied(source))
        try:
            return self._tried(asked_about(self._tree, mutant.path), mutant.path)
        finally:
            _write(file, source)

    def unsound(self, tests: set[str]) -> set[str]:
        """Those of the tests that fail without any mutant: what they saw is no proof."""
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            self._run([f"--junitxml={report}", *sorted(tests)], {}, None)
            return set(_failures(report)) if report.exists() else tests

    def _tried(self, tests: list[str], path: str) -> tuple[Outcome, str]:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            asked = ["-x", f"--junitxml={report}", "-o", f"faulthandler_timeout={HANGS}"]
            asked += ["-o", "faulthandler_exit_on_timeout=true", *tests]
            # Kernels are compiled anew: numba does not see that what a kernel calls has changed.
            anew = "import compiled" in (self._tree / path).read_text(encoding="utf-8")
            began = time.monotonic()
            code = self._run(
                asked, {"NUMBA_CACHE_DIR": f"{folder}/kernels"} if anew else {}, self._seconds
            )
            if code is None or code == 0:
                return ("survived" if code == 0 else "unfinished"), ""
            if not report.exists():
                return ("hung" if time.monotonic() - began > HANGS else "exception"), path
            return next(
                ((how, test or path) for test, how in _failures(report).items()),
                ("exception", path),
            )

    def _run(self, asked: list[str], more: dict[str, str], seconds: float | None) -> int | None:
        """Pytest's exit code in the copy, or None after so many seconds."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *asked]
        where = {**os.environ, "PYTHONPATH": str(self._tree), "OMP_NUM_THREADS": "1", **more}
        with subprocess.Popen(
            command, cwd=self._tree, env=where, start_new_session=True, preexec_fn=_bounded,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as run:  # fmt: skip
            try:
                return run.wait(seconds)
            except subprocess.TimeoutExpired:
                return None
            finally:
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)  # with the processes that tests began


def is_equivalent(mutant: Mutant, source: bytes) -> bool:
    """Whether the change is listed: its lines before and after, or those before alone."""
    before, after = mutant.changed_lines(source)
    return any(
        (path, one) == (mutant.path, before) and other in ("", after)
        for path, one, other, _ in listed()
    )


@cache
def listed() -> list[tuple[str, str, str, str]]:
    """What changes no behavior: file, lines before, lines after ("" for any), and why."""
    found = []
    for block in _EQUIVALENT.read_text(encoding="utf-8").split("\n\n")[1:]:
        path, *lines = block.strip().splitlines()
        before, after, reason = (
            "\n".join(line[2:] for line in lines if line.startswith(mark))
            for mark in ("- ", "+ ", "# ")
        )
        found.append((path, before, after, reason))
    return found


def _bounded() -> None:
    """A loop that never ends must not take the machine's memory with it."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))


def _write(file: Path, source: bytes) -> None:
    """Write the file; forget what was compiled from it, known by a time and a size that may be the same."""
    file.write_bytes(source)
    for one in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        one.unlink()


def _failures(report: Path) -> dict[str, Outcome]:
    """The tests that failed, and whether by an assertion, in their order."""
    asserted = ("AssertionError", "assert ", "DID NOT RAISE", "Expected:", "Regex pattern did not")
    found: dict[str, Outcome] = {}
    for case in xml.parse(report).iter("testcase"):
        for failure in (*case.findall("failure"), *case.findall("error")):
            said = failure.get("message", "") + (failure.text or "")
            judged = failure.tag == "failure" and any(word in said for word in asserted)
            found[_named(case)] = "assertion" if judged else "exception"
    return found


def _named(case: xml.Element) -> str:
    """The test as pytest is asked for it; its report writes file and class with dots."""
    *folders, last = case.get("classname", "").split(".")
    if last.startswith("Test"):
        return f"{'/'.join(folders)}.py::{last}::{case.get('name')}"
    return f"{'/'.join([*folders, last])}.py::{case.get('name')}" if last else ""
