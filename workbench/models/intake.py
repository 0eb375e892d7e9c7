"""A file as bytes, read once, and what those bytes are. Nothing here runs what it reads."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from workbench.core import clean
from workbench.errors import InputError, UnsafeFileError

LIMIT_BYTES = 4 * 2**30
"""Larger files are refused unread; bundled and usual models are far below."""

CONVERT_TORCH = (
    "Where you trust the file, load it yourself and save the weights alone: "
    "safetensors.torch.save_file(module.state_dict(), 'model.safetensors')."
)
CONVERT_SCIKIT = (
    "Where you trust the file, load it yourself and save it with skops: "
    "skops.io.dump(estimator, 'model.skops')."
)
_PICKLE = (
    "is a pickle, which can run any code while it is being read, so it was not opened. "
    f"{CONVERT_TORCH} For scikit-learn: skops.io.dump(estimator, 'model.skops'). Or pass the live object "
    "to workbench.wrap."
)
_COMPRESSED = (
    "is a compressed stream, which is how joblib writes a pickle: reading it can run any code, so it was "
    f"not opened. {CONVERT_SCIKIT} Or pass the live object to workbench.wrap."
)
_REFUSED = {
    "pickle": _PICKLE,
    "legacy torch pickle": (
        "was written by torch.save before version 1.6, as a bare pickle, which can run any code while it "
        f"is being read, so it was not opened. {CONVERT_TORCH}"
    ),
    "compressed": _COMPRESSED,
    "TorchScript": (
        "is a TorchScript archive, whose code runs while it is being loaded, so it was not opened. Save "
        "the weights alone: safetensors.torch.save_file(module.state_dict(), 'model.safetensors')."
    ),
    "torch.export": (
        "is a torch.export archive, whose reader falls back to unpickling, so it was not opened. Save the "
        "weights alone: safetensors.torch.save_file(module.state_dict(), 'model.safetensors')."
    ),
    "Keras": (
        "is a Keras model, which can hold code, so it was not opened. Load it yourself where you trust it, "
        "and pass a function of it to workbench.wrap."
    ),
    "HDF5": (
        "is an HDF5 file, as older Keras models are, which can hold code, so it was not opened. Load it "
        "yourself where you trust it, and pass a function of it to workbench.wrap."
    ),
    "NumPy": (
        "holds NumPy arrays, not a model, and such files can hide a pickle. Save weights as safetensors: "
        "safetensors.numpy.save_file(arrays, 'model.safetensors')."
    ),
    "ONNX": (
        "looks like an ONNX model, which is not read here. Open it yourself, for instance with "
        "onnxruntime, and pass a function of it to workbench.wrap."
    ),
}
_SUFFIXES = {
    ".safetensors": "safetensors",
    ".pt": "torch zip",
    ".pth": "torch zip",
    ".bin": "torch zip",
    ".ckpt": "torch zip",
    ".skops": "skops",
}
_STREAMS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x5d\x00\x00", b"\x04\x22\x4d\x18", b"ZF")
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the long integer that opens an old torch file

# What Python's zip reader raises on a damaged archive, found by changing bytes at random.
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class File:
    """A file's bytes, what they are, and their sha256: hashed and parsed from the same bytes."""

    path: Path
    data: bytes
    format: str
    sha256: str

    @property
    def shown(self) -> str:
        """The file's name, safe to show."""
        return clean(self.path.name)

    def refuse(self, why: str) -> UnsafeFileError:
        """The error that says why this file is not read."""
        return UnsafeFileError(f"{self.shown!r} {why}")


