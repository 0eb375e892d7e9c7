"""Paths that are no files, or not the files they seem to be."""

from __future__ import annotations

import os
import socket

from tests.hostile.cases import case, written
from tests.hostile.seeds import seed


@case("a path to nothing", "there is none at")
def _(folder, mark):
    return folder / "nothing.safetensors"


@case("a folder of Hugging Face", r"is a folder.*never by its config\.json")
def _(folder, mark):
    (folder / "model").mkdir()
    written(folder / "model", "config.json", b'{"auto_map": {"AutoModel": "evil.Model"}}')
    return folder / "model"


@case("a pipe that nobody writes to", "a device or a pipe")
def _(folder, mark):
    os.mkfifo(folder / "pipe.safetensors")
    return folder / "pipe.safetensors"


@case("a socket", "a device or a pipe")
def _(folder, mark):
    at = os.getcwd()
    os.chdir(folder)  # the name of a socket may have a hundred characters
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("s.pt")
    finally:
        os.chdir(at)
    return folder / "s.pt"


@case("an endless device", "a device or a pipe")
def _(folder, mark):
    return "/dev/zero"


@case("a link to an endless device", "a device or a pipe")
def _(folder, mark):
    (folder / "weights.pt").symlink_to("/dev/zero")
    return folder / "weights.pt"


@case("a circle of links", "a circle of links")
def _(folder, mark):
    (folder / "a.pt").symlink_to(folder / "b.pt")
    (folder / "b.pt").symlink_to(folder / "a.pt")
    return folder / "a.pt"


@case("the memory of this process", "cannot be read|of no known format|empty file")
def _(folder, mark):
    return "/proc/self/mem"


@case("a name with a zero", "cannot be opened")
def _(folder, mark):
    return "weights\0.pt"


@case("a name of ten thousand letters", "cannot be opened")
def _(folder, mark):
    return folder / ("x" * 10_000 + ".pt")


@case("five gigabytes of nothing", "more than the .* that are read")
def _(folder, mark):
    path = written(folder, "weights.safetensors", seed("safetensors"))
    os.truncate(path, 5 * 2**30)  # a hole, which takes no space on disk
    return path


@case("two gigabytes behind a small true header", "its tensors end at byte", weights=True)
def _(folder, mark):
    path = written(folder, "weights.safetensors", seed("safetensors"))
    os.truncate(path, 2 * 2**30)
    return path


@case("two gigabytes behind a damaged zip", "damaged zip")
def _(folder, mark):
    path = written(folder, "weights.pt", b"PK\x03\x04")
    os.truncate(path, 2 * 2**30)
    return path


@case("an empty file", "an empty file")
def _(folder, mark):
    return written(folder, "weights.pt", b"")


@case("a link to weights", "", weights=True)
def _(folder, mark):
    written(folder, "blob", seed("safetensors"))
    (folder / "weights.safetensors").symlink_to(folder / "blob")
    return folder / "weights.safetensors"


@case("a second name of the same file", "", weights=True)
def _(folder, mark):
    path = written(folder, "blob", seed("torch zip"))
    os.link(path, folder / "weights.pt")
    return folder / "weights.pt"


@case("a way up and down again", "", weights=True)
def _(folder, mark):
    written(folder, "weights.pt", seed("torch zip"))
    (folder / "inner").mkdir()
    return folder / "inner" / ".." / "weights.pt"
