"""Every how-to of CONTRIBUTING.md is followed to the letter, in a copy of the package.

A how-to is a section `### … a thing`. Of its fenced blocks, one after "New file `path`:" becomes that
file, one that follows "In `path`, above `line`:" is put above the only line that begins so, and one that
follows "Then this holds:" is run.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEP = re.compile(
    r"^(?:New file `(?P<new>[^`\n]+)`|In `(?P<into>[^`\n]+)`, above `(?P<line>[^\n]+)`|"
    r"(?P<holds>Then this holds)):\n\n```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
HOW_TO = {
    title.strip(): section
    for title, section in re.findall(
        r"^### … (.+?)\n(.*?)(?=^### |^## |\Z)", TEXT, re.MULTILINE | re.DOTALL
    )
}


@dataclass(frozen=True)
class Done:
    """What following a how-to left: the copy, the files it made or changed, and the last run."""

    copy: Path
    touched: tuple[str, ...]
    run: subprocess.CompletedProcess


def followed(section: str, folder: Path) -> Done:
    shutil.copytree(
        ROOT / "workbench", folder / "workbench", ignore=shutil.ignore_patterns("__pycache__")
    )
    touched: list[str] = []
    done = None
    for step in STEP.finditer(section):
        if step["holds"]:
            done = ran(step["code"], folder)
            continue
        path = folder / (step["new"] or step["into"])
        touched.append(str(path.relative_to(folder)))
        if step["new"]:
            assert not path.exists(), f"{path.name} is there already"
            path.parent.mkdir(exist_ok=True)
            path.write_text(step["code"], encoding="utf-8")
        else:
            path.write_text(
                inserted(path.read_text(encoding="utf-8"), step["line"], step["code"]),
                encoding="utf-8",
            )
    assert done is not None, "a how-to ends with what holds"
    return Done(folder, tuple(dict.fromkeys(touched)), done)


def inserted(text: str, line: str, code: str) -> str:
    lines = text.splitlines(keepends=True)
    (place,) = [i for i, one in enumerate(lines) if one.strip().startswith(line)]
    return "".join([*lines[:place], code, *lines[place:]])


def ran(code: str, folder: Path) -> subprocess.CompletedProcess:
    program = (
        f"import workbench; assert workbench.__file__.startswith({str(folder)!r}), workbench\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program + code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_the_how_tos_are_there_and_no_block_of_code_is_overlooked():
    assert set(HOW_TO) == {
        *(
            "a method",
            "an adapter",
            "a compressor",
            "a drift metric",
            "a kind of rows",
            "a picture",
        ),
        "a panel",
    }
    assert len(STEP.findall(TEXT)) == TEXT.count("```python")


@pytest.mark.parametrize("title", list(HOW_TO))
def test_a_how_to_works_and_touches_one_place(title, tmp_path):
    done = followed(HOW_TO[title], tmp_path)
    assert done.run.returncode == 0, done.run.stderr
    # One file; of a panel, the files of one folder that was not there.
    places = {Path(path).parent if title == "a panel" else path for path in done.touched}
    assert len(places) == 1, places


@pytest.mark.parametrize("title", list(HOW_TO))
def test_what_holds_is_not_so_without_the_files(title, tmp_path):
    last = [step for step in STEP.finditer(HOW_TO[title]) if step["holds"]][-1]
    shutil.copytree(
        ROOT / "workbench", tmp_path / "workbench", ignore=shutil.ignore_patterns("__pycache__")
    )
    assert ran(last["code"], tmp_path).returncode == 1


@pytest.mark.parametrize("title", list(HOW_TO))
def test_the_code_is_as_the_linter_wants_it(title):
    for step in STEP.finditer(HOW_TO[title]):
        if step["new"]:
            for command in (["check", "-"], ["format", "--check", "-"]):
                done = subprocess.run(
                    [sys.executable, "-m", "ruff", *command, "--stdin-filename", step["new"]],
                    input=step["code"],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    encoding="utf-8",
                )
                assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_it_names_are_the_makefiles():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"make (\w+)", TEXT)) - {"builds"}
    assert {"fast", "fix", "cov", "test"} <= named
    for target in named:
        assert f"\n{target}:" in makefile
