"""The gate from the command line and from a test: its statuses, its table, its XML."""

import os
import shutil
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.lab.rows_by_hand import linear, table
from workbench import cli
from workbench.core import Model
from workbench.errors import IncompatibleError, InputError
from workbench.lab import Budget, assert_explanations_preserved
from workbench.lab.study_file import _MODEL, _ROWS, _RUN, _TOP
from workbench.methods import IntegratedGradients, Occlusion

DOCS = Path(__file__).resolve().parents[2] / "docs"

STUDY = """
factory = "tests.lab.test_gate:{factory}"
[[methods]]
name = "Occlusion"
[budget]
drift = {{distance = 0.05}}
"""


PASSED = '<testsuites tests="1" failures="0" errors="0"></testsuites>'


class BadLuckError(Exception):
    """As libraries make them: derived from nothing but Exception."""


def leaving():
    raise SystemExit(0)


def unlucky():
    raise BadLuckError("no connection")


def stopping():
    raise KeyboardInterrupt


def looking():
    report, seen = os.environ["REPORT_TO_COPY"].split(os.pathsep)
    shutil.copy(report, seen)
    return same()


def same():
    return linear("net", 1, 2, 3, 4, 5, 6), linear("copy", 1, 2, 3, 4, 5, 6), table(60)


def other():
    return linear("net", 1, 2, 3, 4, 5, 6), [linear("copy", 6, 5, 4, 3, 2, 1)], table(60)


def failing():
    def predict(rows):
        raise OSError("the model's server is gone")

    return linear("net", 1, 2, 3, 4, 5, 6), [Model("copy", predict, ("y",), "raw")], table()


@pytest.fixture
def study(tmp_path):
    def write(factory):
        path = tmp_path / "study.toml"
        path.write_text(STUDY.format(factory=factory), encoding="utf-8")
        return str(path)

    return write


