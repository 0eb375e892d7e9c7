"""`python -m tests.mutants`: which of a seeded sample of small faults the tests see, room by room.

By hand, not in CI: 120 mutants take an hour or two on two cores. Every mutant is made in a copy of the
tree; the working tree is only read. Fails where fewer than 95 % are seen, or fewer than 90 % in some room.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import get_args

from tests.mutants.rooms import ROOMS
from tests.mutants.running import Outcome, Trials, copied
from tests.mutants.sampling import sample

WANTED, WANTED_IN_A_ROOM = 0.95, 0.9


def main() -> None:
    """Make and try the mutants, print each as it ends and the table at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other mutants")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--room", action="append", choices=ROOMS, help="these rooms alone")
    parser.add_argument(
        "--only", type=int, action="append", help="these numbers of the sample alone"
    )
    parser.add_argument(
        "--seconds", type=float, default=300, help="that the tests of one mutant may take"
    )
    parser.add_argument("--list", action="store_true", help="show the sample and try nothing")
    asked = parser.parse_args()
    root = Path(__file__).resolve().parents[2]
    drawn = [
        (number, room, one)
        for number, (room, one) in enumerate(sample(root, asked.count, asked.seed))
        if (not asked.only or number in asked.only) and (not asked.room or room in asked.room)
    ]
    ended: list[tuple[str, Outcome, str]] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trials = Trials(Path(folder) / "tree", asked.seconds)
        if not asked.list:
            copied(root, Path(folder) / "tree")
        for number, room, one in drawn:
            before, after = one.changed_lines((root / one.path).read_bytes())
            print(f"#{number} {one.path}:{one.line}\n  - {before}\n  + {after}", flush=True)
            if not asked.list:
                how, test = trials.outcome(one)
                ended.append((room, how, test))
                print(f"  {how} {test}".rstrip(), flush=True)
        if ended:
            seen = {test for _, how, test in ended if how in ("assertion", "exception")}
            unsound = trials.unsound(seen)
            print(*(f"fails without a mutant too: {test}" for test in sorted(unsound)), sep="\n")
            _judge([(room, "unclear" if test in unsound else how) for room, how, test in ended])


def _judge(ended: list[tuple[str, Outcome]]) -> None:
    """Print the table; end with 1 where too few were seen."""
    words = get_args(Outcome)
    print("\n" + " | ".join(["room".ljust(10), *words, "seen"]))
    poor = False
    for room in [*ROOMS, "all"]:
        mine = [how for where, how in ended if room in (where, "all")]
        counted = {word: mine.count(word) for word in words}
        changing = len(mine) - counted["equivalent"] - counted["unclear"]
        if not changing:
            continue
        seen = counted["assertion"] + counted["exception"] + counted["hung"]
        poor = poor or seen / changing < (WANTED if room == "all" else WANTED_IN_A_ROOM)
        cells = [str(counted[word]).rjust(len(word)) for word in words]
        share = f"{seen} of {changing} = {seen / changing:.0%}"
        print(" | ".join([room.ljust(10), *cells, share]))
    sys.exit(int(poor))


if __name__ == "__main__":
    main()
