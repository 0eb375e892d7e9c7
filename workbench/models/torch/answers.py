"""What a torch module may return, and how it becomes scores `(n, k)`."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import IncompatibleError

if TYPE_CHECKING:
    import torch


def selected(name: str, answer: Any, output: str | int | None) -> Any:
    """The named entry or attribute of an answer, or the answer itself where none is named.

    Raises:
        IncompatibleError: it has no such entry.
    """
    if output is None:
        return answer
    try:
        if isinstance(output, str) and not isinstance(answer, dict):
            return getattr(answer, output)
        return answer[output]
    except (AttributeError, KeyError, IndexError, TypeError):
        raise IncompatibleError(
            f"Model {name!r} must answer with an entry {output!r}, but {described(answer)}. "
            "Name another with output=..."
        ) from None


def as_scores(name: str, answer: Any, n: int) -> torch.Tensor:
    """An answer to `n` rows as scores `(n, k)`.

    Raises:
        IncompatibleError: it is not one tensor of scores per row.
    """
    import torch

    if not isinstance(answer, torch.Tensor):
        raise IncompatibleError(
            f"Model {name!r} must answer with one tensor of scores, but {described(answer)}. "
            "Say which entry holds the scores with output=..., or wrap a small module that returns "
            "it."
        )
    if not answer.is_floating_point():
        raise IncompatibleError(
            f"Model {name!r} must answer with scores, but gave {answer.dtype} numbers, which "
            "look like labels. Wrap a module that returns the scores before they are turned into "
            "labels."
        )
    if answer.ndim <= 1 and answer.numel() == n:
        return answer.reshape(n, 1)
    if answer.ndim != 2 or len(answer) != n:
        raise IncompatibleError(
            f"Model {name!r} must answer {n} rows with scores of shape (n, outputs) or (n,), "
            f"but gave {tuple(answer.shape)}. Wrap a small module that reduces them to one score "
            "per output."
        )
    return answer


def advice(error: BaseException) -> str:
    """What to do about a module that failed on a batch."""
    text = str(error)
    if isinstance(error, TypeError) and (
        "required positional argument" in text or "missing" in text
    ):
        return (
            "It reads several arguments: say which columns are which with "
            "preprocess=workbench.models.Split({argument: columns}), or wrap a small module that fills in "
            "what is no part of a row."
        )
    if "keyword mismatch" in text:
        return (
            "It was exported with arguments by position: give them so, with Split([columns, ...])."
        )
    if "scalar types: Long, Int" in text:
        return (
            "It reads whole numbers: say which columns are with "
            "preprocess=workbench.models.Split([columns], whole=[0])."
        )
    return "Give rows of the size, the channels and the preprocessing it was trained with."


def described(answer: Any) -> str:
    """A description of an answer, as the end of a sentence."""
    shape = getattr(answer, "shape", None)
    if shape is not None:
        kind = "NumPy array" if isinstance(answer, np.ndarray) else "tensor"
        return f"gave a {kind} of shape {tuple(shape)}"
    if isinstance(answer, dict):
        return f"gave a {type(answer).__name__} with entries {list(answer)[:8]}"
    names = getattr(answer, "_fields", ())
    names = names or [one.name for one in fields(answer)] if is_dataclass(answer) else names
    if names:
        return f"gave a {type(answer).__name__} with entries {list(names)[:8]}"
    if isinstance(answer, tuple | list):
        return f"gave a {type(answer).__name__} of {len(answer)}"
    return f"gave a {type(answer).__name__}"
