"""Hostile and broken files: refused with a sentence, and nothing in them ever runs."""

import gzip
import json
import os
import pickle
import struct
import zipfile

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from workbench.errors import InputError, UnsafeFileError
from workbench.models import load
from workbench.models.intake import reading as intake


class Payload:
    """Unpickled, it would make a file; the tests assert that there is none."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def net() -> nn.Module:
    return nn.Linear(3, 2)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "the payload ran"


def refused(path, match: str, error: type = UnsafeFileError) -> None:
    with pytest.raises(error, match=match):
        load(path, architecture=net)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("suffix", ["pkl", "joblib", "pt", "safetensors", "skops", "model"])
def test_a_pickle_is_refused_whatever_it_is_called(tmp_path, mark, protocol, suffix):
    path = tmp_path / f"evil.{suffix}"
    path.write_bytes(pickle.dumps(Payload(mark), protocol=protocol))
    refused(path, "is a pickle, which can run any code.*safetensors.*skops")
    assert not mark.exists()


@pytest.mark.parametrize("compress", ["zlib", "gzip", "bz2", "xz", "lzma"])
def test_a_compressed_joblib_file_is_refused(tmp_path, mark, compress):
    path = tmp_path / "evil.joblib"
    joblib.dump(Payload(mark), path, compress=(compress, 3))
    refused(path, "is a compressed stream, which is how joblib")
    assert not mark.exists()


def test_a_gzipped_model_of_any_kind_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(gzip.compress(b"anything"))
    refused(path, "is named .safetensors but is a compressed stream")


def test_a_state_dict_with_a_payload_is_refused(tmp_path, mark):
    path = tmp_path / "evil.pt"
    torch.save({"weight": torch.ones(2, 3), "bias": Payload(mark)}, path)
    refused(path, r"needs code to be read \(posix.mkdir|needs code to be read \(nt.mkdir")
    assert not mark.exists()


def test_a_payload_hidden_by_another_pickle_protocol_is_refused(tmp_path, mark):
    path = tmp_path / "evil.pt"
    torch.save({"bias": Payload(mark)}, path, pickle_protocol=4)
    refused(path, "opcode STACK_GLOBAL, which hides what it needs")
    assert not mark.exists()


def test_a_whole_module_is_refused_with_how_to_save_its_weights(tmp_path):
    path = tmp_path / "module.pt"
    torch.save(net(), path)
    refused(path, r"needs code.*torch.nn.modules.linear.Linear.*whole module.*save_file")


def test_an_old_torch_file_is_refused(tmp_path):
    path = tmp_path / "old.pt"
    torch.save(net().state_dict(), path, _use_new_zipfile_serialization=False)
    refused(path, "before version 1.6, as a bare pickle")


def zipped(path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"m/code/__torch__.py": b"", "m/data.pkl": b"", "m/constants.pkl": b""}, "TorchScript"),
        ({"m/archive_format": b"pt2", "m/models/model.json": b"{}"}, "torch.export"),
        ({"config.json": b"{}", "model.weights.h5": b""}, "Keras"),
        ({"a.npy": b""}, "NumPy arrays"),
        ({"readme.txt": b""}, "a zip archive of no known kind"),
    ],
)
def test_other_archives_are_refused_by_name(tmp_path, members, what):
    zipped(tmp_path / "model.pt", members)
    refused(tmp_path / "model.pt", what)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "HDF5"),
        (b"GGUF" + bytes(20), "GGUF language model"),
        (bytes(4) + b"TFL3" + bytes(20), "TensorFlow Lite"),
        (b"binf" + bytes(20), "XGBoost's own binary format"),
        (
            b'{"architectures": ["Net"], "auto_map": {}}',
            "is JSON.*names code to run and is never followed",
        ),
        (b'{"metadata": {}, "weight_map": {}}', "weights that lie in several files"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "compressed stream"),
        (b"", "is an empty file"),
        (b"\x80", "is a pickle"),
        (b"hello there, this is text", "of no known format"),
        (b"PK\x03\x04" + bytes(30), "damaged zip"),
    ],
)
def test_other_formats_are_refused_by_name(tmp_path, content, what):
    path = tmp_path / "model"
    path.write_bytes(content)
    refused(path, what)


def test_a_numpy_file_is_refused(tmp_path):
    np.save(tmp_path / "weights.npy", np.ones(3))
    np.savez(tmp_path / "weights.npz", a=np.ones(3))
    refused(tmp_path / "weights.npy", "NumPy arrays")
    refused(tmp_path / "weights.npz", "NumPy arrays")


def test_a_file_named_as_one_format_and_written_in_another_is_refused(tmp_path):
    torch.save(net().state_dict(), tmp_path / "weights.safetensors")
    refused(tmp_path / "weights.safetensors", "named .safetensors but its content is torch zip")


def test_a_compressed_torch_archive_is_refused_before_it_is_unpacked(tmp_path):
    torch.save(net().state_dict(), tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    zipped(tmp_path / "bomb.pt", members, zipfile.ZIP_DEFLATED)
    refused(tmp_path / "bomb.pt", "compressed or encrypted.*could fill the memory")


def test_two_members_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "twice.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("m/data.pkl", b"")
    refused(tmp_path / "twice.pt", "two of one name")


def test_a_tensor_larger_than_what_is_stored_is_refused(tmp_path):
    huge = torch.zeros(1).expand(100_000, 100_000)
    torch.save({"weight": huge, "bias": torch.zeros(2)}, tmp_path / "stride.pt")
    refused(tmp_path / "stride.pt", r"claims a shape of \(100000, 100000\)")


def safetensors_file(path, header: str, body: bytes = b"") -> None:
    text = header.encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}}', "is damaged"),
        (
            '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            "names an entry twice",
        ),
        ('{"a":' + "[" * 100_000, "is damaged"),
        ('{"a":', "is damaged"),
        ("{" + "\x00" * 20, "is damaged"),
    ],
)
def test_a_bad_safetensors_header_is_refused(tmp_path, header, what):
    path = tmp_path / "weights.safetensors"
    safetensors_file(path, header, bytes(4))
    refused(path, what)


def test_a_safetensors_file_of_endless_entries_is_refused(tmp_path, monkeypatch):
    from workbench.models.intake import safetensors_header

    monkeypatch.setattr(safetensors_header, "TENSORS", 3)
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    path = tmp_path / "weights.safetensors"
    safetensors_file(path, json.dumps({str(number): entry for number in range(4)}))
    refused(path, "lists 4 tensors, more than the 3")
    monkeypatch.setattr(safetensors_header, "HEADER_BYTES", 10)
    refused(path, "has a header of")


def test_a_skops_file_with_a_payload_is_refused(tmp_path, mark):
    import skops.io

    pipeline = make_pipeline(FunctionTransformer(os.mkdir, validate=False), LogisticRegression())
    skops.io.dump(pipeline, tmp_path / "evil.skops")
    with pytest.raises(UnsafeFileError, match=r"nobody here vouches for.*mkdir"):
        load(tmp_path / "evil.skops")
    assert not mark.exists()


def test_a_damaged_skops_file_is_refused(tmp_path):
    zipped(tmp_path / "odd.skops", {"schema.json": b'{"__class__": "dict"}'})
    with pytest.raises(UnsafeFileError, match="cannot be read by skops"):
        load(tmp_path / "odd.skops")
    zipped(tmp_path / "bomb.skops", {"schema.json": bytes(50 * 2**20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeFileError, match="unpacks to far more"):
        load(tmp_path / "bomb.skops")


def test_paths_that_are_no_files_are_refused(tmp_path):
    refused(tmp_path / "nothing.pt", "there is none at", InputError)
    refused(tmp_path, "is a folder", InputError)
    refused("weights\x00.pt", "cannot be opened", InputError)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    refused(tmp_path / "circle", "a circle of links", InputError)
    os.mkfifo(tmp_path / "pipe.safetensors")
    refused(tmp_path / "pipe.safetensors", "a device or a pipe")
    refused("/dev/zero", "a device or a pipe")


def test_a_link_to_a_file_is_followed(tmp_path):
    torch.save(net().state_dict(), tmp_path / "blob")
    (tmp_path / "weights.pt").symlink_to(tmp_path / "blob")
    assert load(tmp_path / "weights.pt", architecture=net).outputs == ("y0", "y1")


def test_a_file_over_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "LIMIT_BYTES", 100)
    torch.save(net().state_dict(), tmp_path / "weights.pt")
    refused(tmp_path / "weights.pt", "more than the 100 that are read")


def test_names_from_a_file_reach_messages_without_their_tricks(tmp_path):
    state = {"we\u202eight\n<b>": torch.ones(2, 3), "bias": torch.ones(2)}
    torch.save(state, tmp_path / "odd.pt")
    with pytest.raises(InputError) as caught:
        load(tmp_path / "odd.pt", architecture=net)
    assert "\u202e" not in str(caught.value)
    assert "\n" not in str(caught.value)
