"""Pickles in all their clothes, and other formats that can hold code."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import joblib
import numpy as np
import torch

from tests.hostile.cases import Payload, case, written
from tests.hostile.seeds import network

_PICKLE = "is a pickle, which can run any code"


def _pickled(name: str, file: str, protocol: int, ends: str = _PICKLE) -> None:
    @case(name, ends)
    def _(folder, mark):
        return written(folder, file, pickle.dumps(Payload(mark), protocol=protocol))


_pickled("a pickle of protocol 0", "model.pkl", 0)
_pickled("a pickle of protocol 2", "model.pickle", 2)
_pickled("a pickle of protocol 5", "model.pkl", 5)
_pickled(
    "a pickle called safetensors", "model.safetensors", 4, "named .safetensors but is a pickle"
)
_pickled("a pickle called onnx", "model.onnx", 4, "named .onnx but is a pickle")
_pickled("a pickle called skops", "model.skops", 4, "named .skops but is a pickle")


@case("a joblib file", _PICKLE)
def _(folder, mark):
    joblib.dump([Payload(mark)], folder / "model.joblib")
    return folder / "model.joblib"


def _joblib(packed: str) -> None:
    @case(f"a joblib file packed by {packed}", "is a compressed stream")
    def _(folder, mark):
        joblib.dump(Payload(mark), folder / "model.joblib", compress=(packed, 3))
        return folder / "model.joblib"


for _packed in ("zlib", "gzip", "bz2", "xz", "lzma"):
    _joblib(_packed)


@case("NumPy objects", "NumPy arrays")
def _(folder, mark):
    np.save(folder / "model.npy", np.array([Payload(mark)]), allow_pickle=True)
    return folder / "model.npy"


@case("an archive of NumPy objects", "NumPy arrays")
def _(folder, mark):
    np.savez(folder / "model.npz", a=np.array([Payload(mark)]))
    return folder / "model.npz"


@case("a torch file from before 1.6", "as a bare pickle")
def _(folder, mark):
    content = {"a": torch.ones(2), "b": Payload(mark)}
    torch.save(content, folder / "model.pt", _use_new_zipfile_serialization=False)
    return folder / "model.pt"


@case("a whole module", "needs code.*whole module")
def _(folder, mark):
    torch.save(network(), folder / "model.pt")
    return folder / "model.pt"


def _archive(folder, members: dict[str, bytes], name: str = "model.pt"):
    with zipfile.ZipFile(folder / name, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return folder / name


@case("TorchScript", "is a TorchScript archive")
def _(folder, mark):
    code = b"def __setstate__(self, state):\n  torch.save(state, 'mark')\n"
    return _archive(
        folder,
        {"m/data.pkl": b"", "m/code/__torch__.py": code, "m/constants.pkl": b""},
    )


@case("a TorchScript archive for phones", "is a TorchScript archive")
def _(folder, mark):
    return _archive(folder, {"m/data.pkl": b"", "m/bytecode.pkl": pickle.dumps(Payload(mark))})


@case("an exported program with a pickle among its samples", "is a torch.export archive")
def _(folder, mark):
    sample = io.BytesIO()
    torch.save(Payload(mark), sample)
    return _archive(
        folder,
        {
            "m/archive_format": b"pt2",
            "m/models/model.json": b"{}",
            "m/data/sample_inputs/model.pt": sample.getvalue(),
        },
        "model.pt2",
    )


@case("a Keras archive with a lambda", "is a Keras model")
def _(folder, mark):
    layer = {"class_name": "Lambda", "config": {"function": ["gASV"]}}
    return _archive(
        folder,
        {"config.json": json.dumps(layer).encode(), "model.weights.h5": b"\x89HDF\r\n\x1a\n"},
        "model.keras",
    )


@case("an HDF5 file", "is an HDF5 file")
def _(folder, mark):
    return written(folder, "model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100))


@case("a configuration that names code", "is JSON.*never followed")
def _(folder, mark):
    words = {"architectures": ["Net"], "auto_map": {"AutoModel": "evil--repo.Model"}}
    return written(folder, "config.json", json.dumps(words).encode())


@case("an index of weights in other places", "weights that lie in several files")
def _(folder, mark):
    words = {"metadata": {}, "weight_map": {"a": "../../elsewhere.safetensors"}}
    return written(folder, "model.safetensors.index.json", json.dumps(words).encode())


@case("a GGUF file", "is a GGUF language model")
def _(folder, mark):
    return written(folder, "model.gguf", b"GGUF\x03\x00\x00\x00" + bytes(50))


@case("a TensorFlow Lite file", "is a TensorFlow Lite model")
def _(folder, mark):
    return written(folder, "model.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(50))


@case("XGBoost's binary of old", "XGBoost's own binary format")
def _(folder, mark):
    return written(folder, "model.bin", b"binf" + bytes(50))


@case("a page of HTML", "of no known format")
def _(folder, mark):
    return written(folder, "model", b"<html><script>alert(1)</script></html>")
