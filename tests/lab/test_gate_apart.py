"""The gate's own process: no end of a study's code passes for an outcome, and nothing is left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.lab.test_gate import STUDY, same
from workbench import cli
from workbench.core import Model
from workbench.lab import apart

GROUND = Path(__file__).resolve().parents[2]
PASSED = '<testsuites tests="1" failures="0" errors="0"></testsuites>'


def leaving_at_once():
    sys.stdout.write("The budget is kept: 2 of 2 checks held.\n")
    os._exit(0)


def crashing():
    ctypes.string_at(0)


def leaving_in_a_model():
    reference, _, rows = same()
    return reference, [Model("copy", lambda rows: sys.exit(0), ("y",), "raw")], rows


def falling():
    return falling()


def leaving_a_thread():
    threading.Thread(target=threading.Event().wait).start()
    return same()


def leaving_a_program():
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(os.environ["PLACE"]).write_text(str(program.pid))
    return same()


def waiting():
    Path(os.environ["PLACE"]).write_text(str(os.getpid()))
    time.sleep(600)


def talking():
    sys.stdout.write("≤ \N{CYRILLIC SMALL LETTER EM}\n")
    assert sys.stdin.read() == ""  # and not the pipe by which it knows that somebody waits
    assert os.getcwd() == os.environ["PLACE"]
    return same()


@pytest.fixture
def study(tmp_path):
    def write(factory):
        path = tmp_path / "study.toml"
        path.write_text(
            STUDY.format(factory=factory).replace("test_gate:", "test_gate_apart:"), "utf-8"
        )
        return str(path)

    return write


def gone(pid: int) -> bool:
    """Whether a process has ended, within ten seconds."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("leaving_at_once", "ended itself with 0 before there was an outcome"),
        ("crashing", "was ended by SIG"),
        ("leaving_in_a_model", "0"),
        ("falling", "RecursionError"),
    ],
)
def test_code_that_leaves_crashes_or_falls_ends_with_2_and_a_report_that_says_so(
    factory, words, study, tmp_path, capsys
):
    report = tmp_path / "report.xml"
    report.write_text(PASSED, encoding="utf-8")
    assert cli.main(["check", study(factory), "--junit", str(report)]) == 2
    out, err = capsys.readouterr()
    assert out == ""  # what the code prints goes to the other stream
    assert err != ""
    (suite,) = ElementTree.parse(report).getroot()
    assert suite.get("errors") == "1"
    assert words in suite[0][0].get("message")


def test_a_thread_that_never_ends_does_not_keep_the_outcome(study, monkeypatch, capsys):
    monkeypatch.setattr(apart, "GRACE", 0.1)
    assert cli.main(["check", study("leaving_a_thread")]) == 0
    assert "The budget is kept: 2 of 2 checks held." in capsys.readouterr().out


def test_what_a_study_started_ends_with_it(study, tmp_path, monkeypatch):
    place = tmp_path / "pid"
    monkeypatch.setenv("PLACE", str(place))
    assert cli.main(["check", study("leaving_a_program")]) == 0
    assert gone(int(place.read_text()))


def test_a_study_prints_whatever_it_likes_and_reads_nothing(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLACE", os.getcwd())
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert cli.main(["check", study("talking")]) == 0
    out, err = capsys.readouterr()
    assert err.splitlines()[0] == "≤ \N{CYRILLIC SMALL LETTER EM}"
    assert out.splitlines()[0] == "net against 1 copy, 60 rows"
    assert "tests.lab.test_gate_apart" not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_studys_process_ends_with_whoever_waits_for_it(number, study, tmp_path):
    place, report = tmp_path / "pid", tmp_path / "report.xml"
    # Where tests run in the background, interrupts are ignored, and whoever is started inherits that.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from workbench.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", code, "check", study("waiting"), "--junit", str(report)],
        env=os.environ | {"PLACE": str(place)},
        cwd=GROUND,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (place.exists() and place.read_text()):
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(number)
    _, err = started.communicate(timeout=60)
    assert gone(int(place.read_text()))
    (suite,) = ElementTree.parse(report).getroot()
    assert suite.get("errors") == "1"
    if number == signal.SIGINT:
        assert started.returncode == 130
        assert err == "workbench: stopped\n"
        assert suite[0][0].get("message") == "KeyboardInterrupt"
    else:
        assert suite[0][0].get("message") == "The study was not run to its end."


def test_a_studys_code_is_imported_in_its_process_alone(tmp_path, monkeypatch):
    (tmp_path / "only_there.py").write_text("def make():\n    return 7\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "study.toml"
    path.write_text('factory = "only_there:make"\n', encoding="utf-8")
    assert cli.main(["check", str(path)]) == 2
    assert "only_there" not in sys.modules


def test_a_process_that_cannot_be_started_is_one_sentence(study, monkeypatch, capsys):
    monkeypatch.setattr(sys, "executable", "/nothing/here")
    assert cli.main(["check", study("falling")]) == 2
    assert "a process of its own, but none can be started" in capsys.readouterr().err
