"""`load`: a model from a file that holds numbers and no code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any

from workbench.core import FileReport, Inputs, Model, Scale, Source, clean
from workbench.core.inputs import Kind
from workbench.errors import IncompatibleError, InputError, ModelError, UnsafeFileError
from workbench.models.intake.formats import TRUSTABLE, WEIGHTS
from workbench.models.intake.native_files import inspect_native, libraries, read_native
from workbench.models.intake.quarantine import Quarantine, try_first
from workbench.models.intake.reading import File, Found, read_file
from workbench.models.intake.safetensors_header import inspect_safetensors
from workbench.models.intake.save import stored_words
from workbench.models.intake.state_dicts import (
    filled,
    read_safetensors,
    read_torch_zip,
    states_of,
)
from workbench.models.intake.torch_archive import inspect_torch_zip
from workbench.models.intake.versions import checked_version
from workbench.models.intake.vouched import read_vouched
from workbench.models.wrapping import wrap

_LIMITS = Quarantine()


@dataclass(frozen=True)
class _Content:
    """The content of a file: the live object, what the file says about it, and notes for the user."""

    native: Any
    stored: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    quarantine: str = ""


def load(
    path: str | os.PathLike[str],
    *,
    architecture: object = None,
    entry: str | None = None,
    name: str | None = None,
    outputs: Sequence[str] | None = None,
    scale: Scale | None = None,
    kind: Kind | None = None,
    like: Inputs | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    shape: Sequence[int | None] | None = None,
    batch: int | None = None,
    output: str | int | None = None,
    trusted: Sequence[str] = (),
    trust: str | None = None,
    quarantine: Quarantine = _LIMITS,
) -> Model:
    """The model in a file: weights for an architecture, or a whole model in its library's own format.

    The format is told by content. Weights: safetensors and state dicts of torch.save. Whole models: skops,
    ONNX, XGBoost (JSON, UBJSON), LightGBM (text), CatBoost (cbm); these are read and asked for scores in a
    process of their own first, so that a file that crashes or hangs does it there. Formats that can run
    code while they are read (pickle, joblib, whole modules, TorchScript) are refused. `Model.file` tells
    what was checked. What a safetensors file says about its outputs, scale, kind, shape, name and
    normalization is used where no argument says otherwise.

    Args:
        path: the file.
        architecture: for weights, the module they belong to (a copy is filled) or a function that makes
            one, such as its class. Names that only begin otherwise are matched, which a note says.
        entry: for weights, which entry of a checkpoint holds them ("state_dict", "ema", "model.state_dict")
            or what their names begin with ("encoder_q"); needed where several with other numbers fit.
        trusted: for skops, further types by full name that may be rebuilt.
        trust: "sha256:" and the digest of a pickle, joblib, torch.save or skops file that you vouch for.
            Code in it runs here, with your rights.
        quarantine: the limits of the process that tries a whole model first.

    The other arguments are those of `wrap`.

    Raises:
        InputError: no such file; weights that do not fit the architecture, of which several sets fit, or
            that are NaN or infinite.
        UnsafeFileError: a file that could run code, is not what it says it is, or crashes its library.
        MissingDependency: the library that reads it is not installed, or too old.
    """
    file = read_file(path, trust=trust, inspect=inspect)
    given: dict[str, Any] = {
        "name": name,
        "outputs": None if outputs is None else list(outputs),
        "scale": scale,
        "kind": kind,
        "shape": None if shape is None else list(shape),
        "preprocess": preprocess,
        "batch": batch,
        "output": output,
    }
    arguments = dict(given)
    vouched = file.trusted and file.format in TRUSTABLE
    found = (
        Found()
        if vouched and file.format != "skops"
        else inspect(file, file.stream, len(file.data))
    )
    _check_arguments(file, architecture, entry, trusted, given)
    if vouched and file.format != "skops":
        content = _vouched(file, architecture, entry)
    elif file.format in WEIGHTS:
        content = _weights(file, found, architecture, entry)
    else:
        content = _whole(file, found, given, like, tuple(trusted), quarantine)
    used = [key for key, value in content.stored.items() if given[key] is None]
    given |= {key: content.stored[key] for key in used}
    notes = [f"From the file itself: {', '.join(sorted(used))}."] if used else []
    if vouched:
        notes.append(
            "Code in the file could run while it was read: the caller vouched for its digest."
        )
    others = {"like": like, "architecture": architecture, "entry": entry, "trusted": trusted}
    arguments |= {**others, "trust": trust, "quarantine": quarantine}
    given["name"] = given["name"] or clean(file.path.stem)
    with _as_file(file):
        model = wrap(content.native, **given, like=like)
    origin = f"loaded from {file.shown}, sha256 {file.sha256}"
    loaded = replace(
        model,
        lineage=(origin + (", vouched for by the caller" if vouched else ""),),
        notes=(*model.notes, *content.notes, *notes),
        file=_report(file, found, content, vouched=vouched),
    )
    source = Source(load_again, (os.path.abspath(path), file.sha256), arguments)

    def now() -> str:
        return wrap(content.native, **given, like=like).digest

    return source.on(loaded, now)  # type: ignore[no-any-return]


def load_again(path: str, sha256: str, **arguments: Any) -> Model:
    """The model in a file that was loaded before, if the file has not changed.

    Raises:
        UnsafeFileError: its content has changed; any reason for which `load` refuses a file.
    """
    found = read_file(path, trust=arguments.get("trust"), inspect=inspect)
    if found.sha256 != sha256:
        raise UnsafeFileError(
            f"{found.shown!r} is needed as it was when its model was loaded, with sha256 {sha256}, but now "
            f"has {found.sha256}. Load the model again from the file that is meant."
        )
    return load(path, **arguments)


@contextmanager
def _as_file(file: File) -> Iterator[None]:
    """Rewords `wrap`'s errors about a wrong or failing object as errors about the file."""
    try:
        yield
    except (IncompatibleError, ModelError) as error:
        raise InputError(f"{file.shown!r} holds no model that can be used here. {error}") from None


