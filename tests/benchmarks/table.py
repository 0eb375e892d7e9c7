"""What was found, as lines of a table and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.measure import Spread, short


@dataclass(frozen=True)
class Goal:
    """A number to reach.

    Args:
        text: the target in words, such as "≤ 1.3x limit".
        value: what was measured; NaN where nothing was.
        bound: what it must not exceed, or must reach.
        at_most: whether the bound is an upper one.
    """

    text: str
    value: float
    bound: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the bound holds; nothing measured is not met."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        verdict = "met" if self.met else "**missed**"
        return f"{self.text}: {short(self.value)}, {verdict}"


def at_most(bound: float, value: float, unit: str) -> Goal:
    """`value` must not exceed `bound`."""
    return Goal(f"≤ {short(bound)} {unit}", value, bound)


def at_least(bound: float, value: float, unit: str) -> Goal:
    """`value` must reach `bound`."""
    return Goal(f"≥ {short(bound)} {unit}", value, bound, at_most=False)


@dataclass(frozen=True)
class Line:
    """One job against one peer.

    Args:
        job: what is computed.
        ours: our time as a multiple of the limit's.
        goals: the targets that this line decides.
        peer: who else does the job, and how it was set.
        faster: how many times as long the peer takes as ours.
        accuracy: how right ours is, with its unit.
        peer_accuracy: how right the peer is.
        memory: our peak in MiB above the start.
        peer_memory: the peer's.
        foreign: the share of the machine used by others meanwhile.
        rival: whether the peer is somebody else's code; False where ours is compared with ours.
        remark: what a reader must know to judge the numbers.
    """

    job: str
    ours: Spread | None = None
    goals: tuple[Goal, ...] = ()
    peer: str = ""
    faster: Spread | None = None
    accuracy: str = ""
    peer_accuracy: str = ""
    memory: float = float("nan")
    peer_memory: float = float("nan")
    foreign: float = float("nan")
    rival: bool = True
    remark: str = ""

    @property
    def peer_wins(self) -> bool:
        """Whether somebody else needs less time than ours."""
        return self.rival and self.faster is not None and self.faster.median < 1.0

    def cells(self) -> tuple[str, ...]:
        """The line as text, column by column."""
        wins = " **peer wins**" if self.peer_wins else ""
        return (
            self.job,
            str(self.ours) if self.ours else "–",
            "<br>".join(goal.text for goal in self.goals) or "–",
            "<br>".join(
                f"{'met' if goal.met else '**missed**'} ({short(goal.value)})"
                for goal in self.goals
            )
            or "–",
            self.peer or "–",
            f"{self.faster}{wins}" if self.faster else "–",
            self.accuracy or "–",
            self.peer_accuracy or "–",
            f"{short(self.memory)} / {short(self.peer_memory)}",
            self.remark,
        )


HEAD = (
    "job",
    "ours / limit",
    "target",
    "met?",
    "peer",
    "peer / ours",
    "accuracy, ours",
    "accuracy, peer",
    "memory, ours / peer (MiB)",
    "remark",
)


def markdown(lines: Sequence[Line]) -> str:
    """The lines as a Markdown table; a job's name is written once."""
    rows = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    last = ""
    for line in lines:
        cells = [cell.replace("|", "\\|") for cell in line.cells()]
        if line.job == last:
            cells[0] = ""
        last = line.job
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def plain(line: Line) -> str:
    """The line for somebody who watches the run."""
    parts = [line.job]
    if line.ours:
        parts.append(f"ours/limit {line.ours}")
    if line.faster:
        wins = " PEER WINS" if line.peer_wins else ""
        parts.append(f"{line.peer}/ours {line.faster}{wins}")
    elif line.peer:
        parts.append(line.peer)
    parts += [str(goal).replace("*", "") for goal in line.goals]
    if line.accuracy:
        parts.append(f"accuracy {line.accuracy} (peer {line.peer_accuracy or '–'})")
    parts.append(f"MiB {short(line.memory)} / {short(line.peer_memory)}")
    parts.append(f"foreign {line.foreign:.0%}" if line.foreign == line.foreign else "")
    parts.append(line.remark)
    return " · ".join(part for part in parts if part)


def tally(lines: Sequence[Line]) -> str:
    """How many targets are met, and in how many lines a peer is faster."""
    goals = [goal for line in lines for goal in line.goals]
    met = sum(goal.met for goal in goals)
    wins = sum(line.peer_wins for line in lines)
    return f"{met} of {len(goals)} targets met; a peer is faster in {wins} of {len(lines)} lines."
