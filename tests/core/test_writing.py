"""A file is written whole or not at all; where it cannot be, one sentence says so and the old one stays."""

import errno
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
import torch

import workbench as wb
from tests.results_by_hand import table_result
from workbench import cli
from workbench.core import write_whole
from workbench.errors import InputError
from workbench.models import save
from workbench.report import report
from workbench.variants import save_copy


def network():
    torch.manual_seed(0)
    return wb.wrap(
        torch.nn.Linear(2, 2), name="net", kind="tabular", shape=(2,), outputs=["a", "b"]
    )


WRITERS = {
    "a file": (lambda path: write_whole(path, b"new", "A test"), "old.txt"),
    "save": (lambda path: save(network(), path), "old.safetensors"),
    "save_copy": (lambda path: save_copy(network(), path), "old.pt"),
    "report": (lambda path: report([table_result()], title="t", path=path), "old.html"),
}
every_writer = pytest.mark.parametrize(("write", "name"), WRITERS.values(), ids=WRITERS)
SENTENCE = "needs a (file|folder) that can be written, but .* (Name|or give)"


def refusing(monkeypatch, name: str, number: int) -> None:
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, refuse)


@every_writer
@pytest.mark.parametrize(
    ("call", "number"),
    [("open", errno.EACCES), ("fsync", errno.ENOSPC), ("replace", errno.EROFS)],
    ids=["a folder that is protected", "a disk that is full", "a disk that is read only"],
)
def test_what_the_system_refuses_is_one_sentence_and_the_old_file_stays(
    write, name, call, number, tmp_path, monkeypatch
):
    path = tmp_path / name
    path.write_bytes(b"old")
    real_open = os.open
    with monkeypatch.context() as patch:
        refusing(patch, call, number)
        if call == "open":  # of what is written; a model may read what it likes
            refused = os.open

            def open_(file, flags, *rest, **more):
                return (refused if flags & os.O_CREAT else real_open)(file, flags, *rest, **more)

            patch.setattr(os, "open", open_)
        with pytest.raises(InputError, match=SENTENCE) as caught:
            write(path)
    assert os.strerror(number) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [name]


@every_writer
def test_a_place_that_is_none_is_one_sentence_and_leaves_nothing(write, name, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    end = os.path.splitext(name)[1]
    (tmp_path / f"folder{end}").mkdir()
    os.mkfifo(tmp_path / f"pipe{end}")
    before = sorted(os.listdir(tmp_path))
    for place in (f"file/{name}", f"folder{end}", f"pipe{end}", "x" * 300 + end, f"\0{end}"):
        with pytest.raises(InputError, match=SENTENCE):
            write(tmp_path / place)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_folder_that_is_missing_is_made_for_a_report_and_asked_for_by_the_others(tmp_path):
    for name in ("save", "save_copy", "a file"):
        write, file = WRITERS[name]
        with pytest.raises(InputError, match="No such file or directory"):
            write(tmp_path / "missing" / file)
    assert os.listdir(tmp_path) == []
    WRITERS["report"][0](tmp_path / "missing" / "page.html")
    assert os.listdir(tmp_path / "missing") == ["page.html"]


def test_a_file_larger_than_the_process_may_write_leaves_the_old_one(tmp_path):
    code = (
        "import resource, sys; from workbench.core import write_whole\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_whole(sys.argv[1], bytes(2000), 'A test')\n"
        "except ValueError as error: print(error)"
    )
    path = tmp_path / "old.txt"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert "A test needs a file that can be written" in done.stdout
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old.txt"]


def test_a_link_stays_a_link_and_rights_stay_those_of_the_file(tmp_path):
    path, link, new = tmp_path / "file.txt", tmp_path / "link.txt", tmp_path / "new.txt"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to("file.txt")
    write_whole(link, "é", "A test")
    assert os.readlink(link) == "file.txt"
    assert path.read_bytes() == "é".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        write_whole(new, b"new", "A test")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_the_longest_name_that_the_system_takes_is_taken(tmp_path):
    name = "x" * os.pathconf(tmp_path, "PC_NAME_MAX")
    write_whole(tmp_path / name, b"new", "A test")
    assert os.listdir(tmp_path) == [name]


def test_an_interrupt_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    path = tmp_path / "old.txt"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new", "A test")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["old.txt"]


def test_the_demo_refuses_a_place_before_it_explains_anything(tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"old")
    assert cli.main(["demo", "--out", str(tmp_path / "file")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("workbench: --out needs a folder that can be written")


def test_what_was_saved_is_what_was_asked_for(tmp_path):
    model = network()
    save(model, tmp_path / "m.safetensors")
    same = wb.load(tmp_path / "m.safetensors", architecture=lambda: torch.nn.Linear(2, 2))
    rows = np.array([[1.0, 2.0]])
    assert (same.scores(rows) == model.scores(rows)).all()
