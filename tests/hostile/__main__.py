"""`python -m tests.hostile --minutes 60`: mutants that the tests do not reach, for as long as one likes."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from tests.hostile.fuzzing import Ended, fuzz
from tests.hostile.seeds import SUFFIX

BATCH = 1_000


def main() -> None:
    """Format after format in batches, until the time is up; prints figures, and fails on a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--first", type=int, default=2_000, help="the number of the first mutant")
    parser.add_argument("--format", choices=list(SUFFIX), action="append")
    arguments = parser.parse_args()
    formats = arguments.format or list(SUFFIX)
    totals = {one: Ended(one) for one in formats}
    seconds: Counter[str] = Counter()
    end, first = time.monotonic() + 60 * arguments.minutes, arguments.first
    while time.monotonic() < end:
        for format in formats:
            began = time.monotonic()
            found = fuzz(format, first, first + BATCH)
            seconds[format] += time.monotonic() - began
            totals[format].counts += found.counts
            totals[format].faults += found.faults
            if time.monotonic() > end:
                break
        first += BATCH
    for one in totals.values():
        counted = ", ".join(f"{many:,} {how}" for how, many in one.counts.most_common())
        print(f"{one.format}: {one.mutants:,} mutants in {seconds[one.format]:.0f} s: {counted}")
    faults = [fault for one in totals.values() for fault in one.faults]
    print(*faults, sep="\n")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
