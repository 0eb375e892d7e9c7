"""What a model of another library, or a function of the user's, may raise; and what is said of that."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.core import clean
from workbench.errors import ModelError


def failures() -> tuple[type[Exception], ...]:
    """What a model may raise when it cannot answer: any error, since it is code that others wrote.

    Only what ends the program or the work passes: an interrupt, an exit, a cancelled task.

    >>> issubclass(KeyError, failures()), issubclass(KeyboardInterrupt, failures())
    (True, False)
    """
    return (Exception,)


_SPEAKING = (AssertionError, RuntimeError, TypeError, ValueError)
"""Errors whose messages are sentences, and need no name before them."""


def said_by(error: BaseException) -> str:
    """The first line of an error's message, as a sentence; with the error's type where that needs it.

    >>> said_by(ValueError("shapes differ")), said_by(KeyError("age"))
    ('shapes differ.', "KeyError: 'age'.")
    """
    line = (_text(error).strip().splitlines() or [""])[0]
    named = not line or type(error) not in _SPEAKING
    words = ": ".join([type(error).__name__] * named + [line] * bool(line))
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except failures():  # the error's own text raises an error
        return ""


def failed(
    name: str, error: Exception, rows: Any, advice: Callable[[int], str], found: str = ""
) -> ModelError:
    """The one error for whatever a model raised: it names the model, and the step where one failed.

    >>> print(failed("risk", ConnectionError("503"), np.ones((2, 3)), lambda n: "Give other rows."))
    Model 'risk' must answer rows of shape (2, 3), but failed: ConnectionError: 503. Try again later; a
    function is asked again by itself with wrap(..., retries=3).

    Args:
        name: the model's name.
        error: what it raised.
        rows: the rows that it was asked.
        advice: from the number of rows to what to do now, where the error itself says nothing better.
        found: words for rows that the reader did not choose, such as "a row of ones".
    """
    step = step_of(error)
    where = f" in its step {clean(step)!r}" if step else ""
    way_out = _way_out(error)
    if not way_out:
        alone = " That step must also take one row alone." if step and len(rows) == 1 else ""
        way_out = advice(len(rows)) + alone
    return ModelError(
        f"Model {name!r} must answer {found or 'rows'} of shape {np.shape(rows)}, but failed{where}: "
        f"{clean(said_by(error))} {way_out}"
    )


_PASSING = re.compile(
    r"time[ds]?[ -]?out|unavailable|rate.?limit|too many requests|temporar|overloaded|"
    r"connection (was |is )?(re|closed|aborted|broken|error|timed)|bad gateway",
    re.IGNORECASE,
)
_STATUS = re.compile(r"(?<!\d)(429|50[0234])(?!\d)")
_OF_ROWS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def passing(error: BaseException) -> bool:
    """Whether an error speaks of a service that may answer later.

    >>> passing(TimeoutError()), passing(RuntimeError("HTTP 503")), passing(ValueError("(503, 2)"))
    (True, True, False)
    """
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    text = f"{type(error).__name__}: {_text(error)}"
    status = not isinstance(error, _OF_ROWS) and _STATUS.search(text)
    return bool(status or _PASSING.search(text))


def _way_out(error: BaseException) -> str:
    """What to do now, where the kind of error tells."""
    if passing(error):
        return "Try again later; a function is asked again by itself with wrap(..., retries=3)."
    if isinstance(error, MemoryError):
        return "Give it fewer rows at a time with wrap(..., batch=...)."
    if isinstance(error, ImportError):
        return "Install the package that it needs."
    return ""


def step_of(error: BaseException) -> str:
    """The step of a Pipeline whose code raised an error, as scikit-learn writes it; "" where none did.

    Steps of steps are joined by two underscores ("prepare__dates"). They are found in the calls that led
    to the error: no step is asked again, and whatever holds the Pipeline need not be known.
    """
    names: dict[int, str] = {}
    held: list[object] = []  # an id is only good for as long as its object lives
    path: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        trace = trace.tb_next
        if path and str(frame.f_globals.get("__name__")).startswith("workbench."):
            break  # an error object that was raised before, or the model of a model: not this one's step
        if not frame.f_code.co_argcount:
            continue
        owner = frame.f_locals.get(frame.f_code.co_varnames[0])
        if id(owner) in names:
            path.append(names.pop(id(owner)))
        for name, step in _steps_in(owner):
            held.append(step)
            names[id(step)] = name
    return "__".join(path)


def _steps_in(owner: object) -> list[tuple[str, object]]:
    """The named steps that an object holds; only its attributes are read, so none of its code runs."""
    if isinstance(owner, type):
        return []
    kept = getattr(owner, "__dict__", None)
    if not isinstance(kept, dict):
        return []
    listed = [kept.get(name) for name in ("steps", "transformer_list", "transformers_")]
    entries = [one for some in listed if isinstance(some, list) for one in some]
    pairs = [one[:2] for one in entries if isinstance(one, tuple) and len(one) > 1]
    return [(name, step) for name, step in pairs if not isinstance(step, str | None)]