def inspect(file: File, stream: IO[bytes], size: int) -> Found:
    """What is in the file, as far as it can be found before any library reads it; raises to refuse it."""
    if file.format == "safetensors":
        return inspect_safetensors(file, stream, size)
    if file.trusted and file.format in TRUSTABLE and file.format != "skops":
        return Found()
    if file.format == "torch zip":
        return inspect_torch_zip(file, stream, size)
    return inspect_native(file, stream, size)


def _check_arguments(
    file: File,
    architecture: object,
    entry: str | None,
    trusted: Sequence[str],
    given: dict[str, Any],
) -> None:
    if entry is not None and not (isinstance(entry, str) and entry):
        raise InputError(
            f"entry must be the name of an entry of a checkpoint, not {clean(entry)!r}."
        )
    if isinstance(trusted, str):
        raise InputError(f"trusted must be a list of type names, not the text {trusted!r}.")
    if trusted and file.format != "skops":
        raise InputError(f"trusted= is for skops files, but {file.shown!r} is {file.format}.")
    if (file.trusted and file.format in TRUSTABLE) or file.format in WEIGHTS:
        return
    if architecture is not None or entry is not None:
        needless = "architecture" if architecture is not None else "entry"
        raise InputError(
            f"{file.shown!r} holds a whole model, so it needs no {needless}. Leave it out."
        )
    if file.format != "ONNX" and (given["preprocess"] is not None or given["output"] is not None):
        raise InputError(
            f"preprocess and output are for torch modules and ONNX models, but {file.shown!r} is "
            f"{file.format}. Leave them out."
        )


def _weights(file: File, found: Found, architecture: object, entry: str | None) -> _Content:
    """A module of the architecture with the file's weights."""
    why = f"Reading the weights in {file.shown!r}"
    versions = {"torch": checked_version("torch", why)}
    if file.format == "safetensors":
        versions["safetensors"] = checked_version("safetensors", why)
    stored: dict[str, Any] = {}
    if file.format == "safetensors":
        states = {"": read_safetensors(file)}
        stored = stored_words(file, dict(found.words))
    else:
        states = states_of(read_torch_zip(file), file)
    module, notes = filled(architecture, states, file, entry)
    checks = ("names and shapes are those of the architecture", "every weight is finite")
    return _Content(module, stored, notes, checks, versions)


def _whole(
    file: File,
    found: Found,
    given: dict[str, Any],
    like: Inputs | None,
    trusted: tuple[str, ...],
    quarantine: Quarantine,
) -> _Content:
    """The object that its library reads from the file, after it did so in another process."""
    why = f"Reading {file.shown!r}"
    versions = {one: checked_version(one, why) for one in libraries(file.format)}
    given = given | {"name": given["name"] or clean(file.path.stem)}
    with _as_file(file):
        passed = try_first(file, given, like, trusted, found.unpacked, quarantine)
    native = read_native(file, trusted)
    return _Content(native, checks=passed.checks, versions=versions, quarantine=passed.limits)


def _vouched(file: File, architecture: object, entry: str | None) -> _Content:
    """Whatever object the file gives; weights still need an architecture."""
    content = read_vouched(file)
    if not isinstance(content, dict):
        if architecture is not None or entry is not None:
            raise InputError(
                f"{file.shown!r} holds a whole {type(content).__name__}, not weights, so it needs neither "
                "architecture nor entry. Leave them out."
            )
        return _Content(content)
    module, notes = filled(architecture, states_of(content, file), file, entry)
    return _Content(module, notes=notes)


def _report(file: File, found: Found, content: _Content, *, vouched: bool) -> FileReport:
    target = file.path.resolve().name
    shown = file.shown if target == file.path.name else f"{file.shown}, a link to {clean(target)}"
    return FileReport(
        file=shown,
        format=file.format,
        sha256=file.sha256,
        bytes=len(file.data),
        dtypes=found.dtypes,
        parameters=found.parameters,
        checks=(*found.checks, *content.checks),
        versions=content.versions,
        quarantine=content.quarantine,
        trusted=vouched,
    )
