"""`Later`: slow drawing on a thread of its own, so that a slider is not held up by pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable

PAUSE_SECONDS = 0.15
"""How long nothing must have been asked for before drawing begins: a moving slider asks often."""

DRAWN_WITHIN = 60.0
"""Seconds that a notebook's copy waits for pictures at most."""


class Later:
    """Calls `draw` a moment after the last `ask`, and once more if it was asked meanwhile.

    >>> drawn = []
    >>> later = Later(lambda: drawn.append("picture"), pause=0.05)
    >>> for _ in range(5):
    ...     later.ask()
    >>> later.wait(5), drawn
    (True, ['picture'])

    Args:
        draw: called on another thread, never twice at once. It must not raise. The interpreter waits for it
            when it ends: a thread that is stopped inside a drawing library takes the process with it.
        pause: seconds.
    """

    def __init__(self, draw: Callable[[], None], pause: float = PAUSE_SECONDS) -> None:
        self._draw, self._pause = draw, pause
        self._lock = threading.Lock()
        self._again = threading.Event()
        self._idle = threading.Event()
        self._idle.set()

    @property
    def pending(self) -> bool:
        """Whether something is still to be drawn."""
        return not self._idle.is_set()

    def ask(self) -> None:
        """Have it drawn soon."""
        with self._lock:
            self._again.set()
            if self._idle.is_set():
                self._idle.clear()
                threading.Thread(target=self._run, name="workbench-draw").start()

    def wait(self, timeout: float) -> bool:
        """Whether all was drawn within so many seconds."""
        return self._idle.wait(timeout)

    def _run(self) -> None:
        while True:
            while self._again.is_set():
                self._again.clear()
                self._again.wait(self._pause)
            self._draw()
            with self._lock:
                if not self._again.is_set():
                    self._idle.set()
                    return
