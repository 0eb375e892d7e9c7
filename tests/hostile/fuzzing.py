"""Runs a worker over the mutants of a format, and counts how they ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.seeds import seed
from workbench.models.intake.formats import WEIGHTS

SECONDS = 20.0
"""A fork that stands still for so long is ended; the quarantine waits longer."""

_ROOT = Path(__file__).parents[2]


@dataclass
class Ended:
    """How the mutants of one format ended.

    Args:
        counts: {how: of how many mutants}; "crash" and "hang" are those in the step that the quarantine
            does in a process of its own, so they are contained.
        faults: mutants that broke the promise, with what they did.
    """

    format: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def mutants(self) -> int:
        """How many there were."""
        return sum(self.counts.values()) + len(self.faults)

    def enter(self, word: str, number: int, what: str) -> None:
        """Counts one mutant."""
        contained = what == "in the library" and self.format not in WEIGHTS
        if word in ("refused", "contained", "loaded") or (word in ("crash", "hang") and contained):
            self.counts[word] += 1
        else:
            self.faults.append(f"{self.format}, mutant {number}: {word}, {what}")


def fuzz(format: str, first: int, last: int) -> Ended:
    """The mutants `first` to `last` of a format, each judged once."""
    ended = Ended(format)
    with tempfile.NamedTemporaryFile() as stored, tempfile.TemporaryFile("w+") as heard:
        stored.write(seed(format))
        stored.flush()
        command = [sys.executable, "-W", "ignore", "-m", "tests.hostile.worker"]
        done = subprocess.run(
            [*command, format, stored.name, str(first), str(last), str(SECONDS)],
            cwd=_ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)},
            stdout=subprocess.PIPE,
            stderr=heard,
            text=True,
        )
        heard.seek(0)
        said = heard.read()[-2_000:]
    for line in done.stdout.splitlines():
        ended.enter(*json.loads(line))
    if done.returncode or ended.mutants != last - first:
        raise RuntimeError(f"The worker judged {ended.mutants} of {last - first} mutants: {said}")
    return ended
