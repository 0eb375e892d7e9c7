"""`Kept`: a cache of computed values that will be needed again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """A thread-safe cache by key that drops the least recently used value first.

    >>> kept = Kept[str](most_bytes=4, weigh=len)
    >>> [kept.get(key, lambda key=key: key) for key in ("ab", "cd", "ef")]
    ['ab', 'cd', 'ef']
    >>> len(kept)
    2

    Args:
        most_bytes: how much is kept in all; a value that is larger alone is not kept.
        weigh: a value's bytes.
    """

    def __init__(self, most_bytes: int, weigh: Callable[[T], int]) -> None:
        self._most, self._weigh = most_bytes, weigh
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, computed where missing. Two threads may both compute it; one is kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values and self._weigh(value) <= self._most:
                self._values[key] = value
                self._bytes += self._weigh(value)
                while self._bytes > self._most:
                    _, oldest = self._values.popitem(last=False)
                    self._bytes -= self._weigh(oldest)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._bytes = 0
