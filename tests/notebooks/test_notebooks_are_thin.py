"""What every curated notebook promises about its form; nbval checks that it runs."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebooks_are_there_in_reading_order():
    names = [path.stem for path in NOTEBOOKS]
    assert names[:2] == ["01_explain_a_table", "02_explain_an_image"]
    assert [int(name[:2]) for name in names] == list(range(1, len(names) + 1))


@every_notebook
def test_the_title_is_a_question_and_the_first_cell_says_what_it_takes(path):
    first = cells(path, "markdown")[0]
    title = first.splitlines()[0]
    assert title.startswith("# ")
    assert title.endswith("?")
    assert "You need" in first
    assert re.search(r"about \d+ seconds", first)


@every_notebook
def test_cells_are_thin(path):
    for source in cells(path, "code"):
        assert not re.search(r"^\s*(def|class) ", source, re.MULTILINE), source
        assert not re.search(r"pyplot|plt\.|pip install|https?://", source), source
        assert len(source.splitlines()) <= 14, source


@every_notebook
def test_the_last_cell_asserts_the_claim(path):
    assert "assert " in cells(path, "code")[-1]


@every_notebook
def test_a_panel_cell_is_followed_by_the_same_in_code(path):
    sources = cells(path, "code")
    panels = [i for i, source in enumerate(sources) if "Panel(" in source]
    assert panels
    for i in panels:
        assert ".start()" in sources[i + 1] or ".study" in sources[i + 1], sources[i + 1]


@every_notebook
def test_outputs_are_kept_without_widget_state_errors_or_bulk(path):
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert "widgets" not in notebook["metadata"]
    assert path.stat().st_size < 1_000_000
    outputs = [o for c in notebook["cells"] if c["cell_type"] == "code" for o in c["outputs"]]
    assert outputs
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    assert "/home/" not in text
    assert "/work/" not in text
    assert "/tmp/" not in text


@every_notebook
def test_some_numbers_are_compared_on_every_run(path):
    assert any("NBVAL_CHECK_OUTPUT" in source for source in cells(path, "code"))
