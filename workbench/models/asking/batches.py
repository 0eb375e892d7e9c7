"""How many rows a torch module takes at a time: timed on its first rows, fewer when memory runs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core import clean, kinds
from workbench.errors import ModelError

if TYPE_CHECKING:
    import torch

IMAGE_BATCH, TABLE_BATCH = 32, 4096
IMAGES_TRIED = (8, 16, IMAGE_BATCH)
TABLES_TRIED = (1024, 2048, TABLE_BATCH)
_TIMES = 3  # batches of each size; the very first one only warms up

_STEADY: ContextVar[bool] = ContextVar("steady", default=False)

Arrays = tuple[NDArray[np.float64], ...]


@contextmanager
def steady_batches() -> Iterator[None]:
    """In this context, batches have the middle one of the sizes to choose from; nothing is timed.

    Kernels for other batch sizes add in another order, so a size chosen by the clock moves scores by a few
    units in the last place from one run to the next. Code that promises exactly the same values for the
    same model calls it in this context.
    """
    before = _STEADY.set(True)
    try:
        yield
    finally:
        _STEADY.reset(before)


class Batches:
    """Splits rows into batches for one module.

    On a CPU small batches often win, because they stay in the cache. So images are taken 8, 16 or 32 at a
    time and rows of tables 1024, 2048 or 4096, whichever proved fastest per row. The trial costs nothing,
    since its batches are part of the work. Forward passes and gradients are timed separately.

    Args:
        name: what messages call the model.
        size: rows at a time, to use without timing.
    """

    def __init__(self, name: str, size: int | None) -> None:
        self.name = name
        self.size = size
        self.remarks: list[str] = []
        self._seconds: dict[tuple[object, ...], dict[int, list[float]]] = {}
        self._best: dict[tuple[object, ...], int] = {}

    def over(
        self,
        count: int,
        work: Callable[[slice], Sequence[torch.Tensor]],
        kind: tuple[object, ...],
        *,
        tried: tuple[int, ...],
    ) -> list[Arrays]:
        """What `work` gives for each batch of `count` rows, in float64.

        Args:
            count: how many rows.
            work: from some of the rows to tensors.
            kind: what sort of work on rows of what shape; the best size is found for each kind.
            tried: the sizes to choose from; empty to take the size that was given.
        """
        results: list[Arrays] = []
        start = 0
        before = self.size, self.remarks
        while start < count or not results:
            size = self.size or (self._next(kind, tried) if tried else TABLE_BATCH)
            part = slice(start, min(start + size, count))
            began = time.perf_counter()
            try:
                result = self._attempt(work, part)
            except ModelError:  # smaller batches were of no use, so later rows get no smaller ones
                self.size, self.remarks = before
                raise
            if result is None:
                self._halve(part.stop - start)
                continue
            timed = tried and self.size is None and not _STEADY.get()
            if timed and part.stop - start == size:
                self._read(kind, tried, size, time.perf_counter() - began)
            results.append(result)
            start = part.stop
        return results

    def _next(self, kind: tuple[object, ...], tried: tuple[int, ...]) -> int:
        """The best size, or the next one to time while the best is unknown."""
        if _STEADY.get():
            return tried[len(tried) // 2]
        if kind in self._best:
            return self._best[kind]
        seconds = self._seconds.setdefault(kind, {})
        return next(size for size in tried if len(seconds.get(size, ())) < _TIMES)

    def _read(
        self, kind: tuple[object, ...], tried: tuple[int, ...], size: int, seconds: float
    ) -> None:
        """Records the time of one full batch; the last one decides."""
        if kind in self._best:
            return
        read = self._seconds[kind]
        read.setdefault(size, []).append(seconds)
        if all(len(read.get(one, ())) >= _TIMES for one in tried):
            self._best[kind] = min(tried, key=lambda one: min(read[one]) / one)

    def _attempt(
        self, work: Callable[[slice], Sequence[torch.Tensor]], part: slice
    ) -> Arrays | None:
        """One batch, or None when it did not fit into memory."""
        try:
            return tuple(tensor.detach().cpu().double().numpy() for tensor in work(part))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if part.stop - part.start <= 1:
                raise ModelError(
                    f"Model {self.name!r} needs more memory for a single row than there is: "
                    f"{clean(first_line(error))} Use smaller images or a device with more memory."
                ) from error
        return None

    def _halve(self, size: int) -> None:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.size = max(1, size // 2)
        self.remarks = [
            f"Memory ran out, so model {self.name!r} now takes {self.size} rows at a time. The "
            "results are the same."
        ]


def rows_per_call(module: torch.nn.Module, kind: str | None) -> int:
    """How many rows to hand over at once: few enough that a job can be cancelled between two calls.

    Each call costs about as much as a thousand rows of a tiny network, so tiny networks get more rows.
    """
    if not kinds.has_columns(kind):
        return IMAGE_BATCH
    small = sum(parameter.numel() for parameter in module.parameters()) <= 2**20
    return 4 * TABLE_BATCH if small else TABLE_BATCH


def out_of_memory(error: BaseException) -> bool:
    """Whether torch, or Python, could not get the memory it asked for."""
    import torch

    # On CPU torch raises a plain RuntimeError from its allocator.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        type(error) is RuntimeError and "DefaultCPUAllocator" in str(error)
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's message, as a sentence."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if line.endswith((".", "!", "?")) else f"{line}."
