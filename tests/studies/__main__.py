"""`python -m tests.studies`: which results are not what they were. `--write` keeps today's instead."""

from __future__ import annotations

import argparse
import sys
import time

from tests.studies.keeping import differences, found_by, read, write
from tests.studies.studies import STUDIES
from tests.studies.test_studies import TOLERANCE


def main() -> None:
    """Run the studies one by one; end with 1 where one differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep today's results")
    parser.add_argument("--only", action="append", choices=STUDIES, help="these alone")
    asked = parser.parse_args()
    changed = 0
    for name in asked.only or STUDIES:
        began = time.perf_counter()
        found = found_by(name)
        seconds = f"{time.perf_counter() - began:.1f} s"
        if asked.write:
            write(name, found)
            print(f"{name}: kept, {len(found.arrays)} arrays, {seconds}", flush=True)
            continue
        kept = read(name)
        lines = differences(found, kept, tolerance=TOLERANCE[STUDIES[name].single])
        how = "bit by bit" if found.machine == kept.machine else "within the tolerance"
        changed += bool(lines)
        print(
            f"{name}: {f'{len(lines)} differ' if lines else f'equal {how}'}, {seconds}", flush=True
        )
        print(*(f"  {line}" for line in lines), sep="\n", end="\n" if lines else "")
    sys.exit(int(changed > 0))


if __name__ == "__main__":
    main()
