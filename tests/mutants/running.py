"""The fate of mutants: the tests of a mutant's file, run in a copy of the tree until one fails."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Literal

from tests.mutants.operators import Mutant
from tests.mutants.rooms import tests_of

Outcome = Literal["assertion", "exception", "timed out", "survived", "equivalent", "unclear"]

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
        self._sound: set[str] = set()  # tests that pass without a mutant

    def outcome(self, mutant: Mutant) -> tuple[Outcome, str]:
        """What became of the mutant, and the test that saw it.

        "assertion": a test compared, and found it wrong. "exception": something broke on the way, which
        tells a reader less. "equivalent": listed as one that changes no behavior. "unclear": the test fails
        without the mutant too.
        """
        file = self._tree / mutant.path
        source = file.read_bytes()
        if mutant.changed_lines(source) in equivalents().get(mutant.path, []):
            return "equivalent", ""
        _write(file, mutant.applied(source))
        try:
            how, test = self._tried(tests_of(self._tree, mutant.path), mutant.path)
        finally:
            _write(file, source)
        if how in ("assertion", "exception") and test not in self._sound:
            if self._tried([test], mutant.path)[0] != "survived":
                return "unclear", test
            self._sound.add(test)
        return how, test

    def _tried(self, tests: list[str], path: str) -> tuple[Outcome, str]:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
            command += [f"--junitxml={report}", *tests]
            # Kernels are compiled anew: numba does not see that what a kernel calls has changed.
            anew = "import compiled" in (self._tree / path).read_text(encoding="utf-8")
            kernels = {"NUMBA_CACHE_DIR": str(Path(folder) / "kernels")} if anew else {}
            where = {**os.environ, "PYTHONPATH": str(self._tree), "OMP_NUM_THREADS": "1", **kernels}
            with subprocess.Popen(
                command, cwd=self._tree, env=where, start_new_session=True, preexec_fn=_bounded,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ) as run:  # fmt: skip
                try:
                    code = run.wait(self._seconds)
                except subprocess.TimeoutExpired:
                    os.killpg(run.pid, signal.SIGKILL)  # with the processes that tests began
                    return "timed out", ""
            return ("survived", "") if code == 0 else _seen(report, path)


def equivalents() -> dict[str, list[tuple[str, str]]]:
    """By file, lines before and after that are known to behave alike: blocks of path, -, + and a reason."""
    known: dict[str, list[tuple[str, str]]] = {}
    for block in _EQUIVALENT.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if lines:
            path, *changed = lines
            before = "\n".join(line[2:] for line in changed if line.startswith("- "))
            after = "\n".join(line[2:] for line in changed if line.startswith("+ "))
            known.setdefault(path, []).append((before, after))
    return known


def _bounded() -> None:
    """A loop that never ends must not take the machine's memory with it."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))


def _write(file: Path, source: bytes) -> None:
    """Write the file; forget what was compiled from it, known by a time and a size that may be the same."""
    file.write_bytes(source)
    for one in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        one.unlink()


def _seen(report: Path, path: str) -> tuple[Outcome, str]:
    """Whether the first failure is an assertion's, and whose it is."""
    asserted = ("AssertionError", "assert ", "DID NOT RAISE", "Expected:", "Regex pattern did not")
    for case in xml.parse(report).iter("testcase") if report.exists() else ():
        for failure in (*case.findall("failure"), *case.findall("error")):
            said = failure.get("message", "") + (failure.text or "")
            judged = failure.tag == "failure" and any(word in said for word in asserted)
            return ("assertion" if judged else "exception"), _named(case) or path
    return "exception", path


def _named(case: xml.Element) -> str:
    """The test as pytest is asked for it; its report writes file and class with dots."""
    *folders, last = case.get("classname", "").split(".")
    if last.startswith("Test"):
        return f"{'/'.join(folders)}.py::{last}::{case.get('name')}"
    return f"{'/'.join([*folders, last])}.py::{case.get('name')}" if last else ""