def test_a_budget_that_is_kept_ends_with_0(study, capsys):
    assert cli.main(["check", study("same")]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "net against 1 copy, 60 rows"
    assert out.splitlines()[-1] == "The budget is kept: 2 of 2 checks held."
    assert err.splitlines()[-1] == "100%  copy (copy) is finished"


def test_a_budget_that_is_broken_ends_with_1_and_the_xml_has_the_failures(study, tmp_path, capsys):
    report = tmp_path / "report.xml"
    assert cli.main(["check", study("other"), "--junit", str(report)]) == 1
    assert "The budget is broken: 0 of 2 checks held." in capsys.readouterr().out
    (suite,) = ElementTree.parse(report).getroot()
    assert [case.get("name") for case in suite] == ["verdict", "distance by Occlusion", None]
    assert [[part.tag for part in case] for case in suite[:2]] == [
        ["properties", "failure"],
        ["failure"],
    ]
    told = {one.get("name"): one.get("value") for one in suite[0][0]}
    assert (told["word"], told["scope"], told["rows"]) == ("changed", "rows like these", "60")
    assert suite[2].text.startswith("copy: Explanations changed for rows like these (")
    assert "The line of random weights is missing" in suite[2].text
    assert float(suite.get("time")) > 0


def test_a_study_that_cannot_be_run_ends_with_2_and_the_xml_has_an_error(study, tmp_path, capsys):
    report = tmp_path / "report.xml"
    assert cli.main(["check", study("nobody"), "--junit", str(report)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("workbench: 'tests.lab.test_gate:nobody' is needed")
    (suite,) = ElementTree.parse(report).getroot()
    assert "has no function 'nobody'" in suite[0][0].get("message")


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(study, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    nowhere = tmp_path / "file" / "report.xml"
    assert cli.main(["check", study("failing"), "--junit", str(nowhere)]) == 2
    assert "--junit needs a file that can be written" in capsys.readouterr().err
    made = tmp_path / "new" / "folder" / "report.xml"
    assert cli.main(["check", study("same"), "--junit", str(made)]) == 0
    assert made.stat().st_size > 100


def test_a_model_that_fails_ends_with_2_and_not_with_1(study, tmp_path, capsys):
    report = tmp_path / "report.xml"
    assert cli.main(["check", study("failing"), "--junit", str(report)]) == 2
    assert "OSError: the model's server is gone" in capsys.readouterr().err
    assert ElementTree.parse(report).getroot()[0].get("errors") == "1"


@pytest.mark.parametrize(
    ("factory", "status", "words"),
    [
        ("leaving", 2, "0"),
        ("unlucky", 2, "BadLuckError: no connection"),
        ("stopping", 130, "KeyboardInterrupt"),
    ],
)
def test_no_end_of_the_studys_own_code_passes_for_an_outcome(
    factory, status, words, study, tmp_path, capsys
):
    report = tmp_path / "report.xml"
    report.write_text(PASSED, encoding="utf-8")
    assert cli.main(["check", study(factory), "--junit", str(report)]) == status
    assert "The budget is kept" not in capsys.readouterr().out
    (suite,) = ElementTree.parse(report).getroot()
    assert suite.get("errors") == "1"
    assert suite[0][0].get("message").partition(" (")[0].endswith(words)


def test_a_study_that_is_killed_does_not_leave_the_report_of_the_one_before(
    study, tmp_path, monkeypatch
):
    report, seen = tmp_path / "report.xml", tmp_path / "seen.xml"
    report.write_text(PASSED, encoding="utf-8")
    monkeypatch.setenv("REPORT_TO_COPY", f"{report}{os.pathsep}{seen}")
    assert cli.main(["check", study("looking"), "--junit", str(report)]) == 0
    assert "The study was not run to its end." in seen.read_text(encoding="utf-8")
    assert "The study was not run to its end." not in report.read_text(encoding="utf-8")


def test_the_example_of_the_documentation_runs_and_is_kept(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # paths count from the file's folder
    assert cli.main(["check", str(DOCS / "gate.toml")]) == 0
    out = capsys.readouterr().out
    assert "shapes_cnn against 2 copies, 60 rows" in out
    # Each copy: verdict, flips, accuracy drop; by two methods each, cosine and pointing game.
    assert out.count(" held\n") == 2 * (3 + 2 * 2)


def test_every_key_is_documented_and_every_key_of_the_documentation_is_known():
    text = (DOCS / "gate.md").read_text(encoding="utf-8")
    asked = (*_TOP, *_MODEL, *_ROWS, *_RUN, "recipe", "levels", *Budget.__dataclass_fields__)
    missing = [key for key in asked if f"`{key}" not in text and f"[{key}]" not in text]
    assert missing == []
    for snippet in text.split("```toml\n")[1:]:
        assert set(tomllib.loads(snippet.split("```")[0])) <= set(_TOP)


def test_preserved_explanations_pass_a_test_and_give_the_drift():
    reference, copy, rows = same()
    found = assert_explanations_preserved(reference, copy, rows, Occlusion())
    assert dict(found.verdicts) == {"copy": "preserved"}


def test_changed_explanations_fail_a_test_with_the_table():
    reference, copies, rows = other()
    budget = Budget("any", drift={"distance": 0.05})
    with pytest.raises(AssertionError) as failure:
        assert_explanations_preserved(reference, copies, rows, Occlusion(), budget=budget)
    lines = str(failure.value).splitlines()
    assert lines[0] == "net against 1 copy, 60 rows"
    assert lines[2].endswith("BROKEN")
    assert lines[-1] == "The budget is broken: 0 of 1 checks held."


def test_a_study_that_cannot_be_run_is_no_broken_promise():
    reference, copy, rows = same()
    with pytest.raises(IncompatibleError, match="IntegratedGradients needs"):
        assert_explanations_preserved(reference, copy, rows, IntegratedGradients())


def test_a_budget_is_no_number_and_no_dict():
    for budget in (0.1, {"flips": 0.1}):
        with pytest.raises(InputError, match=r"such as Budget\(flips=0\.02\)"):
            assert_explanations_preserved(*same(), Occlusion(), budget=budget)
