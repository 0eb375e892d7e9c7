"""What a torch module may answer, and how it becomes scores `(n, k)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def described(answer: Any) -> str:
    """What an answer is, as the end of a sentence."""
    shape = getattr(answer, "shape", None)
    if shape is not None:
        return f"gave a tensor of shape {tuple(shape)}"
    if isinstance(answer, dict):
        return f"gave a {type(answer).__name__} with entries {list(answer)[:8]}"
    if isinstance(answer, tuple | list):
        return f"gave a {type(answer).__name__} of {len(answer)}"
    return f"gave a {type(answer).__name__}"
