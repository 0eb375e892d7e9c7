"""What a model of another library, or a function of the user's, may raise when it cannot answer."""

from __future__ import annotations

import sys

_FAILURES: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

# Errors that derive from Exception alone, looked up among the imported modules: whoever holds a model of
# a library has imported that library.
_LIBRARIES = {"catboost": "CatBoostError", "lightgbm.basic": "LightGBMError"}


def failures() -> tuple[type[Exception], ...]:
    """What a model may raise when it cannot answer, with the errors of libraries in use.

    >>> ValueError in failures(), Exception in failures()
    (True, False)
    """
    found = (getattr(sys.modules.get(room), name, None) for room, name in _LIBRARIES.items())
    return (*_FAILURES, *(error for error in found if error is not None))


_SPEAKING = (AssertionError, RuntimeError, TypeError, ValueError)
"""Errors whose messages are sentences, and need no name before them."""


def said_by(error: BaseException) -> str:
    """The first line of an error's message, as a sentence; with the error's type where that needs it.

    >>> said_by(ValueError("shapes differ")), said_by(KeyError("age"))
    ('shapes differ.', "KeyError: 'age'.")
    """
    line = (str(error).strip().splitlines() or [""])[0]
    named = not line or type(error) not in _SPEAKING
    words = ": ".join([type(error).__name__] * named + [line] * bool(line))
    return words if words.endswith((".", "!", "?")) else f"{words}."
