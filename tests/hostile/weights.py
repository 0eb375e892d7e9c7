"""Safetensors and torch files that lie about their members, names, shapes or sizes."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import safetensors.torch
import torch

from tests.hostile.cases import Payload, case, written
from tests.hostile.seeds import network, seed


def _header(folder, header: str, body: bytes = b""):
    text = header.encode()
    return written(folder, "w.safetensors", struct.pack("<Q", len(text)) + text + body)


def _tensors(name: str, ends: str, entries: dict, body: int) -> None:
    @case(f"safetensors: {name}", ends, weights=True)
    def _(folder, mark):
        return _header(folder, json.dumps(entries), bytes(body))


def _entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


_tensors("bytes that are not there", "its tensors end at", {"a": _entry([100], 0, 400)}, 4)
_tensors("bytes too many", "its tensors end at", {"a": _entry([1], 0, 4)}, 99)
_tensors(
    "two tensors in one place", "overlap", {"a": _entry([2], 0, 8), "b": _entry([2], 4, 12)}, 12
)
_tensors("a hole", "leave a hole", {"a": _entry([1], 0, 4), "b": _entry([1], 8, 12)}, 12)
_tensors("a shape that overflows", "claims", {"a": _entry([2**40, 2**40], 0, 4)}, 4)
_tensors("a shape beyond 64 bits", "has the shape", {"a": _entry([2**70], 0, 4)}, 4)
_tensors("a negative length", "has the shape", {"a": _entry([-1], 0, 4)}, 4)
_tensors("lengths that are words", "has the shape", {"a": _entry(["1"], 0, 4)}, 4)
_tensors("a place behind its end", "lies at", {"a": _entry([1], 8, 4)}, 8)
_tensors("a precision nobody knows", "unknown precision", {"a": _entry([1], 0, 4, "F31")}, 4)
_tensors("sixty dimensions", "has the shape", {"a": _entry([1] * 60, 0, 4)}, 4)
_tensors(
    "more words than an entry has", "is not a precision", {"a": _entry([1], 0, 4) | {"x": 1}}, 4
)
_tensors("metadata that is no text", "metadata is not text", {"__metadata__": {"a": {"b": 1}}}, 0)
_tensors("a name of a megabyte", "a name has", {"x" * 2**20: _entry([1], 0, 4)}, 4)
_tensors(
    "names that are markup", "must fit the architecture", {"<img onerror=x>": _entry([1], 0, 4)}, 4
)
_tensors("no tensor at all", "must fit the architecture", {}, 0)


@case("safetensors: one name twice", "names an entry twice", weights=True)
def _(folder, mark):
    one = '"a":' + json.dumps(_entry([1], 0, 4))
    return _header(folder, "{" + one + "," + one + "}", bytes(4))


@case("safetensors: a shape twice in one entry", "names an entry twice", weights=True)
def _(folder, mark):
    entry = '{"dtype":"F32","shape":[1],"shape":[9],"data_offsets":[0,4]}'
    return _header(folder, '{"a":' + entry + "}", bytes(4))


@case("safetensors: a header of endless brackets", "is damaged", weights=True)
def _(folder, mark):
    return _header(folder, '{"a":' + "[" * 200_000)


@case("safetensors: 300 000 tensors", "lists .* tensors", weights=True)
def _(folder, mark):
    entry = json.dumps(_entry([0], 0, 0))
    return _header(folder, "{" + ",".join(f'"{n}":{entry}' for n in range(300_000)) + "}")


@case("safetensors: a header of 30 megabytes", "has a header of", weights=True)
def _(folder, mark):
    return _header(folder, '{"__metadata__":{"a":"' + "x" * (30 * 2**20) + '"}}')


@case("safetensors: a header longer than the file", "of no known format", weights=True)
def _(folder, mark):
    return written(folder, "w.safetensors", struct.pack("<Q", 2**62) + b"{}" + bytes(50))


@case("safetensors: weights that are no numbers", "must be finite", weights=True)
def _(folder, mark):
    state = network().state_dict()
    state["0.weight"][0, 0] = float("nan")
    safetensors.torch.save_file(state, folder / "w.safetensors")
    return folder / "w.safetensors"


@case("safetensors: words about itself that are code", "cannot be used", weights=True)
def _(folder, mark):
    words = {"outputs": "__import__('os').mkdir('x')"}
    safetensors.torch.save_file(network().state_dict(), folder / "w.safetensors", metadata=words)
    return folder / "w.safetensors"


@case("safetensors: outputs that are markup, which are only names", "", weights=True)
def _(folder, mark):
    words = {"outputs": '["<script>alert(1)</script>", "\\u202eb"]', "scale": "logit"}
    safetensors.torch.save_file(network().state_dict(), folder / "w.safetensors", metadata=words)
    return folder / "w.safetensors"


def _saved(name: str, ends: str):
    """A case whose function gives what torch.save is to write."""

    def entered(make):
        @case(f"torch: {name}", ends, weights=True)
        def _(folder, mark):
            torch.save(make(mark), folder / "w.pt")
            return folder / "w.pt"

    return entered


@_saved("a payload among the weights", "needs code")
def _(mark):
    return {"a": torch.ones(2), "b": Payload(mark)}


@_saved("a payload as an attribute of the dictionary", "needs code")
def _(mark):
    state = OrderedDict(a=torch.ones(2))
    state._metadata = Payload(mark)
    return state


@_saved("a tensor that reads one number again and again", "claims a shape")
def _(mark):
    return {"a": torch.zeros(1).expand(100_000, 100_000)}


@_saved("a checkpoint without weights", "A state dict .* is needed")
def _(mark):
    return {"epoch": 3}


@_saved("a tuple of tuples of tuples", "A state dict .* is needed|pickle opcode")
def _(mark):
    nested: tuple = (1.5,)
    for _ in range(80):
        nested = (nested, nested)  # 2 ** 80 numbers for whoever counts them one by one
    return nested


def _members() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(seed("torch zip"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(folder, members: dict[str, bytes], packed: int = zipfile.ZIP_STORED):
    with zipfile.ZipFile(folder / "w.pt", "w", packed) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return folder / "w.pt"


def _with_pickle(
    name: str, ends: str, content: bytes, more: dict[str, bytes] | None = None
) -> None:
    @case(f"torch: {name}", ends, weights=True)
    def _(folder, mark):
        return _zipped(folder, {"m/data.pkl": content, "m/version": b"3\n"} | (more or {}))


def _tensor(storage: str, shape: str, strides: str, offset: str = "K\x00") -> bytes:
    """A pickle of {"a": a tensor}, from the opcodes of its parts."""
    key = f"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu{storage}t"
    text = f"\x80\x02}}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n({key}Q{offset}{shape}{strides}"
    return (text + "\x89}tRs.").encode("latin-1")


_STORED = {"m/data/0": bytes(8)}
_with_pickle(
    "more bytes claimed than stored",
    "claims .* bytes",
    _tensor("J\0\0\0\x10", "K\2\x85", "K\1\x85"),
    _STORED,
)
_with_pickle(
    "a shape larger than its storage",
    "claims a shape",
    _tensor("K\2", "K\3\x85", "K\1\x85"),
    _STORED,
)
_with_pickle(
    "a place behind the end",
    "claims a shape",
    _tensor("K\2", "K\1\x85", "K\1\x85", "K\x09"),
    _STORED,
)
_with_pickle(
    "a negative stride",
    "without numbers",
    _tensor("K\2", "K\2\x85", "J\xff\xff\xff\xff\x85"),
    _STORED,
)
_with_pickle("an unknown storage", "claims .* bytes", _tensor("K\2", "K\2\x85", "K\1\x85"))
_with_pickle("a pickle that ends too early", "is damaged", b"\x80\x02}(X\x01")
_with_pickle("a pickle of stops", "is damaged", b"\x80\x02...")
_with_pickle("a number of gigabytes", "is damaged", b"\x80\x02\x8b\xff\xff\xff\x7f1.")
_with_pickle(
    "a name hidden in text", "opcode STACK_GLOBAL", b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93."
)
_with_pickle("an old instance", "opcode INST", b"\x80\x02(X\x01\x00\x00\x00aios\nmkdir\n.")
_with_pickle("a number in a register of names", "opcode EXT1", b"\x80\x02\x82\x01.")
_with_pickle(
    "two hundred thousand tuples in each other",
    "is needed|damaged",
    b"\x80\x02K\x01" + b"\x85" * 200_000 + b".",
)
_with_pickle("five megabytes of marks", "opcode MARK", b"\x80\x02" + b"(" * 4_800_000 + b".")
_with_pickle("a long number", "opcode LONG4", b"\x80\x02\x8b\0\x09\x3d\0" + bytes(4_000_000) + b".")
_with_pickle(
    "a call of a call", "something that has no name", b"\x80\x02ccollections\nOrderedDict\n)R)R."
)


@case("torch: a bomb of zeros", "compressed or encrypted", weights=True)
def _(folder, mark):
    return _zipped(folder, _members() | {"archive/data/99": bytes(2**26)}, zipfile.ZIP_DEFLATED)


@case("torch: two data.pkl", "exactly one data.pkl", weights=True)
def _(folder, mark):
    other = {"other/data.pkl": pickle.dumps(Payload(mark), protocol=2)}
    return _zipped(folder, _members() | other)


@case("torch: a member that leads out of the archive", "leads out of the archive", weights=True)
def _(folder, mark):
    return _zipped(folder, _members() | {"../../outside": b"x"})


@case("torch: a member under two names", "describes the member .* in two ways", weights=True)
def _(folder, mark):
    data = seed("torch zip")
    at = data.index(b"data.pkl")
    return written(folder, "w.pt", data[:at] + b"DATA.PKL" + data[at + 8 :])


@case("torch: members in one place", "in two ways|overlap", weights=True)
def _(folder, mark):
    data = bytearray(seed("torch zip"))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        first, second = archive.infolist()[4:6]
    entry = data.rindex(second.orig_filename.encode()) - 46
    data[entry + 42 : entry + 46] = struct.pack("<I", first.header_offset)
    return written(folder, "w.pt", bytes(data))


@case("torch: an encrypted member", "compressed or encrypted", weights=True)
def _(folder, mark):
    data = bytearray(seed("torch zip"))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 8] |= 1
    return written(folder, "w.pt", bytes(data))


@case("torch: the first half", "damaged zip", weights=True)
def _(folder, mark):
    return written(folder, "w.pt", seed("torch zip")[: len(seed("torch zip")) // 2])


@case("torch: words after the last member", "text after its last member", weights=True)
def _(folder, mark):
    path = _zipped(folder, _members())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"and so on"
    return path


@case("torch: a second directory behind the first", "a zip archive of no known kind", weights=True)
def _(folder, mark):
    path = _zipped(folder, _members())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK\x05\x06" + bytes(18)
    return path


@case("torch: weights called safetensors", "its content is torch zip", weights=True)
def _(folder, mark):
    return written(folder, "w.safetensors", seed("torch zip"))


@case("torch: weights that are infinite", "must be finite", weights=True)
def _(folder, mark):
    state = network().state_dict()
    state["3.bias"][0] = float(np.inf)
    torch.save(state, folder / "w.pt")
    return folder / "w.pt"
