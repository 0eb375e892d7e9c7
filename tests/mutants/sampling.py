"""A sample of mutants over the rooms: by a seed, in proportion to lines, and some of every room."""

from __future__ import annotations

import random
from pathlib import Path

from tests.mutants.operators import Mutant, mutants_of
from tests.mutants.rooms import ROOMS, sources

LEAST = 8
"""Mutants of every room, or one wrong test would decide about it."""


def sample(root: Path, count: int, seed: int) -> list[tuple[str, Mutant]]:
    """Rooms and their mutants; one per place, so that long expressions weigh no more.

    Args:
        root: of the tree.
        count: about how many; every room gets `LEAST` of 120, fewer of fewer.
        seed: the same seed and tree give the same sample.
    """
    files = {room: found for room in ROOMS if (found := sources(root, room))}
    lines = {
        room: sum(len((root / one).read_bytes().splitlines()) for one in found)
        for room, found in files.items()
    }
    shares = shared(lines, count)
    drawn: list[tuple[str, Mutant]] = []
    for room, found in files.items():
        rng = random.Random(f"{seed} {room}")
        places: dict[tuple[str, int, str], list[Mutant]] = {}
        for one in found:
            for place in mutants_of(one, (root / one).read_bytes()):
                # A call that is a whole statement is one place, though two nodes of the tree.
                places.setdefault((one, place[0].begin, place[0].old), []).extend(place)
        chosen = rng.sample(list(places.values()), min(shares[room], len(places)))
        drawn += [(room, rng.choice(place)) for place in chosen]
    return drawn


def shared(lines: dict[str, int], count: int) -> dict[str, int]:
    """How many mutants each room gets.

    >>> shared({"small": 10, "large": 300}, 120)
    {'small': 8, 'large': 112}
    """
    least = min(LEAST, count // len(lines))
    share = {
        room: max(least, round(count * own / sum(lines.values()))) for room, own in lines.items()
    }
    while sum(share.values()) > count:
        share[max(share, key=lambda room: share[room])] -= 1
    return share
