"""A file of torch.save, checked without torch: its members, what its pickle makes, and every size."""

from __future__ import annotations

import struct
import zipfile
from collections import Counter
from typing import IO, Any

from workbench.core import clean
from workbench.errors import UnsafeFileError
from workbench.models.intake.formats import BROKEN_ZIP, CONVERT_TORCH, VOUCH
from workbench.models.intake.pickle_reading import (
    DamagedError,
    Described,
    Made,
    NotPlainError,
    Stored,
    described,
)
from workbench.models.intake.reading import TENSORS, File, Found

PICKLE_BYTES = 64 * 2**20
DIMENSIONS = 64
"""The most dimensions of a shape, as many as NumPy knows."""

_ITEM_BYTES = {
    "Float": 4,
    "Half": 2,
    "Double": 8,
    "BFloat16": 2,
    "Long": 8,
    "Int": 4,
    "Short": 2,
    "Char": 1,
    "Byte": 1,
    "Bool": 1,
}
_DTYPE_BYTES = {
    **dict.fromkeys(("int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2"), 1),
    **dict.fromkeys(("int16", "uint16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("int32", "uint32", "float32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64"), 8),
}
_BUILDERS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3")
_HARMLESS = {
    "collections.OrderedDict",
    *_BUILDERS,
    "torch._utils._rebuild_parameter",
    "torch.storage.UntypedStorage",
    "torch.Size",
    "torch.device",
    *(f"torch.{name}Storage" for name in _ITEM_BYTES),
    *(f"torch.{name}" for name in _DTYPE_BYTES),
}


def inspect_torch_zip(file: File, stream: IO[bytes], size: int) -> Found:
    """The content of the archive, once every member, name and size is as torch.save writes it.

    Args:
        file: for messages.
        stream: the content.
        size: its bytes.

    Raises:
        UnsafeFileError: the file needs code, hides something, is damaged, or claims more than it stores.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            content, members = _members(file, stream, archive, size)
    except UnsafeFileError:
        raise  # its message is complete
    except BROKEN_ZIP as error:
        raise _damaged(file, str(error)) from None
    try:
        found = described(content, min(TENSORS, sum(name.startswith("data/") for name in members)))
    except NotPlainError as error:
        _check_names(file, error.names)
        raise file.refuse(
            f"uses the pickle opcode {clean(error.step)}, which hides what it needs or which torch.save "
            f"never writes for weights, so it was not opened. {CONVERT_TORCH} {VOUCH}"
        ) from None
    except DamagedError as error:
        raise _damaged(file, str(error)) from None
    _check_names(file, found.names)
    dtypes, parameters = _tensors(file, found, members)
    return Found(
        dtypes=dict(sorted(dtypes.items())),
        parameters=parameters,
        checks=(
            f"{len(members):,} members, none compressed, encrypted, repeated or overlapping",
            f"pickle followed without running it: it names only {len(found.names)} known makers of tensors",
            "every tensor's shape and strides lie inside the numbers stored for it",
        ),
    )


def _check_names(file: File, names: set[str]) -> None:
    if code := sorted(names - _HARMLESS):
        module = any(name.startswith("torch.nn.") for name in code)
        what = "is a whole module" if module else "holds more than weights"
        raise file.refuse(
            f"needs code to be read ({', '.join(clean(name) for name in code[:5])}), so it {what}, and was "
            f"not opened. {CONVERT_TORCH} {VOUCH}"
        )


def _members(
    file: File, stream: IO[bytes], archive: zipfile.ZipFile, size: int
) -> tuple[bytes, dict[str, int]]:
    """The bytes of data.pkl, and the size of every member by its name below the archive's folder."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > 2 * TENSORS or len(set(names)) < len(names):
        raise file.refuse(
            "has too many members, or two of one name, which torch.save never writes."
        )
    if archive.comment:
        raise file.refuse("has text after its last member, which torch.save never writes.")
    for member in members:
        packed = member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1
        if packed or member.file_size != member.compress_size:
            raise file.refuse(
                f"holds {clean(member.filename)!r} compressed or encrypted, as torch.save never writes "
                f"it: a small file could fill the memory. {CONVERT_TORCH}"
            )
        _check_place(file, stream, member)
    end = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if member.header_offset < end:
            raise file.refuse("has members that overlap, which torch.save never writes.")
        end = member.header_offset + 30 + member.file_size
    if end > size:
        raise file.refuse("has members that overlap, which torch.save never writes.")
    pickles = [name for name in names if name.rsplit("/", 1)[-1] == "data.pkl"]
    if len(pickles) != 1:
        raise file.refuse(f"needs exactly one data.pkl, but has {len(pickles)}.")
    folder = pickles[0].removesuffix("data.pkl")
    if archive.getinfo(pickles[0]).file_size > PICKLE_BYTES:
        raise file.refuse(f"has a data.pkl of more than the {PICKLE_BYTES:,} bytes that are read.")
    return archive.read(pickles[0]), {
        one.filename.removeprefix(folder): one.file_size for one in members
    }


def _check_place(file: File, stream: IO[bytes], member: zipfile.ZipInfo) -> None:
    """A member's own header must agree with the directory: Python reads one, torch the other."""
    name = member.filename
    if name.startswith(("/", "\\")) or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise file.refuse(f"names a member {clean(name)!r}, which leads out of the archive.")
    stream.seek(member.header_offset)
    local = stream.read(30)
    if len(local) < 30 or local[:4] != b"PK\x03\x04":
        raise _damaged(
            file, f"its directory names {clean(name)!r} at a place where no member begins"
        )
    flags, method = struct.unpack("<HH", local[6:10])
    (length,) = struct.unpack("<H", local[26:28])
    if method or flags & 1 or stream.read(length) != member.orig_filename.encode():
        raise file.refuse(
            f"describes the member {clean(name)!r} in two ways, so that two programs would read two files."
        )


def _tensors(file: File, found: Described, members: dict[str, int]) -> tuple[Counter[str], int]:
    """Every tensor that would be built, also one that is thrown away again: it takes up memory first."""
    dtypes: Counter[str] = Counter()
    parameters = 0
    used = set[int]()
    for made in found.calls:
        if made.call in _BUILDERS:
            dtype, numbers = _tensor(file, made, members)
            dtypes[dtype] += 1
            parameters += numbers
            used.add(id(made.arguments[0]))
    if any(id(one) not in used for one in found.stored):
        raise _damaged(file, "its pickle asks for numbers that belong to no tensor")
    if sum(dtypes.values()) > TENSORS:
        raise file.refuse(f"holds more than the {TENSORS:,} tensors that are read.")
    return dtypes, parameters


def _tensor(file: File, made: Made, members: dict[str, int]) -> tuple[str, int]:
    """A tensor's precision and count of numbers, once its shape lies inside what is stored for it."""
    storage, offset, shape, strides = (*made.arguments[:4], *([None] * 4))[:4]
    key: Any = storage.key if isinstance(storage, Stored) else None
    fits = (
        isinstance(key, tuple)
        and len(key) == 5
        and key[0] == "storage"
        and isinstance(key[2], str)
        and _count(key[4])
        and _count(offset)
        and _counts(shape)
        and _counts(strides)
        and len(shape) == len(strides)
    )
    if not fits:
        raise _damaged(file, "its pickle makes a tensor without numbers, a shape or strides")
    dtype = getattr(key[1], "name", "").removeprefix("torch.").removesuffix("Storage")
    item, stored = _ITEM_BYTES.get(dtype, 0), key[4]
    if not item:  # a storage counted in bytes, whose precision is stored beside it
        named = made.arguments[6] if len(made.arguments) > 6 else None
        dtype = getattr(named, "name", "").removeprefix("torch.")
        item = _DTYPE_BYTES.get(dtype, 0)
        if not item or stored % item:
            raise _damaged(file, "its pickle makes a tensor without a precision")
        stored //= item
    if members.get(f"data/{key[2]}") != stored * item:
        raise file.refuse(
            f"claims {stored * item:,} bytes for {clean(key[2])!r}, but stores "
            f"{members.get(f'data/{key[2]}', 0):,}. Fetch it again."
        )
    numbers = 1
    for length in shape:
        numbers *= length
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if numbers and (last >= stored or numbers > stored):
        raise file.refuse(
            f"claims a shape of {clean(shape)} where only {stored * item:,} bytes are stored, by strides "
            "that read numbers again and again. Save the tensor's contiguous copy."
        )
    return dtype, numbers


def _count(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**63


def _counts(numbers: Any) -> bool:
    few = isinstance(numbers, tuple) and len(numbers) <= DIMENSIONS
    return few and all(_count(one) for one in numbers)


def _damaged(file: File, found: str) -> Exception:
    return file.refuse(f"is damaged: {clean(found).rstrip('.')}. Fetch it again.")
