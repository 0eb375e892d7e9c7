"""A file is tried in a process of its own: what it may do there, and what comes back."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.hostile.seeds import X, seed
from workbench.core import Inputs
from workbench.errors import InputError, UnsafeFileError
from workbench.models import Normalize, Quarantine, load
from workbench.models.intake import quarantine
from workbench.models.intake.reading import File

GIVEN = {"name": None, "preprocess": None}


def a_file() -> File:
    return File(Path("model.json"), b"content", "XGBoost JSON", "00" * 32)


@pytest.fixture
def tried(monkeypatch):
    """Runs a few words of Python where the quarantine would read the file, and gives what comes of it."""

    def run(words: str, *, like=None, given=None, **limits):
        start = "import json, sys, os; sys.path.insert(0, json.loads(sys.argv[1])[0]); " + words
        monkeypatch.setattr(quarantine, "_START", start)
        monkeypatch.setattr(quarantine, "_passed", {})
        limits = Quarantine(**limits)
        return quarantine.try_first(a_file(), given or GIVEN, like, (), 7, limits)

    return run


def answering(what: str) -> str:
    return f"print(json.dumps({{'checks': [{what}], 'limits': 'none'}}))"


@pytest.mark.parametrize(
    ("words", "limits", "why"),
    [
        ("os.abort()", {}, "it crashed there .SIGABRT. in the library's own code"),
        ("os.kill(os.getpid(), 11)", {}, "it crashed there .SIGSEGV."),
        ("import time; time.sleep(60)", {"seconds": 0.5}, "did not end within 0.5 s"),
        ("[1][2]", {}, "it failed there: IndexError"),
        ("print('no answer')", {}, "ended without an answer"),
        ("print('[1, 2]')", {}, "ended without an answer"),
        ("print(json.dumps({'checks': 3, 'limits': ''}))", {}, "ended without an answer"),
        (
            "from workbench.models.intake.quarantined import limit; limit(9, 2**20); bytearray(2**30)",
            {},
            "asked for more memory than the 536,870,912 bytes",
        ),
        (
            "from workbench.models.intake.quarantined import limit; limit(0.1, 2**30)"
            "; exec('while True: pass')",
            {},
            "SIGXCPU|SIGKILL|more than 60 s of the processor",
        ),
    ],
)
def test_whatever_goes_wrong_there_is_one_sentence_here(tried, words, limits, why):
    with pytest.raises(
        UnsafeFileError, match=f"'model.json' is tried in a process of its own.*{why}"
    ):
        tried(words, **limits)


def test_what_comes_back_is_text_and_only_our_errors_have_names(tried):
    with pytest.raises(InputError, match=r"^rows do  not fit$"):
        tried("print(json.dumps({'error': 'InputError', 'message': 'rows do\\n not \\u202efit'}))")
    for name in ("SystemExit", "KeyboardInterrupt", "Any", "annotations", "__name__"):
        with pytest.raises(UnsafeFileError, match=r"^so it says$"):
            tried(f"print(json.dumps({{'error': {name!r}, 'message': 'so it says'}}))")


def test_the_process_sees_no_secret_and_no_module_of_the_working_folder(
    tried, monkeypatch, tmp_path
):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (seen,) = tried(answering("' '.join(os.environ)")).checks
    assert "PATH" in seen
    assert "SECRET" not in seen
    assert "PYTHONPATH" not in seen
    (folder,) = tried(answering("os.getcwd()")).checks
    assert folder != str(tmp_path)
    assert not Path(folder).exists()


def test_the_process_gets_the_very_bytes_and_the_rows_to_try(tried):
    like = Inputs(
        np.array([[1.5, 1.0], [0.0, 1.0]], np.float32),
        kind="tabular",
        features=("age", "town"),
        categories={"town": ("Rome", 3)},
    )
    words = "line = sys.stdin.buffer.readline(); from workbench.models.intake import quarantined; "
    words += "like = quarantined._read(json.loads(line)['like']); "
    words += answering(
        "repr([like.values.tolist(), like.values.dtype.name, dict(like.categories)])"
    )
    (seen,) = tried(words, like=like).checks
    assert seen == "[[[1.5, 1.0], [0.0, 1.0]], 'float32', {'town': ('Rome', 3)}]"
    (data,) = tried("sys.stdin.buffer.readline(); " + answering("sys.stdin.read()")).checks
    assert data == "content"


def test_a_preprocessing_goes_along_only_where_it_is_data(tried):
    words = "order = json.loads(sys.stdin.buffer.readline()); "
    words += answering("repr([order['given']['preprocess'], order['like'] is None])")
    like = Inputs([[1.0]], kind="tabular")
    given = GIVEN | {"preprocess": Normalize([0.5], [2.0])}
    assert tried(words, like=like, given=given).checks == (
        "[{'mean': [0.5], 'std': [2.0]}, False]",
    )
    given = GIVEN | {"preprocess": lambda rows: rows}
    assert tried(words, like=like, given=given).checks == ("[None, True]",)


def test_the_same_bytes_are_tried_once_a_session_and_refusals_are_not_kept(
    tried, monkeypatch, tmp_path
):
    tried(answering("'fine'"))
    started = []
    real = subprocess.Popen

    def counted(*args, **more):
        started.append(args)
        return real(*args, **more)

    monkeypatch.setattr(subprocess, "Popen", counted)
    assert quarantine.try_first(a_file(), GIVEN, None, (), 7, Quarantine()).checks == ("fine",)
    assert started == []
    quarantine.try_first(a_file(), GIVEN, None, (), 7, Quarantine(seconds=9))
    assert len(started) == 1
    monkeypatch.setattr(quarantine, "_START", "raise SystemExit(1)")
    for count in (2, 3):
        with pytest.raises(UnsafeFileError):
            quarantine.try_first(a_file(), GIVEN, None, ("a.b",), 7, Quarantine())
        assert len(started) == count


def test_where_no_process_can_be_started_nothing_is_loaded(tried, monkeypatch):
    monkeypatch.setattr(quarantine.sys, "executable", "/nowhere/python")
    with pytest.raises(UnsafeFileError, match="no process could be started"):
        tried(answering("1"))


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"bytes": -1}])
def test_a_quarantine_cannot_be_switched_off(limits):
    with pytest.raises(InputError, match="cannot be left out"):
        Quarantine(**limits)


def test_rows_are_scored_there_first_and_the_record_says_so(tmp_path):
    (tmp_path / "m.onnx").write_bytes(seed("ONNX"))
    model = load(tmp_path / "m.onnx", like=Inputs(X[:11], kind="tabular"))
    assert "11 rows of like scored" not in model.file.checks  # no more than eight are handed over
    assert "8 rows of like scored" in model.file.checks
    assert "ended after 60 s" in model.file.quarantine
    assert "bytes of memory beyond the libraries'" in model.file.quarantine
