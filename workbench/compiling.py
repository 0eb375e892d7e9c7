"""numba's compiler, keeping what it compiled where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code, made at its first call and kept on disk for the next process.

    It runs without the interpreter's lock, so that a kernel stays responsive. Where neither the package's
    folder nor the user's cache can be written, it is compiled anew in every process.
    """
    import numba

    try:
        made: F = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: "no locator available"
        made = numba.njit(nogil=True)(function)
    return made
