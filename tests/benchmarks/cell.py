"""What a cell is: a function from settings to lines and charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.benchmarks.charts import Chart
from tests.benchmarks.measure import Race
from tests.benchmarks.table import Goal, Line

Choice = TypeVar("Choice")
Cell = Callable[["Settings"], Iterator[Line | Chart]]

LIMIT, OURS = "limit", "ours"


@dataclass(frozen=True)
class Settings:
    """How much work to spend.

    Args:
        quick: smaller jobs and two rounds, to see that everything runs; the numbers mean little.
    """

    quick: bool = False

    @property
    def rounds(self) -> int:
        """How many times everybody is timed."""
        return 2 if self.quick else 5

    def pick(self, full: Choice, quick: Choice) -> Choice:
        """The job's size."""
        return quick if self.quick else full


def lines(
    job: str,
    seen: Race,
    *,
    peers: Sequence[str],
    goals: Sequence[Goal] = (),
    peer_goals: Mapping[str, Sequence[Goal]] | None = None,
    accuracy: str = "",
    peer_accuracy: Mapping[str, str] | None = None,
    remark: str = "",
    rival: bool = True,
) -> Iterator[Line]:
    """One line per peer from a race between "limit", "ours" and the peers; goals of ours on the first."""
    ours = seen.ratio(OURS, LIMIT) if LIMIT in seen.seconds and OURS in seen.seconds else None
    for number, peer in enumerate(peers or ("",)):
        raced = peer in seen.seconds and OURS in seen.seconds
        compiled = seen.compiling(OURS) if OURS in seen.first else 0.0
        notes = [remark] if number == 0 and remark else []
        if number == 0 and compiled > 0.3:
            notes.append(f"first call of ours {compiled:.1f} s longer")
        if peer in seen.first and seen.compiling(peer) > 0.3:
            notes.append(f"first call of the peer {seen.compiling(peer):.1f} s longer")
        own = tuple(goals) if number == 0 else ()
        yield Line(
            job=job,
            ours=ours,
            goals=own + tuple((peer_goals or {}).get(peer, ())),
            peer=peer,
            faster=seen.ratio(peer, OURS) if raced else None,
            accuracy=accuracy,
            peer_accuracy=(peer_accuracy or {}).get(peer, ""),
            memory=seen.memory.get(OURS, float("nan")),
            peer_memory=seen.memory.get(peer, float("nan")),
            foreign=seen.foreign,
            rival=rival,
            remark="; ".join(notes),
        )
