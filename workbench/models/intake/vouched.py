"""The one place where a file may run code: the caller has vouched for its digest, by `trust=`."""

from __future__ import annotations

from typing import Any

from workbench.core import clean
from workbench.errors import InputError, WorkbenchError
from workbench.models.intake.reading import File
from workbench.models.intake.versions import checked_version


def read_vouched(file: File) -> Any:
    """The object in a pickle, a joblib file or a file of torch.save, built by the code it names.

    This is reached only through `trust=` with the digest of exactly these bytes.

    Raises:
        InputError: the file cannot be read, modules it needs are missing, or it is damaged.
    """
    import pickle

    torch_written = file.format in ("torch zip", "legacy torch pickle")
    if not file.trusted:
        raise InputError(
            f"{file.shown!r} has not been vouched for. Use load(path, trust='sha256:...')."
        )
    try:
        if torch_written:
            checked_version("torch", f"Reading {file.shown!r}")
            import torch

            return torch.load(file.stream, weights_only=False, map_location="cpu")
        import joblib

        return joblib.load(file.stream)
    except (
        pickle.UnpicklingError,
        AttributeError,
        ImportError,
        LookupError,
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        EOFError,
    ) as error:
        if isinstance(error, WorkbenchError):
            raise
        line = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"{file.shown!r} was vouched for, but cannot be read ({type(error).__name__}: {clean(line)}). "
            "It needs the modules it was written with, in their versions, or it is damaged."
        ) from None
