"""Weights from safetensors and from state dicts of torch.save: names and numbers, never code."""

from __future__ import annotations

import io
import json
import pickletools
import struct
import zipfile
from typing import TYPE_CHECKING, Any

from workbench.core import clean
from workbench.errors import InputError, ModelError, UnsafeFileError
from workbench.models.intake import BROKEN_ZIP, CONVERT_TORCH, File

if TYPE_CHECKING:
    import torch

HEADER_BYTES = 25 * 2**20
TENSORS = 100_000  # a header of 300 000 entries takes seconds to read
_STORAGES = ["Float", "Half", "Double", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"]
_DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]
_HARMLESS = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch.storage.UntypedStorage",
    "torch.Size",
    "torch.device",
    *(f"torch.{name}Storage" for name in _STORAGES),
    *(f"torch.{name}" for name in _DTYPES),
    "torch.bool",
}
_OPAQUE = {"STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"}

State = dict[str, "torch.Tensor"]


def read_safetensors(file: File) -> tuple[State, dict[str, str]]:
    """The tensors and the text that was stored with them.

    Raises:
        UnsafeFileError: the header is oversized, ambiguous or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    (length,) = struct.unpack("<Q", file.data[:8])
    if length > HEADER_BYTES:
        raise file.refuse(
            f"has a header of {length:,} bytes, more than the {HEADER_BYTES:,} that are read. Save it "
            "again with safetensors."
        )
    try:
        header = json.loads(file.data[8 : 8 + length], object_pairs_hook=_without_repeats)
        state = load(file.data) if len(header) <= TENSORS else None
    except (SafetensorError, ValueError, RecursionError) as error:
        raise file.refuse(
            f"is damaged: {clean(error)}. Save it again with safetensors, or fetch it again."
        ) from None
    if state is None:
        raise file.refuse(
            f"lists {len(header):,} tensors, more than the {TENSORS:,} that are read."
        )
    return state, dict(header.get("__metadata__") or {})


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the header names an entry twice")
    return found


def read_torch_zip(file: File) -> tuple[State, str]:
    """The state dict of a torch.save file, and which entry of a checkpoint it was ("" for the whole).

    `weights_only=True` is torch's own guard; what it would refuse is named here first, and the traps it
    leaves open (compressed members, tensors larger than their storage) are closed.

    Raises:
        UnsafeFileError: the file needs code, hides something, or is damaged.
        InputError: it holds something other than named tensors.
    """
    import pickle

    import torch

    _check_archive(file)
    try:
        content = torch.load(io.BytesIO(file.data), weights_only=True, map_location="cpu")
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        EOFError,
    ) as error:
        first = (str(error).splitlines() or [""])[0]
        raise file.refuse(
            f"cannot be read as tensors alone (torch.load with weights_only=True): {clean(first)}. "
            f"{CONVERT_TORCH}"
        ) from None
    state, entry = _state_dict_in(content, file)
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise InputError(
                f"Weights must be plain tensors, but {clean(name)!r} of {file.shown!r} is "
                f"{tensor.layout}{', quantized' if tensor.is_quantized else ''}. Save it dense."
            )
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise file.refuse(
                f"claims a shape of {tuple(tensor.shape)} for {clean(name)!r} but stores only "
                f"{tensor.untyped_storage().nbytes()} bytes for it. Save the tensor's contiguous copy."
            )
    return state, entry


def _check_archive(file: File) -> None:
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        if len(members) > 2 * TENSORS or len(set(names)) < len(names):
            raise file.refuse(
                "has too many members, or two of one name, as torch.save never writes."
            )
        for member in members:
            packed = member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1
            if packed or member.file_size != member.compress_size:
                raise file.refuse(
                    f"holds {clean(member.filename)!r} compressed or encrypted, as torch.save never writes "
                    f"it: a small file could fill the memory. {CONVERT_TORCH}"
                )
        if sum(member.file_size for member in members) > len(file.data):
            raise file.refuse("has members that overlap, as torch.save never writes them.")
        pickles = [name for name in names if name.rsplit("/", 1)[-1] == "data.pkl"]
        if len(pickles) != 1:
            raise file.refuse(f"needs exactly one data.pkl, but has {len(pickles)}.")
        try:
            content = archive.read(pickles[0])
        except BROKEN_ZIP as error:
            raise file.refuse(f"is damaged: {clean(error)}. Fetch it again.") from None
    if code := sorted(_needed(content, file) - _HARMLESS):
        raise file.refuse(
            f"needs code to be read ({', '.join(clean(name) for name in code[:5])}), so it is a whole "
            f"module or holds more than weights, and was not opened. {CONVERT_TORCH}"
        )


def _needed(content: bytes, file: File) -> set[str]:
    """The names a pickle would import; opcodes that hide a name are refused."""
    needed: set[str] = set()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in _OPAQUE:
                raise file.refuse(
                    f"uses the pickle opcode {opcode.name}, which hides what it needs and which "
                    f"torch.save never writes for weights, so it was not opened. {CONVERT_TORCH}"
                )
            if opcode.name == "GLOBAL":
                needed.add(str(argument).replace(" ", ".", 1))
    except UnsafeFileError:
        raise
    except ValueError as error:
        raise file.refuse(f"is damaged: {clean(error)}. Fetch it again.") from None
    return needed


def _state_dict_in(content: Any, file: File) -> tuple[State, str]:
    if _is_state(content):
        return content, ""
    entries = content if isinstance(content, dict) else {}
    known = [
        key for key in ("state_dict", "model_state_dict", "model") if _is_state(entries.get(key))
    ]
    if len(known) == 1:
        return entries[known[0]], known[0]
    found = [clean(key) for key in list(entries)[:10]] or type(content).__name__
    raise InputError(
        f"A state dict (names to tensors) is needed, but {file.shown!r} holds {found}. Save the weights "
        "alone: torch.save(module.state_dict(), path)."
    )


def _is_state(content: Any) -> bool:
    import torch

    return (
        isinstance(content, dict)
        and len(content) > 0
        and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items())
    )


def _form(tensor: torch.Tensor) -> str:
    return f"{tuple(tensor.shape)} of {tensor.dtype}"


def fill(module: torch.nn.Module, state: State, file: File) -> list[str]:
    """Puts the weights into the module, every one of them; returns what a user should know.

    Raises:
        InputError: names or shapes differ from the architecture's.
        ModelError: weights are NaN or infinite.
    """
    import torch

    own = module.state_dict()
    shared = {tensor.data_ptr() for name, tensor in own.items() if name in state}
    missing = [n for n in own if n not in state and own[n].data_ptr() not in shared]
    unexpected = [name for name in state if name not in own]
    differ = [
        f"{clean(name)}: {_form(state[name])} in the file, {_form(own[name])} needed"
        for name in own
        if name in state
        and (
            state[name].shape != own[name].shape
            or state[name].is_floating_point() != own[name].is_floating_point()
        )
    ]
    if missing or unexpected or differ:
        wrapped = unexpected and all(name.startswith("module.") for name in unexpected)
        raise InputError(
            f"The weights of {file.shown!r} must fit the architecture {type(module).__name__}, but differ. "
            + "".join(
                f"{what}: {[clean(name) for name in names[:8]]}{' …' if len(names) > 8 else ''}. "
                for what, names in (
                    ("Missing in the file", missing),
                    ("Not in the architecture", unexpected),
                    ("Different", differ),
                )
                if names
            )
            + (
                "They were saved from a DataParallel wrapper: save model.module.state_dict()."
                if wrapped
                else "Give the architecture they were trained with."
            )
        )
    broken = [n for n, t in state.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if broken:
        raise ModelError(
            f"Weights must be finite, but {len(broken)} tensors of {file.shown!r} hold NaN or infinity: "
            f"{[clean(name) for name in broken[:8]]}. The training diverged or the file is damaged."
        )
    casts = sorted(
        {f"{state[n].dtype} to {own[n].dtype}" for n in state if state[n].dtype != own[n].dtype}
    )
    module.load_state_dict(
        state, strict=False
    )  # names were compared above; tied weights may be absent
    return [
        f"Weights were converted from {', '.join(casts)}, the architecture's precision."
    ] * bool(casts)
