"""The Explain panel in a real JupyterLab, on three ipykernel releases."""

import time

import pytest

from tests.browser.kernels import RELEASES

pytestmark = pytest.mark.browser

SETUP = """
import time
import numpy as np
import workbench as wb
from workbench import methods
from workbench.panels import Bench, ExplainPanel

def slow(rows):
    time.sleep(0.05)
    return rows[:, :2]

rows = np.random.default_rng(0).normal(size=(12, 7))
inputs = wb.Inputs(rows, kind="tabular", background=rows[:5], name="numbers",
                   features=("age", "dose", "weight", "height", "pulse", "<b>bold</b>", "sugar"))
quick = wb.Model("quick", lambda r: r @ np.arange(14.0).reshape(7, 2), ("sick", "well"), "logit")
bench = Bench([quick, wb.Model("slow", slow, ("sick", "well"), "logit", batch=8)], [inputs])
"""
SHOW = "panel = ExplainPanel(bench, rows='0-2')\npanel"


def written(lab, name, cells, release):
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata["kernelspec"] = {"name": release, "display_name": release, "language": "python"}
    for cell in book.cells:
        cell.id = cell.id.replace("_", "-")
    nbformat.write(book, lab.folder / name)
    return name


@pytest.fixture(scope="module", params=RELEASES)
def book(request, lab, opened):
    release = request.param
    name = f"panel-{release}.ipynb"
    book = opened(written(lab, name, [SETUP, SHOW, "1 + 1"], release))
    book.run_all()
    book.page.wait_for_selector(".wb-panel .wb-option")
    book.release = release
    return book


def radio(book, name):
    return book.page.get_by_role("radio", name=name, exact=True)


def test_the_kernel_is_the_release_it_should_be(book):
    version = book.ask("import ipykernel; print(ipykernel.__version__)")
    assert version.startswith(book.release)


def test_a_method_is_chosen_and_run_and_the_picture_appears(book):
    radio(book, "LIME").click()
    book.wait_for("panel.view.choices.method", "LIME")
    assert radio(book, "LIME").get_attribute("aria-checked") == "true"
    book.page.get_by_role("button", name="Run", exact=True).click()
    image = book.page.locator(".wb-panel figure img")
    image.wait_for(timeout=20_000)
    assert "LIME" in image.get_attribute("alt")
    assert "sugar" in image.get_attribute("alt")
    book.wait_for("type(panel.attributions[0].method).__name__", "LIME")
    assert "Done: LIME of quick, 3 rows" in book.page.locator(".wb-live").inner_text()


def test_a_second_opinion_is_asked_for_from_the_keyboard_and_shown_below(book):
    page = book.page
    button = page.get_by_role("button", name="Second opinion", exact=True)
    assert "another library" in button.get_attribute("title")
    button.focus()
    page.keyboard.press("Enter")
    table = page.locator(".wb-opinion table")
    table.wait_for(timeout=60_000)
    book.wait_for("panel.opinion.agrees", "True")
    assert page.locator(".wb-live").inner_text().startswith("lime agrees within sampling error")
    assert table.locator("caption").inner_text().startswith("Row 0, ")
    heads = table.get_by_role("columnheader").all_inner_texts()
    assert heads == ["player", "workbench", "lime", "difference", "95 % expected"]
    assert table.get_by_role("rowheader").count() == 7
    assert page.locator(".wb-panel figure img").count() == 1
    assert button.is_enabled()


def test_the_models_row_and_parameters_reach_python(book):
    book.page.get_by_label("Which rows").fill("4-6, 1")
    book.page.get_by_label("Which rows").press("Tab")
    book.wait_for("panel.study.inputs.ids", "('4', '5', '6', '1')")
    book.page.get_by_label("Explain", exact=True).select_option("well")
    book.wait_for("panel.study.targets[0]", "Target(index='well', against=None)")
    book.page.get_by_label("seed", exact=True).fill("7")
    book.page.get_by_label("seed", exact=True).press("Enter")
    book.wait_for("panel.study.methods[0].seed", "7")
    book.page.get_by_label("ridge", exact=True).fill("-3")
    book.page.get_by_label("ridge", exact=True).press("Tab")
    book.page.get_by_text("LIME.ridge must lie in 0 … 1000, but is -3.0.").wait_for()
    assert book.page.get_by_role("button", name="Run", exact=True).is_disabled()
    book.page.get_by_label("ridge", exact=True).fill("2")
    book.page.get_by_label("ridge", exact=True).press("Tab")
    book.wait_for("panel.study.methods[0].ridge", "2.0")
    book.page.get_by_text("From the previous run (LIME of quick)").wait_for()


def test_an_impossible_method_says_why_and_is_not_chosen(book):
    tree = radio(book, "TreeSHAP")
    assert tree.get_attribute("aria-disabled") == "true"
    assert "TreeSHAP needs the model's trees" in tree.inner_text()
    tree.click(force=True)  # a person can; Playwright waits until it is enabled
    assert tree.get_attribute("aria-checked") == "false"
    assert book.ask("print(panel.view.choices.method)") == "LIME"


