"""The format of a file, recognized by content alone, and why some formats are not read."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from typing import IO

CONVERT_TORCH = (
    "Where you trust the file, load it yourself and save the weights alone: "
    "safetensors.torch.save_file(module.state_dict(), 'model.safetensors')."
)
CONVERT_SCIKIT = (
    "Where you trust the file, load it yourself and save it with skops: "
    "skops.io.dump(estimator, 'model.skops')."
)
VOUCH = (
    "If you have its digest from whoever made it and trust them, so that its code may run: "
    "load(path, trust='sha256:...')."
)
_WEIGHTS_ALONE = (
    "Save the weights alone: safetensors.torch.save_file(module.state_dict(), 'model.safetensors')."
)
_OPEN_IT = "Open it yourself where you trust it, and pass a function of it to workbench.wrap."

REFUSED = {
    "pickle": (
        "is a pickle, which can run any code while it is being read, so it was not opened. "
        f"{CONVERT_TORCH} For scikit-learn: skops.io.dump(estimator, 'model.skops'). Or pass the live "
        f"object to workbench.wrap. {VOUCH}"
    ),
    "legacy torch pickle": (
        "was written by torch.save before version 1.6, as a bare pickle, which can run any code while it "
        f"is being read, so it was not opened. {CONVERT_TORCH} {VOUCH}"
    ),
    "compressed": (
        "is a compressed stream, which is how joblib writes a pickle: reading it can run any code, so it "
        f"was not opened. {CONVERT_SCIKIT} Or pass the live object to workbench.wrap. {VOUCH} A file of "
        "another kind that was packed as a whole (.gz, .bz2, .xz, .zst): unpack it, and load what that "
        "gives."
    ),
    "TorchScript": (
        "is a TorchScript archive, whose code runs while it is being loaded, so it was not opened. "
        f"{_WEIGHTS_ALONE}"
    ),
    "torch.export": (
        "is a torch.export archive, whose reader falls back to unpickling, so it was not opened. "
        f"{_WEIGHTS_ALONE}"
    ),
    "Keras": f"is a Keras model, which can hold code, so it was not opened. {_OPEN_IT}",
    "HDF5": (
        "is an HDF5 file, as older Keras models are, which can hold code, so it was not opened. "
        f"{_OPEN_IT}"
    ),
    "NumPy": (
        "holds NumPy arrays, not a model, and such files can hide a pickle. Save weights as safetensors: "
        "safetensors.numpy.save_file(arrays, 'model.safetensors')."
    ),
    "index of weights": (
        "lists weights that lie in several files. Put them into one: read each with "
        "safetensors.torch.load_file, and save the whole with save_file."
    ),
    "JSON": (
        "is JSON, but not a model of XGBoost. A configuration, such as those of Hugging Face, names code "
        "to run and is never followed: make the module yourself, and load its weights with architecture=..."
    ),
    "XGBoost dump": (
        "is a dump of XGBoost's trees for reading (dump_model), which lacks what scores need. Save the "
        "model: booster.save_model('model.json')."
    ),
    "LightGBM dump": (
        "is a dump of LightGBM's trees as JSON (dump_model), which LightGBM cannot read back. Save the "
        "model: booster.save_model('model.txt')."
    ),
    "CatBoost JSON": (
        "is a CatBoost model as JSON, which is not read here. Save it as cbm: "
        "model.save_model('model.cbm')."
    ),
    "GGUF": f"is a GGUF language model, whose format is not read here. {_OPEN_IT}",
    "TensorFlow Lite": f"is a TensorFlow Lite model, whose format is not read here. {_OPEN_IT}",
    "old XGBoost": (
        "is a model in XGBoost's own binary format, which XGBoost gave up in version 3.1. Load it with the "
        "version that wrote it, and save it as 'model.ubj' or 'model.json'."
    ),
}
"""Known formats that are not read: the reason, and what to do instead."""

TRUSTABLE = ("pickle", "legacy torch pickle", "compressed", "torch zip", "skops")
"""Formats that may hold code, and are read only when the caller vouches for the file's digest."""

SUFFIXES = {
    ".safetensors": "safetensors",
    ".pt": "torch zip",
    ".pth": "torch zip",
    ".bin": "torch zip",
    ".ckpt": "torch zip",
    ".skops": "skops",
    ".onnx": "ONNX",
    ".json": "XGBoost JSON",
    ".ubj": "XGBoost UBJSON",
    ".cbm": "CatBoost",
}
"""The format that a file's name claims."""

