"""The peers, imported once, with the time that took."""

from __future__ import annotations

import time
import warnings
from functools import cache
from importlib import import_module
from types import ModuleType

IMPORTED: dict[str, float] = {}
"""Wall seconds that importing each module took."""


@cache
def peer(name: str) -> ModuleType:
    """A module of somebody else; its warnings about its own dependencies are its own."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = import_module(name)
    IMPORTED[name] = time.perf_counter() - begun
    return module