def test_a_long_run_is_cancelled_within_two_seconds_and_the_kernel_answers(book):
    page = book.page
    page.get_by_label("Model", exact=True).select_option("slow")
    radio(book, "PermutationSHAP").click()
    book.wait_for("panel.study.models[0].name, panel.view.choices.method", "slow PermutationSHAP")
    page.get_by_role("button", name="Run", exact=True).click()
    # Up to 280,000 model rows at less than 160 a second: a look at it, and no question, for it may be done
    # within a minute.
    book.wait_for("panel.job.name, panel.job.state", "PermutationSHAP of slow running")
    page.get_by_text("PermutationSHAP of slow …").wait_for()
    page.wait_for_function("() => document.querySelector('.wb-progress progress').value > 0")
    assert "elapsed" in page.locator(".wb-time").inner_text()
    start = time.monotonic()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.wait_for_function(
        "() => document.querySelector('.wb-live').textContent.startsWith('Cancelled')",
        timeout=10_000,
    )
    assert time.monotonic() - start < 2  # a batch is 0.05 s; the rest is the way there and back
    assert book.ask("print(40 + 2)", seconds=5) == "42"
    book.wait_for("panel.job.state", "cancelled")
    assert "Cancelled" in page.locator(".wb-live").inner_text()
    assert page.locator(".wb-panel figure img").count() == 1
    assert page.get_by_role("button", name="Run", exact=True).is_enabled()


def test_an_interrupt_of_a_waiting_cell_cancels_the_job(book):
    book.begin("panel.start().wait()")
    book.page.wait_for_function(
        "() => document.querySelector('.wb-live').textContent.endsWith('…')"
    )
    book.command("notebook:interrupt-kernel")
    book.wait_for("panel.job.state", "cancelled")


def test_a_name_from_data_stays_text(book):
    assert book.page.locator(".wb-panel table b").count() == 0


@pytest.mark.parametrize("where", ["button", "radio", "select", "slider"])
def test_d_d_typed_in_the_panel_deletes_no_cell(book, where):
    page, before = book.page, book.cells()
    target = {
        "button": page.get_by_role("button", name="Run", exact=True),
        "radio": page.locator(".wb-option[tabindex='0']"),
        "select": page.get_by_label("Model", exact=True),
        "slider": page.locator(".wb-panel input[type=range]").first,
    }[where]
    target.focus()
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("b")
    book.ask("print(1)")
    assert book.cells() == before


def test_radios_are_moved_through_with_the_arrow_keys(book):
    radio(book, "PermutationSHAP").click()
    book.wait_for("panel.view.choices.method", "PermutationSHAP")
    book.page.keyboard.press("ArrowDown")
    book.wait_for("panel.view.choices.method", "KernelSHAP")


def test_a_second_run_after_a_cancel_replaces_the_picture(book):
    book.page.get_by_label("Model", exact=True).select_option("quick")
    book.wait_for("panel.study.models[0].name", "quick")
    book.page.get_by_text("From the previous run").wait_for()
    book.page.get_by_role("button", name="Run", exact=True).click()
    book.wait_for("type(panel.attributions[0].method).__name__", "KernelSHAP")
    book.page.locator(".wb-panel figure img[alt*='KernelSHAP of quick']").wait_for()
    assert book.page.get_by_text("From the previous run").count() == 0


def test_a_long_run_is_estimated_by_keyboard_and_asked_about_before_it_starts(book):
    page = book.page
    said = book.ask("from workbench.panels.kit import preview; preview.ASK_SECONDS = 5.0")
    assert said == ""
    page.get_by_label("Model", exact=True).select_option("slow")
    book.wait_for("panel.study.models[0].name, panel.view.choices.method", "slow KernelSHAP")
    # 4 rows: 126 coalitions over 5 background rows, the ends, and the row's own score.
    line = page.locator(".wb-cost")
    page.wait_for_function(
        "() => document.querySelector('.wb-cost').textContent.trim() === 'Expected: 2,548 model rows.'"
    )
    estimate = page.get_by_role("button", name="Estimate time", exact=True)
    assert "how long" in estimate.get_attribute("title")
    estimate.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Expected: 2,548 model rows, about").wait_for(timeout=20_000)
    assert page.locator(".wb-live").inner_text().startswith("Estimate: about ")
    # A batch of 8 takes 0.05 s or more.
    assert float(book.ask("print(panel.plan.seconds[0])")) > 2548 / 8 * 0.05
    page.get_by_role("button", name="Run", exact=True).click()
    anyway = page.get_by_role("button", name="Run anyway", exact=True)
    anyway.wait_for()
    assert "That may be long: press Run anyway" in line.inner_text()
    assert "That may be long: press Run anyway" in page.locator(".wb-live").inner_text()
    assert book.ask("print(panel.asking, panel.job.name)") == "True KernelSHAP of quick"
    anyway.click()
    book.wait_for("panel.job.name, panel.job.state", "KernelSHAP of slow running")
    assert anyway.count() == 0
    page.get_by_role("button", name="Cancel", exact=True).click()
    book.wait_for("panel.job.state", "cancelled")
    page.get_by_label("Model", exact=True).select_option("quick")
    page.get_by_text("model rows, about").wait_for(state="detached")
    assert page.get_by_role("button", name="Run", exact=True).is_enabled()


def test_no_script_of_the_page_failed(book):
    assert book.problems == []
    assert book.errors() == []


def test_without_the_guard_the_same_keys_delete_the_cell(lab, opened):
    bare = f"{SHOW.splitlines()[0]}\npanel.status.guarded = False\npanel"
    book = opened(written(lab, "unguarded.ipynb", [SETUP, bare, "1 + 1"], RELEASES[-1]))
    book.run_all()
    book.page.wait_for_selector(".wb-panel .wb-option")
    before = book.cells()
    book.page.get_by_role("button", name="Run", exact=True).focus()
    book.page.keyboard.press("d")
    book.page.keyboard.press("d")
    book.ask("print(1)")
    assert book.cells() == before - 1
