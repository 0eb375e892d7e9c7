"""A file is read through one descriptor: what is changed meanwhile is seen, or does not matter."""

import hashlib
import os

import pytest
import torch
from torch import nn

from workbench.errors import InputError, UnsafeFileError
from workbench.models import load
from workbench.models.intake import reading as intake


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


@pytest.fixture
def weights(tmp_path):
    torch.save(net().state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def meanwhile(monkeypatch, do) -> None:
    """Lets something happen after the first bytes were looked at and before the rest is read."""
    real = intake.sniffed
    happened = []

    def looked(stream, size):
        found = real(stream, size)
        if not happened:
            happened.append(do())
        return found

    monkeypatch.setattr(intake, "sniffed", looked)


@pytest.mark.parametrize("more", [b"x", b"x" * 100_000])
def test_a_file_that_grows_while_it_is_read_is_refused(weights, monkeypatch, more):
    def grow():
        with open(weights, "ab") as stream:
            stream.write(more)

    meanwhile(monkeypatch, grow)
    with pytest.raises(InputError, match="changed while it was read"):
        load(weights, architecture=net)


def test_a_file_that_is_cut_while_it_is_read_is_refused(weights, monkeypatch):
    meanwhile(monkeypatch, lambda: os.truncate(weights, 100))
    with pytest.raises(InputError, match="changed while it was read"):
        load(weights, architecture=net)


def test_a_file_whose_bytes_are_exchanged_in_place_is_refused(weights, monkeypatch):
    size = weights.stat().st_size

    def exchange():
        weights.write_bytes(bytes(size))
        os.utime(weights, ns=(1, 1))

    meanwhile(monkeypatch, exchange)
    with pytest.raises(InputError, match="changed while it was read"):
        load(weights, architecture=net)


def test_another_file_put_in_its_place_does_not_matter(weights, monkeypatch, tmp_path):
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (tmp_path / "other").write_bytes(b"something else")
    meanwhile(monkeypatch, lambda: os.replace(tmp_path / "other", weights))
    assert load(weights, architecture=net).file.sha256 == digest


def test_a_pipe_put_in_its_place_after_the_first_look_is_not_waited_for(weights, monkeypatch):
    real = os.stat

    def looked(path, *args, **more):
        found = real(path, *args, **more)
        if path == weights:
            monkeypatch.setattr(os, "stat", real)
            os.remove(weights)
            os.mkfifo(weights)
        return found

    monkeypatch.setattr(os, "stat", looked)
    with pytest.raises(UnsafeFileError, match="a device or a pipe"):
        load(weights, architecture=net)


def test_a_file_is_opened_once_and_its_descriptor_is_closed(weights, monkeypatch):
    opened, real = [], os.open

    def counted(path, flags, *args, **more):
        descriptor = real(path, flags, *args, **more)
        if path == weights:
            opened.append((descriptor, flags))
        return descriptor

    monkeypatch.setattr(os, "open", counted)
    load(weights, architecture=net)
    ((descriptor, flags),) = opened
    assert flags & os.O_NONBLOCK
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    weights.write_bytes(b"PK\x03\x04")
    with pytest.raises(UnsafeFileError):
        load(weights, architecture=net)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[-1][0])


def test_a_device_is_not_even_opened(monkeypatch):
    monkeypatch.setattr(os, "open", lambda *args: pytest.fail("opened"))
    with pytest.raises(UnsafeFileError, match="a device or a pipe"):
        load("/dev/zero", architecture=net)


def test_a_large_false_file_is_refused_before_it_is_read_whole(weights, monkeypatch):
    seen = []
    real = intake.hashlib.sha256
    monkeypatch.setattr(
        intake.hashlib,
        "sha256",
        lambda *data: seen.append(len(*data) if data else 0) or real(*data),
    )
    monkeypatch.setattr(intake, "GLANCED_BYTES", 100)
    torch.save(net(), weights)
    with pytest.raises(UnsafeFileError, match="needs code"):
        load(weights, architecture=net)
    assert seen == []
    torch.save(net().state_dict(), weights)
    load(weights, architecture=net)
    assert seen[0] == weights.stat().st_size
