"""`Job`: a study computed on a thread, so that widgets stay alive and Cancel works."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, ClassVar, Literal

from workbench.core import Attribution, Step
from workbench.errors import WorkbenchError

State = Literal["ready", "running", "done", "cancelled", "failed"]

UPDATE_SECONDS = 0.1
"""The shortest time between two updates: more updates would slow clicks down."""

INTERRUPT_SECONDS = 10.0
"""How long an interrupted `wait` still waits for the batch in progress."""


class Job:
    """Steps of work on one daemon thread, with the results so far.

    A kernel runs one job at a time: a second is refused while one runs. The thread touches nothing
    but `update`, which is called at most ten times a second and at every change of state.

    In a cell, `job.wait()` blocks and Kernel ▸ Interrupt cancels; `await job` keeps widgets alive.

    Args:
        name: what a person calls this work.
        steps: the work, such as `workbench.steps(study)`; nothing runs before `start`.
        update: called on the job's thread. It must not raise.
    """

    _slot: ClassVar[threading.Lock] = threading.Lock()
    _holder: ClassVar[str] = ""

    def __init__(
        self, name: str, steps: Iterator[Step[Any]], update: Callable[[Job], None] | None = None
    ) -> None:
        self.name = name
        self.state: State = "ready"
        self.label = name
        self.done = 0
        self.total = 0
        self.result: tuple[Attribution, ...] = ()
        self.error: BaseException | None = None
        self._steps = steps
        self._update = update
        self._cancelled = threading.Event()
        self._over = threading.Event()
        self._started = 0.0
        self._ended = 0.0
        self._told = 0.0

    def start(self) -> Job:
        """This job, running.

        Raises:
            WorkbenchError: another job has the kernel's slot, or this one was started before.
        """
        if self.state != "ready":
            raise WorkbenchError(
                f"A job runs once, but {self.name} is {self.state}. Make a new job."
            )
        if not Job._slot.acquire(blocking=False):
            raise WorkbenchError(
                f"One job runs at a time, and the kernel is busy with {Job._holder}. Wait until it is "
                "done, or cancel it, then start this one again."
            )
        Job._holder = self.name
        self.state = "running"
        self._started = time.monotonic()
        threading.Thread(target=self._run, name="workbench-job", daemon=True).start()
        return self

    def cancel(self) -> None:
        """Stop after the batch in progress; the results so far are kept."""
        self._cancelled.set()

    @property
    def cancelling(self) -> bool:
        """Whether the job was cancelled and has not stopped yet."""
        return self.state == "running" and self._cancelled.is_set()

    @property
    def seconds(self) -> float:
        """Wall time since the start, up to the end."""
        if self.state == "ready":
            return 0.0
        return (self._ended or time.monotonic()) - self._started

    @property
    def remaining(self) -> float | None:
        """Seconds still to go at the pace so far, or None while the pace is unknown."""
        if self.state != "running" or self.done <= 0 or self.total <= 0:
            return None
        return self.seconds * (self.total - self.done) / self.done

    def wait(self, timeout: float | None = None) -> tuple[Attribution, ...]:
        """The results, once the job is over; after a cancel, the results so far.

        Args:
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: the time is up; the job goes on.
            WorkbenchError: the job failed; any other error of the work is raised unchanged.
        """
        try:
            # Short waits, so that an interrupt is noticed on every platform. An Event, because an
            # interrupted Thread.join can take a running thread for a dead one (cpython#90882).
            deadline = None if timeout is None else time.monotonic() + timeout
            while not self._over.wait(0.1):
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"{self.name} is still running after {timeout:g} seconds.")
        except KeyboardInterrupt:
            self.cancel()
            self._over.wait(INTERRUPT_SECONDS)
            raise
        return self._outcome()

    def __await__(self) -> Generator[None, None, tuple[Attribution, ...]]:
        return self._watched().__await__()

    async def _watched(self) -> tuple[Attribution, ...]:
        try:
            while not self._over.is_set():
                await asyncio.sleep(0.05)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.cancel()
            raise
        return self._outcome()

    def _outcome(self) -> tuple[Attribution, ...]:
        if self.error is not None:
            raise self.error
        return self.result

    def _run(self) -> None:
        state: State = "done"
        try:
            self._tell()
            for step in self._steps:
                self.label, self.done, self.total = step.label, step.done, step.total
                self.result = step.result
                if self._cancelled.is_set() and step.done < step.total:
                    self.result = step.result if step.partial is None else step.partial()
                    state = "cancelled"
                    break
                if time.monotonic() - self._told >= UPDATE_SECONDS:
                    self._tell()
            if state == "cancelled" and (close := getattr(self._steps, "close", None)) is not None:
                close()
        except BaseException as error:  # noqa: BLE001 - kept for whoever waits: a thread has no caller
            state, self.error = "failed", error
        finally:
            self._ended = time.monotonic()
            self.state = state
            # Free the slot before the last update, so that whoever sees "done" can start the next job.
            Job._holder = ""
            Job._slot.release()
            try:
                self._tell()
            finally:
                self._over.set()

    def _tell(self) -> None:
        self._told = time.monotonic()
        if self._update is not None:
            self._update(self)