ACCEPTED = (
    "safetensors",
    "torch zip",
    "skops",
    "ONNX",
    "XGBoost JSON",
    "XGBoost UBJSON",
    "LightGBM",
    "CatBoost",
)
"""The formats that are read."""

WEIGHTS = ("safetensors", "torch zip")
"""Formats that hold weights alone, and need an architecture."""

HEAD_BYTES = 512
_STREAMS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x5d\x00\x00", b"\x04\x22\x4d\x18", b"ZF")
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_ZSTD = b"\x28\xb5\x2f\xfd"
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the long integer that opens an old torch file
_XGBOOST_JSON = re.compile(rb'\s*\{\s*"(learner|version)"')
_XGBOOST_UBJ = re.compile(rb"\{(L.{7}|l.{3}|I.|[iU])(\x07learner|\x07version)", re.DOTALL)
_DUMPS = (
    ("XGBoost dump", re.compile(rb'\s*(booster\[\d+\]:|\[\s*\{\s*"(nodeid|leaf)")')),
    ("LightGBM dump", re.compile(rb'\s*\{\s*"name"\s*:\s*"tree"')),
    (
        "CatBoost JSON",
        re.compile(rb'\s*\{.*"(oblivious_trees|features_info|ctr_data|scale_and_bias)"', re.DOTALL),
    ),
)
_MARK = b"\xef\xbb\xbf"  # that a text is UTF-8, as some editors put it first
_INDEX = re.compile(rb'\s*\{\s*"(metadata|weight_map)"')


def plain_text(data: bytes) -> bytes:
    """A text as its library wrote it: line ends of Windows and the mark of UTF-8 are taken off again.

    >>> plain_text(b"\\xef\\xbb\\xbftree\\r\\nversion=v4\\r\\n")
    b'tree\\nversion=v4\\n'
    """
    return data.removeprefix(_MARK).replace(b"\r\n", b"\n")


# What Python's zip reader raises on a damaged archive, found by changing bytes at random.
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    OSError,
)


def sniffed(stream: IO[bytes], size: int) -> str:
    """The format of the bytes: one of `ACCEPTED`, a key of `REFUSED`, or words for something else.

    Reads the first bytes, and for a zip archive its directory.

    >>> import io
    >>> sniffed(io.BytesIO(b"CBM1 and so on"), 14)
    'CatBoost'
    """
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    if not head:
        return "an empty file"
    if head[:4] == b"PK\x03\x04":
        return _sniffed_zip(stream)
    if len(head) > 8 and head[8:9] == b"{" and 2 <= struct.unpack("<Q", head[:8])[0] <= size:
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in b"\x00\x01\x02\x03\x04\x05":
        return "legacy torch pickle" if _TORCH_MAGIC in head[:32] else "pickle"
    if head[257:262] == b"ustar":
        return "legacy torch pickle"
    if head.startswith((*_STREAMS, _ZSTD)) or head[:2] in _ZLIB:
        return "compressed"
    for start, name in (
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x93NUMPY", "NumPy"),
        (b"CBM1", "CatBoost"),
        (b"GGUF", "GGUF"),
        (b"binf", "old XGBoost"),
    ):
        if head.startswith(start):
            return name
    if head[4:8] == b"TFL3":
        return "TensorFlow Lite"
    head = head.removeprefix(_MARK)
    if head.startswith((b"tree\n", b"tree\r\n")):
        return "LightGBM"
    for name, dump in _DUMPS:
        if dump.match(head):
            return name
    if _XGBOOST_UBJ.match(head):
        return "XGBoost UBJSON"
    if _XGBOOST_JSON.match(head):
        return "XGBoost JSON"
    if head.lstrip()[:1] == b"{":
        return "index of weights" if _INDEX.match(head) else "JSON"
    if head[:1] in b"(c}]":
        return "pickle"
    if head[:1] == b"\x08" and head[1:2] < b"\x20":
        return "ONNX"
    return "of no known format"


def _sniffed_zip(stream: IO[bytes]) -> str:
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
    except BROKEN_ZIP:
        return "a damaged zip archive"
    inner = {name.split("/", 1)[-1] for name in names}
    if "schema.json" in names:
        return "skops"
    if "archive_format" in inner or any(n.startswith("models/") for n in inner):
        return "torch.export"
    if {"constants.pkl", "bytecode.pkl"} & inner or any(n.startswith("code/") for n in inner):
        return "TorchScript"
    if "data.pkl" in inner:
        return "torch zip"
    if "config.json" in inner and any(n.endswith(".h5") for n in inner):
        return "Keras"
    if names and all(n.endswith(".npy") for n in names):
        return "NumPy"
    return "a zip archive of no known kind"
