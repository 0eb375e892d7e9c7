"""The guard that reports, the twin, the style sheet, and what importing costs."""

import re
import subprocess
import sys
from importlib.resources import files

import pytest

from workbench.errors import InputError
from workbench.panels.kit.shell import Choice, Code, Form, Shell, Status, button, reporting

STATIC = files("workbench.panels.kit") / "static"


def test_an_error_of_the_workbench_becomes_its_sentence():
    shell = Shell("Try", "to see")
    with reporting(shell):
        raise InputError("Rows are needed, but there are none.")
    assert shell.status.error == "Rows are needed, but there are none."


def test_any_other_error_becomes_its_traceback():
    shell = Shell("Try", "to see")
    with reporting(shell):
        raise KeyError("lost")
    assert shell.status.error.startswith("Traceback")
    assert "KeyError: 'lost'" in shell.status.error


def test_an_interrupt_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt), reporting(Shell("Try", "to see")):
        raise KeyboardInterrupt


def test_the_next_event_takes_the_last_error_away():
    shell = Shell("Try", "to see")
    shell.status.error = "old"
    shell.event(lambda: None)()
    assert shell.status.error == ""


def test_a_panel_does_not_hear_itself():
    shell, heard = Shell("Try", "to see"), []
    handler = shell.event(lambda: heard.append(1))
    with shell.applying():
        with shell.applying():
            handler()
        handler()
    assert heard == []
    handler()
    assert heard == [1]


def test_the_bundle_has_a_twin_with_the_title_escaped():
    shell = Shell("<b>Try</b>", "to see")
    assert "&lt;b&gt;Try" in shell._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;Try" in shell.head.value


def test_every_button_has_text_and_no_icon():
    made = button("Run")
    assert made.description == "Run"
    assert not made.icon


@pytest.mark.parametrize("widget", [Status, Choice, Form, Code])
def test_widgets_carry_their_code_as_text(widget):
    assert isinstance(widget._esm, str)  # a file would keep every instance alive (anywidget#929)
    assert "export default { render }" in widget._esm


@pytest.mark.parametrize("name", ["status.js", "choice.js", "form.js", "code.js"])
def test_scripts_fetch_nothing_and_write_no_markup(name):
    source = (STATIC / name).read_text(encoding="utf-8")
    assert not re.search(
        r"https?://|fetch\(|import |innerHTML|outerHTML|insertAdjacent|eval\(", source
    )


def test_every_color_of_the_style_sheet_has_a_fallback_and_nothing_is_fetched():
    source = (STATIC / "panel.css").read_text(encoding="utf-8")
    assert re.findall(r"var\((--jp-[\w-]+)\)", source) == []
    assert "url(" not in source
    assert "@import" not in source
    assert "prefers-reduced-motion" in source


def test_importing_panels_loads_no_heavy_library():
    heavy = "torch sklearn skimage shap pandas scipy matplotlib"
    code = f"import sys, workbench.panels; print(*set('{heavy}'.split()) & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
