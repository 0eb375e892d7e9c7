"""What other people's models raise when they are asked, as the one error that is promised."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.core import clean
from workbench.errors import ModelError, WorkbenchError
from workbench.models.torch_batches import first_line

# Written out, because whoever interrupts a model is to be obeyed.
_BUILTIN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
_OWN = {"lightgbm.basic": "LightGBMError", "_catboost": "CatBoostError"}  # heirs of Exception alone


@contextmanager
def as_model_error(name: str, shape: tuple[int, ...], advice: str) -> Iterator[None]:
    """Within it, what a model raises becomes a `ModelError`; the workbench's own errors pass.

    Args:
        name: the model's, for the message.
        shape: of the rows it was given.
        advice: what to do now, as a sentence.
    """
    own = tuple(getattr(sys.modules.get(module), kind, OSError) for module, kind in _OWN.items())
    try:
        yield
    except WorkbenchError:
        raise
    except (*_BUILTIN, *own) as error:
        raise ModelError(
            f"Model {name!r} must accept rows of shape {shape}, but failed ({type(error).__name__}): "
            f"{clean(first_line(error))} {advice}"
        ) from error