def read_file(path: str | os.PathLike[str]) -> File:
    """The file, once it is known to be of a kind that holds numbers and no code.

    Raises:
        InputError: there is no such file, it is a folder, or it cannot be read.
        UnsafeFileError: it is a device or a pipe, too large, of a format that can run code, of no known
            format, or named as one format and written in another.
    """
    path = Path(path)
    data = _bytes_of(path)
    file = File(path, data, _sniffed(data), hashlib.sha256(data).hexdigest())
    named = _SUFFIXES.get(path.suffix.lower())
    if file.format in _REFUSED:
        lie = f"is named {path.suffix} but " if named is not None and named != "torch zip" else ""
        raise file.refuse(lie + _REFUSED[file.format])
    if file.format not in _SUFFIXES.values():
        raise file.refuse(
            f"is {file.format}. Models are read from safetensors, from state dicts of torch.save and from "
            "skops. Check that the file is complete, or pass the live object to workbench.wrap."
        )
    if named is not None and named != file.format:
        raise file.refuse(
            f"is named {path.suffix} but its content is {file.format}. A file that is not what it says is "
            "not read; rename it if you know where it comes from."
        )
    return file


def _bytes_of(path: Path) -> bytes:
    """The content, read through one descriptor, so that it cannot be exchanged between two looks."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_BINARY", 0)
    shown = clean(path)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"A model file is needed, but there is none at {shown!r} (looked from {clean(Path.cwd())!r}). "
            "Check the path."
        ) from None
    except IsADirectoryError:
        raise _folder(shown) from None
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        why = "it is a circle of links" if number == errno.ELOOP else clean(error)
        raise InputError(
            f"{shown!r} cannot be opened: {why}. Check the path and its rights."
        ) from None
    try:
        state = os.fstat(descriptor)
        _check_regular(state, shown)
        with open(descriptor, "rb", closefd=False) as stream:
            data = stream.read(state.st_size + 1)
    finally:
        os.close(descriptor)
    if len(data) != state.st_size:
        raise InputError(f"{shown!r} changed while it was read. Load it again once it is written.")
    return data


def _check_regular(state: os.stat_result, shown: str) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise _folder(shown)
    if not stat.S_ISREG(state.st_mode):
        raise UnsafeFileError(
            f"{shown!r} is a device or a pipe, not a file, so it was not read. Copy it into a file."
        )
    if state.st_size > LIMIT_BYTES:
        raise UnsafeFileError(
            f"{shown!r} has {state.st_size:,} bytes, more than the {LIMIT_BYTES:,} that are read. Load "
            "it yourself and pass the live object to workbench.wrap."
        )


def _folder(shown: str) -> InputError:
    return InputError(
        f"A model file is needed, but {shown!r} is a folder. Name the file inside it."
    )


def _sniffed(data: bytes) -> str:
    """What the bytes are, by content alone."""
    head = data[:16]
    if not data:
        return "an empty file"
    if head[:4] == b"PK\x03\x04":
        return _sniffed_zip(data)
    if len(head) > 8 and head[8:9] == b"{" and 2 <= struct.unpack("<Q", head[:8])[0] <= len(data):
        return "safetensors"
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return "HDF5"
    if head[:6] == b"\x93NUMPY":
        return "NumPy"
    if head[:1] == b"\x80" and head[1:2] in b"\x00\x01\x02\x03\x04\x05":
        return "legacy torch pickle" if _TORCH_MAGIC in data[:32] else "pickle"
    if data[257:262] == b"ustar":
        return "legacy torch pickle"
    if head.startswith(_STREAMS) or head[:2] in _ZLIB:
        return "compressed"
    if head[:1] in b"(c}]":
        return "pickle"
    if head[:1] == b"\x08" and head[1:2] < b"\x20":
        return "ONNX"
    return "of no known format"


def _sniffed_zip(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except BROKEN_ZIP:
        return "a damaged zip archive"
    inner = {name.split("/", 1)[-1] for name in names}
    if "schema.json" in names:
        return "skops"
    if "archive_format" in inner or any(n.startswith("models/") for n in inner):
        return "torch.export"
    if "constants.pkl" in inner or any(n.startswith("code/") for n in inner):
        return "TorchScript"
    if "data.pkl" in inner:
        return "torch zip"
    if "config.json" in inner and any(n.endswith(".h5") for n in inner):
        return "Keras"
    if names and all(n.endswith(".npy") for n in names):
        return "NumPy"
    return "a zip archive of no known kind"
