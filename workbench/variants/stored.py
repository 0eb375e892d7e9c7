"""Files of copies whose weights safetensors cannot hold: torchao's, PT2E's and FX's."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.core import CAPABILITIES, Inputs, Model, clean, write_whole
from workbench.errors import InputError, UnsafeFileError
from workbench.models.asking import first_line
from workbench.models.digest import module_digest
from workbench.models.torch import check_gradient, engine_of, module_copy, remade
from workbench.variants.quantization import answered_by, is_static, shared_copy, without_gradient
from workbench.variants.record import rows_to_try


def save_copy(model: Model, path: str | os.PathLike[str]) -> None:
    """Writes a torch copy's weights, scales and tables to a file `*.pt`; `load_copy` gives it back.

    The file holds what `torch.save` writes for the state, which torch reads as data alone (`weights_only`).
    It appears whole or not at all. For copies with plain tensors, use `workbench.models.save`.

    Raises:
        IncompatibleError: a model of another library.
        InputError: another suffix, or a file that cannot be written.
    """
    import torch

    module = engine_of(model).module
    path = Path(path)
    if path.suffix != ".pt":
        raise InputError(f"The file must be named *.pt, not {clean(path.name)!r}.")
    # Into memory first: torch turns an error of the disk into one of its own, and may end the process.
    held = io.BytesIO()
    with _quiet():
        # The digest of a copy as `load_copy` makes it: TorchScript changes its type when copied.
        digest = module_digest(_own(model))
        torch.save({"state": module.state_dict(), "digest": digest}, held)
    write_whole(path, held.getvalue(), "Saving a copy")


def load_copy(path: str | os.PathLike[str], like: Model, *, rows: Inputs | None = None) -> Model:
    """The copy in a file by `save_copy`, bit for bit.

    A graph by `quantize_static` holds numbers outside its state, such as the scales of its
    activations. So `like` must have been made in the same way, with the same calibration rows; otherwise
    the digests differ and the file is refused.

    Args:
        path: of the file. Only tensors are read: no code in it is run.
        like: a copy made by the same recipe, from a model of the same architecture.
        rows: to try the gradient on; else those it was wrapped for.

    Raises:
        UnsafeFileError: the file holds more than tensors.
        InputError: no such file; a state that does not fit `like`.
    """
    import pickle

    import torch

    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {clean(path.name)!r}. Save one with save_copy.")
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{clean(path.name)!r} cannot be read as a file by save_copy: it is damaged or of "
            "another sort. Save the copy again."
        )
    try:
        with _quiet():
            held: Any = torch.load(path, weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(
            f"A file by save_copy holds tensors alone, but {clean(path.name)!r} does not: "
            f"{clean(first_line(error))} Save the copy again with save_copy."
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise InputError(
            f"{clean(path.name)!r} cannot be read as a file by save_copy: {clean(first_line(error))} Save "
            "the copy again."
        ) from error
    if not isinstance(held, dict) or set(held) != {"state", "digest"}:
        raise InputError(
            f"A file by save_copy is needed, but {clean(path.name)!r} holds something else. Weights alone "
            "are loaded with workbench.load."
        )
    with _quiet():
        module = _own(like)
    try:
        module.load_state_dict(held["state"], assign=True)
    except (RuntimeError, TypeError, AttributeError, KeyError) as error:
        raise _unfit(path, like, clean(first_line(error))) from error
    if module_digest(module) != held["digest"]:
        raise _unfit(path, like, "the numbers in its graph, such as scales, are others.")
    return _answering(module, like, rows)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides torch's warnings about its own old storage for quantized tensors, and about outdated trees."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TypedStorage is deprecated", UserWarning)
        warnings.filterwarnings("ignore", r".*LeafSpec\)` is deprecated", FutureWarning)
        yield


def _own(like: Model) -> Any:
    module: Any = engine_of(like).module
    return shared_copy(module) if is_static(module) else module_copy(module)


def _answering(module: Any, like: Model, rows: Inputs | None) -> Model:
    """The module in place of that of `like`, with the same capabilities."""
    record = like.variant
    if is_static(module):
        answering = answered_by(module, like, name=like.name, rows=rows)
        copy = answering.model
        if record is not None:
            record = replace(record, twin_gap=answering.twin_gap)
    else:
        copy = remade(like, module, name=like.name)
    gone: dict[str, Any] = {name: None for name in CAPABILITIES if getattr(like, name) is None}
    copy = replace(
        copy,
        **gone,
        masked_half=None,
        absent={**copy.absent, **like.absent},
        notes=like.notes,
        layers=None if like.layers is None else copy.layers,
        variant=record,
    )
    if copy.digest == like.digest or record is None:
        return copy
    # Other weights: what was measured for those of `like` is unknown for these.
    record = replace(record, change=None, batch_gap=None)
    tried = rows_to_try(copy, rows)
    if copy.gradient is not None and tried is not None:
        found = check_gradient(copy, tried)
        record = replace(record, gradient=found)
        if not found.ok:
            copy = without_gradient(copy, found.detail)
    return replace(copy, variant=record)


def _unfit(path: Path, like: Model, why: str) -> InputError:
    return InputError(
        f"The weights in {clean(path.name)!r} must fit {like.name!r}, but do not: {why} Make like=... by "
        "the call that made the saved copy, with the same calibration rows."
    )
