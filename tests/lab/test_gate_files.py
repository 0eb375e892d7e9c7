"""Where a gate writes and what it prints: no file of anybody else is touched, and no stream decides."""

import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from workbench import cli
from workbench.lab import apart
from workbench.lab.apart import Outcome
from workbench.lab.junit import failed_junit
from workbench.printable import spelled

GROUND = Path(__file__).resolve().parents[2]
PASSED = Outcome(True, "allowed ≤ 2 %\nmodèle → 中", "<testsuites>passed</testsuites>")
BROKEN = Outcome(False, "broken", "<testsuites>broken</testsuites>")
STUDY = """
[reference]
file = "model.onnx"
[[candidates]]
factory = "mine.models:copy"
[rows]
csv = "rows.csv"
background = "empty.csv"
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study with its files, in the current directory; its outcome is `PASSED`."""
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(STUDY, encoding="utf-8")
    Path("model.onnx").write_bytes(b"\x08\x01 weights")
    Path("rows.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    Path("empty.csv").touch()
    Path("mine").mkdir()
    Path("mine/__init__.py").touch()
    Path("mine/models.py").write_text("def copy(): ...\n", encoding="utf-8")
    ran = []
    monkeypatch.setattr(apart, "run_apart", lambda path, show: ran.append(path) or PASSED)
    return ran


def everything() -> dict[str, bytes]:
    files = (path for path in Path().rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "place",
    [
        "study.toml",
        "./mine/../study.toml",
        "link",
        "hard",
        "model.onnx",
        "rows.csv",
        "empty.csv",
        "mine/models.py",
        "mine/__init__.py",
        "to be.csv",
        "notes.txt",
    ],
)
def test_a_report_is_never_written_over_the_study_what_it_reads_or_anything_else(
    place, study, capsys
):
    os.symlink("study.toml", "link")
    os.link("model.onnx", "hard")
    Path("notes.txt").write_text("<!-- mine --> <notes/>", encoding="utf-8")
    Path("study.toml").write_text(STUDY.replace("empty.csv", "to be.csv"), encoding="utf-8") if (
        place == "to be.csv"
    ) else None
    before = everything()
    assert cli.main(["check", "study.toml", "--junit", place]) == 2
    assert capsys.readouterr().err.startswith("workbench: --junit ")
    assert everything() == before
    assert study == []


@pytest.mark.parametrize("place", ["folder", "pipe", "/dev/zero", "study.toml/x.xml", "x" * 300])
def test_a_place_that_is_no_file_is_refused_before_the_study_runs(place, study, capsys):
    os.mkdir("folder")
    os.mkfifo("pipe")
    before = everything()
    assert cli.main(["check", "study.toml", "--junit", place]) == 2
    assert "--junit needs a file that can be written, but" in capsys.readouterr().err
    assert everything() == before
    assert study == []


@pytest.mark.parametrize(
    "held", ["", failed_junit("x"), "\ufeff<!-- ours -->\n<testsuite name='a'/>", "<testsuites/>"]
)
def test_an_earlier_report_and_an_empty_file_are_replaced(held, study):
    Path("report.xml").write_text(held, encoding="utf-8")
    assert cli.main(["check", "study.toml", "--junit", "report.xml"]) == 0
    assert Path("report.xml").read_text(encoding="utf-8") == PASSED.junit


@pytest.mark.parametrize(
    "name", ["/dev/zero", "pipe", "folder", "socket", "nothing.toml", "x.toml"]
)
def test_a_study_that_cannot_be_read_ends_at_once_and_is_no_earlier_pass(name, study, capsys):
    os.mkdir("folder")
    os.mkfifo("pipe")
    os.mknod("socket", 0o140600)
    Path("x.toml").write_text("= 1", encoding="utf-8")
    Path("report.xml").write_text("<testsuites/>", encoding="utf-8")
    assert cli.main(["check", name, "--junit", "report.xml"]) == 2
    assert capsys.readouterr().err.startswith("workbench: ")
    (suite,) = ElementTree.parse("report.xml").getroot()
    assert suite.get("errors") == "1"
    assert study == []


def test_a_study_that_is_not_there_is_not_made_by_its_own_report(study):
    assert cli.main(["check", "new.toml", "--junit", "./mine/../new.toml"]) == 2
    assert not Path("new.toml").exists()


@pytest.mark.parametrize("outcome", [PASSED, BROKEN])
@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("utf-8", "modèle → 中"),
        ("cp1252", "modèle -> \\u4e2d"),
        ("latin-1", "modèle -> \\u4e2d"),
        ("ascii", "mod\\xe8le -> \\u4e2d"),
    ],
)
def test_what_an_encoding_lacks_is_spelled_out_and_decides_nothing(
    outcome, encoding, line, study, monkeypatch
):
    monkeypatch.setattr(apart, "run_apart", lambda path, show: outcome)
    told = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", told)
    status = cli.main(["check", "study.toml", "--junit", "report.xml"])
    assert status == (0 if outcome.held else 1)
    assert Path("report.xml").read_text(encoding="utf-8") == outcome.junit
    if outcome.held:
        allowed = "allowed ≤ 2 %" if encoding == "utf-8" else "allowed <= 2 %"
        assert told.buffer.getvalue().decode(encoding).splitlines() == [allowed, line]


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


def test_a_stream_that_takes_nothing_decides_nothing_and_the_report_is_there_first(
    study, monkeypatch, capsys
):
    seen = []

    class Watching(Full):
        def write(self, text):
            seen.append(Path("report.xml").read_text(encoding="utf-8"))
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Watching())
    assert cli.main(["check", "study.toml", "--junit", "report.xml"]) == 0
    assert seen[0] == PASSED.junit
    assert "could not be printed" in capsys.readouterr().err
    for stream in (None, Full()):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        assert cli.main(["check", "study.toml"]) == 0
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert cli.main(["check", "study.toml"]) == 0


@pytest.mark.parametrize(("held", "status"), [(True, 0), (False, 1)])
def test_the_status_is_the_outcomes_with_a_full_disk_and_without_a_reader(held, status, tmp_path):
    (tmp_path / "study.toml").write_text("", encoding="utf-8")
    code = (
        "import sys, workbench.lab.apart as apart; from workbench.cli import main\n"
        f"outcome = apart.Outcome({held}, '≤', '<testsuites/>')\n"
        "apart.run_apart = lambda *_: outcome\n"
        "sys.exit(main(['check', sys.argv[1]]))"
    )
    read, write = os.pipe()
    os.close(read)
    with open("/dev/full", "wb") as full, open(write, "wb") as unread:
        ends = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(tmp_path / "study.toml")],
                stdout=stream,
                stderr=stream,
                cwd=GROUND,
                env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
            )
            for stream in (full, unread)
        ]
        assert [one.wait(60) for one in ends] == [status, status]


def test_a_report_that_cannot_be_written_at_the_end_is_no_pass(study, monkeypatch, capsys):
    def run(path, show):
        os.remove("report.xml")
        os.mkdir("report.xml")
        return PASSED

    monkeypatch.setattr(apart, "run_apart", run)
    assert cli.main(["check", "study.toml", "--junit", "report.xml"]) == 2
    out, err = capsys.readouterr()
    assert "allowed ≤ 2 %" in out
    assert "is a folder" in err


def test_signs_are_spelled_out_only_where_they_must_be():
    assert spelled("≤ ≥ − …", "ascii") == "<= >= - ..."
    assert spelled("≤ ≥ − …", "cp1252") == "<= >= - …"
    assert spelled("≤", None) == "≤"
