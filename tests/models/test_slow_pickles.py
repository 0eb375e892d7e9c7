"""A pickle of weights is followed in steps of one size each, and in no more of them than weights need."""

import io
import pickletools
import zipfile

import numpy as np
import pytest
import torch

from workbench.errors import UnsafeFileError
from workbench.models import load
from workbench.models.intake.pickle_reading import (
    DEPTH,
    LONGEST,
    STEPS,
    STEPS_PER_TENSOR,
    NotPlainError,
    described,
)

PUSH = b"X\x01\x00\x00\x00a"
MANY = b"(" + b"N" * (LONGEST + 1)


@pytest.fixture
def steps(monkeypatch):
    """How many opcodes were looked at."""
    seen = []

    def counted(content):
        for one in opcodes(content):
            seen.append(one[0].name)
            yield one

    opcodes = pickletools.genops
    monkeypatch.setattr(pickletools, "genops", counted)
    return seen


def archive(path, pickle: bytes, **members: bytes):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m/data.pkl", pickle)
        for name, content in members.items():
            file.writestr(f"m/data/{name}", content)
    return path


def refused(path, match: str) -> None:
    with pytest.raises(UnsafeFileError, match=match):
        load(path, architecture=lambda: torch.nn.Linear(1, 2))


def test_five_megabytes_of_marks_are_refused_after_a_hundred_steps(tmp_path, steps):
    path = archive(tmp_path / "marks.pt", b"\x80\x02" + b"(" * 4_800_000 + b".")
    refused(path, rf"opcode MARK inside {DEPTH} others")
    assert len(steps) <= DEPTH + 2


@pytest.mark.parametrize(
    "flood",
    [
        b"N",
        b"K\x01",
        b"q\x00",
        b"h\x00",
        b"r\x00\x00\x00\x00",
        b"}",
        b")\x85",
        b"(t",
        b"G" + bytes(8),
        b"ctorch\nSize\n",
    ],
    ids=["none", "int", "put", "get", "long put", "dict", "nested tuple", "tuple", "float", "name"],
)
def test_a_flood_of_any_step_ends_at_the_count_that_no_tensors_need(tmp_path, steps, flood):
    path = archive(tmp_path / "flood.pt", b"\x80\x02Nq\x00" + flood * (STEPS + 1_000) + b".")
    refused(path, rf"opcode [A-Z0-9_]+ after {STEPS:,} others")
    assert len(steps) == STEPS + 1


def test_more_steps_are_followed_only_for_tensors_that_are_stored(steps):
    content = b"\x80\x02](" + b"N" * STEPS + b"e."
    with pytest.raises(NotPlainError, match="after 500,000 others"):
        described(content)
    assert len(described(content, tensors=1).whole) == STEPS
    assert len(steps) == STEPS + 1 + STEPS + 5


def test_torch_takes_fewer_steps_for_a_tensor_than_are_followed():
    net = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(20)))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    checkpoint = {"state_dict": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 2}
    for content in (net.state_dict(), checkpoint):
        stream = io.BytesIO()
        torch.save(content, stream)
        with zipfile.ZipFile(stream) as file:
            names = file.namelist()
            (place,) = (name for name in names if name.endswith("data.pkl"))
            taken = sum(1 for _ in pickletools.genops(file.read(place)))
        tensors = sum("/data/" in name for name in names)
        assert taken < STEPS_PER_TENSOR * tensors


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x8b\x00\x09\x3d\x00" + b"\x01" * 4_000_000, "LONG4"),
        (b"\x8a\x0a" + b"\x01" * 10, "LONG1 with a number of more than 64 bits"),
        (b"}X\x00\x04\x10\x00" + b"a" * (2**20 + 1024) + b"Ns", "a key that is too long"),
        (b"}\x8a\x06" + b"\x01" * 6 + b"Ns", "a key that is too large"),
        (b"}G" + bytes(8) + b"Ns", "a key of type float"),
        (b"\x8f", "EMPTY_SET"),
        (b"C\x01a", "SHORT_BINBYTES"),
        (b"ccollections\nOrderedDict\n" + MANY + b"tR", "REDUCE with more than 1,024 values"),
        (b"ccollections\nOrderedDict\n]" + MANY + b"e\x85R", "REDUCE with more than 1,024 values"),
        (b"ccollections\nOrderedDict\n)R" + b"K\x01b", "BUILD of something other than a table"),
        (b"ctorch\nSize\n)R}b", "BUILD of something other than a table"),
        (
            b"ccollections\nOrderedDict\n)R}("
            + b"".join(b"J" + n.to_bytes(4, "little") + b"N" for n in range(LONGEST + 1))
            + b"ub",
            "BUILD with more than 1,024 values",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_step_that_could_be_made_to_take_long_is_refused_by_name(tmp_path, content, words):
    refused(archive(tmp_path / "odd.pt", b"\x80\x02" + content + b"."), words)


def tensor(shape: bytes, strides: bytes) -> bytes:
    key = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + key + b"K\x00" + shape + strides + b"\x89}tR"


def test_a_tensor_that_is_thrown_away_again_is_checked_like_one_that_is_kept(tmp_path):
    good, bad = tensor(b"K\x02\x85", b"K\x01\x85"), tensor(b"K\x63\x85", b"K\x01\x85")
    content = b"\x80\x02}" + PUSH + bad + b"s" + PUSH + good + b"s."
    refused(archive(tmp_path / "over.pt", content, **{"0": bytes(8)}), r"claims a shape of \(99,\)")


def test_a_shape_has_no_more_lengths_than_arrays_know(tmp_path):
    lengths = b"(" + b"K\x01" * 65 + b"t"
    content = b"\x80\x02}" + PUSH + tensor(lengths, lengths) + b"s."
    refused(archive(tmp_path / "deep.pt", content, **{"0": bytes(8)}), "without numbers, a shape")


def test_many_tensors_of_one_storage_load(tmp_path):
    whole = torch.arange(600.0)
    state = {f"w{n}": whole[2 * n : 2 * n + 2] for n in range(300)}
    torch.save(state, tmp_path / "views.pt")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name in state:
                setattr(self, name, torch.nn.Parameter(torch.zeros(2)))

        def forward(self, rows):
            return rows @ torch.stack([self.w0, self.w299])

    model = load(tmp_path / "views.pt", architecture=Net, kind="tabular", shape=(2,))
    # Rows of the matrix: (0, 1) and (598, 599).
    assert model.scores(np.ones((1, 2))).tolist() == [[598.0, 600.0]]
