"""What is found in a file before any library reads it, and the limits that hold for all formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TENSORS = 100_000
"""More tensors are not read: a header of 300 000 entries takes seconds."""


@dataclass(frozen=True)
class Found:
    """What an inspection found.

    Args:
        dtypes: how many tensors of each precision.
        parameters: numbers in all tensors.
        checks: what was checked, as words for the user.
        words: text that was stored beside the weights.
        unpacked: the bytes it holds when unpacked, where that matters.
    """

    dtypes: Mapping[str, int] = field(default_factory=dict)
    parameters: int = 0
    checks: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    unpacked: int = 0
