"""CPU time in interleaved rounds, peak memory, and how busy the rest of the machine was."""

from __future__ import annotations

import ctypes
import gc
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import ArrayLike

Call = Callable[[], object]

SHORTEST = 0.02  # seconds of CPU time that one reading lasts at least; shorter calls are repeated
_SLOW = 2.0  # a call of so many seconds is not repeated only to see its memory


@dataclass(frozen=True)
class Spread:
    """The median of some ratios, with the smallest and the largest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ratios: Iterable[float]) -> Spread:
        """
        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.0, high=3.0)
        """
        found = list(ratios)
        return cls(median(found), min(found), max(found))

    def __str__(self) -> str:
        return f"{short(self.median)} [{short(self.low)}, {short(self.high)}]"


@dataclass(frozen=True)
class Contestant:
    """One way to do a job.

    Args:
        name: what the table calls it.
        call: does the job once.
        share: the part of the job that one call does, where the whole would take minutes and every row
            costs the same; times are divided by it.
    """

    name: str
    call: Call
    share: float = 1.0


@dataclass(frozen=True)
class Race:
    """What was read of each contestant.

    Args:
        seconds: CPU seconds of the whole job in each round.
        first: CPU seconds of the first call of all, compiling included.
        memory: peak MiB above the start, of one call.
        foreign: the share of all cores that other processes used meanwhile, 0 to 1.
    """

    seconds: Mapping[str, Sequence[float]]
    first: Mapping[str, float]
    memory: Mapping[str, float]
    foreign: float

    def ratio(self, slow: str, fast: str) -> Spread:
        """How many times as long `slow` took as `fast`, round by round."""
        pairs = zip(self.seconds[slow], self.seconds[fast], strict=True)
        return Spread.of(a / b for a, b in pairs)

    def typical(self, name: str) -> float:
        """The median CPU seconds of the whole job."""
        return median(self.seconds[name])

    def compiling(self, name: str, share: float = 1.0) -> float:
        """By how many CPU seconds the first call was longer than the later ones."""
        return max(0.0, self.first[name] - share * self.typical(name))


def race(contestants: Sequence[Contestant], rounds: int, seed: int = 0) -> Race:
    """Everybody in every round, in random order, after a first call that is not counted."""
    first: dict[str, float] = {}
    memory: dict[str, float] = {}
    repeats: dict[str, int] = {}
    for one in contestants:
        begun = time.process_time()
        memory[one.name] = peak(one.call)
        first[one.name] = time.process_time() - begun
        if first[one.name] < _SLOW:
            memory[one.name] = peak(one.call)  # without what was compiled or loaded
        repeats[one.name] = 1 if first[one.name] > _SLOW else _repeats(one.call)
    seconds: dict[str, list[float]] = {one.name: [] for one in contestants}
    rng = np.random.default_rng(seed)
    watch = Watch()
    for _ in range(rounds):
        for place in rng.permutation(len(contestants)):
            one = contestants[int(place)]
            used = cpu_seconds(one.call, repeats[one.name])
            seconds[one.name].append(used / one.share)
    return Race(seconds, first, memory, watch.foreign())


def cpu_seconds(call: Call, repeats: int = 1) -> float:
    """The process's CPU seconds per call."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers warn about their own dependencies
        begun = time.process_time()
        for _ in range(repeats):
            call()
        return (time.process_time() - begun) / repeats


def _repeats(call: Call) -> int:
    once = max(cpu_seconds(call), 1e-6)
    return max(1, int(np.ceil(SHORTEST / once)))


def best_batch(work: Callable[[int], object], sizes: Sequence[int], tries: int = 3) -> int:
    """The batch size at which `work(size)` takes the least CPU time; the best of some tries each."""
    work(sizes[0])
    fastest = {
        size: min(cpu_seconds(lambda size=size: work(size)) for _ in range(tries))  # type: ignore[misc]
        for size in sizes
    }
    return min(fastest, key=lambda size: fastest[size])


def peak(call: Call) -> float:
    """Peak MiB of resident memory during a call above what was resident before; NaN if unknown."""
    gc.collect()
    _trim()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        cpu_seconds(call)
        return float("nan")
    before = _resident("VmRSS")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = call()
    reached = _resident("VmHWM")
    del kept
    return max(0.0, (reached - before) / 1024)


def _resident(what: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(what):
            return float(line.split()[1])
    return float("nan")


def _trim() -> None:
    """Give freed memory back to the system, so that it is not counted as there already."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return


class Watch:
    """How much of the machine others use from now on."""

    def __init__(self) -> None:
        self._busy, self._all = _cores()
        self._own = time.process_time()

    def foreign(self) -> float:
        """The share of all cores used by other processes, 0 to 1; NaN where it cannot be read."""
        busy, total = _cores()
        tick = 100.0  # USER_HZ, which Linux shows to programs whatever the kernel's own
        own = (time.process_time() - self._own) * tick
        passed = total - self._all
        return max(0.0, busy - self._busy - own) / passed if passed > 0 else float("nan")


def _cores() -> tuple[float, float]:
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return 0.0, 0.0
    ticks = [float(word) for word in first.split()[1:]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # all but idle and waiting for disks


def relative_error(values: ArrayLike, exact: ArrayLike) -> float:
    """The mean over rows of `|values - exact| / |exact|`, each an L2 norm over the row's features.

    >>> relative_error([[3.0, 5.0]], [[3.0, 4.0]])
    0.2
    """
    return float(row_errors(values, exact).mean())


def row_errors(values: ArrayLike, exact: ArrayLike) -> np.ndarray:
    """Each row's relative L2 error `(n,)`."""
    wanted = np.asarray(exact, dtype=np.float64)
    wanted = wanted.reshape(len(wanted), -1)
    found = np.asarray(values, dtype=np.float64).reshape(wanted.shape)
    return np.asarray(np.linalg.norm(found - wanted, axis=1) / np.linalg.norm(wanted, axis=1))


def rows_to_reach(error: float, rows: Sequence[float], errors: Sequence[float]) -> float:
    """Model rows at which a curve first falls to `error`, interpolated on log-log axes.

    NaN when it never does; the first budget when it is there from the start.

    >>> round(rows_to_reach(0.05, [100, 10_000], [0.5, 0.005]))
    1000
    """
    x, y = np.log(np.asarray(rows, float)), np.log(np.asarray(errors, float))
    wanted = float(np.log(error))
    if y[0] <= wanted:
        return float(rows[0])
    for i in range(1, len(x)):
        if y[i] <= wanted:
            part = (y[i - 1] - wanted) / (y[i - 1] - y[i])
            return float(np.exp(x[i - 1] + part * (x[i] - x[i - 1])))
    return float("nan")


def short(number: float) -> str:
    """A number with two or three digits that matter.

    >>> short(0.0123), short(1.234), short(45.67), short(1234.5)
    ('0.012', '1.23', '45.7', '1234')
    """
    if not np.isfinite(number):
        return "–"
    if number == 0:
        return "0"
    if abs(number) < 0.001:
        return f"{number:.0e}"
    if abs(number) >= 100:
        return f"{number:.0f}"
    return f"{number:.3g}" if abs(number) >= 1 else f"{number:.2g}"
