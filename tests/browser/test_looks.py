"""Screenshots of both panels, light and dark, wide and narrow, kept for people to look at."""

import pytest

from tests.browser.kernels import RELEASES

pytestmark = pytest.mark.browser

TABLE = """
from sklearn.ensemble import RandomForestClassifier
import workbench as wb
from workbench import data, methods
from workbench.panels import Bench, ExplainPanel, LoadPanel
train, test = data.breast_cancer("train"), data.breast_cancer("test")
forest = RandomForestClassifier(30, random_state=0).fit(train.values, train.y)
bench = Bench([wb.wrap(forest, name="forest", outputs=data.BREAST_CANCER)])
bench.add_inputs(test, code="data.breast_cancer('test')")
table = ExplainPanel(bench, rows="0-3", method=methods.PermutationSHAP(budget=20_000, seed=0))
_ = table.start().wait()
_ = table.second_opinion().wait()
_ = table.estimate().wait()
"""
IMAGE = """
import torch
torch.manual_seed(0)
network = wb.wrap(wb.models.small_cnn(), name="network", outputs=data.SHAPES, scale="logit", kind="image")
images = Bench([network])
images.add_inputs(data.shapes("test", n=8), code="data.shapes('test', n=8)")
image = ExplainPanel(images, rows="0-1", method=methods.LIME(budget=200, segments=40))
_ = image.start().wait()
"""


@pytest.fixture(scope="module")
def book(lab, opened):
    import nbformat

    cells = [TABLE, "table", IMAGE, "image", "LoadPanel(bench)"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": RELEASES[-1], "display_name": "", "language": "python"}
    nbformat.write(made, lab.folder / "looks.ipynb")
    book = opened("looks.ipynb")
    book.command("application:set-mode", mode="single-document")
    book.command("application:toggle-left-area")
    book.run_all()
    book.page.locator(".wb-panel figure img").nth(1).wait_for()
    return book


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("width", [1400, 600])
def test_the_panels_fit_and_are_kept_as_pictures(book, screenshots, theme, width):
    page = book.page
    # Room for a panel of that width beside JupyterLab's prompt, and for all of it at once.
    page.set_viewport_size({"width": width + 130, "height": 3600})
    book.theme(theme)
    short = theme.split()[1].lower()
    for name, panel in zip(
        ("table", "image", "load"), page.locator(".wb-panel").all(), strict=True
    ):
        panel.scroll_into_view_if_needed()
        panel.screenshot(path=screenshots / f"{name}-{short}-{width}.png")
        spill = panel.evaluate("node => node.scrollWidth - node.clientWidth")
        assert spill <= 1, name  # a pixel of rounding; more would be cut off or need a scroll bar
    assert book.errors() == []


def test_the_ink_follows_the_theme(book):
    ink = {}
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        book.theme(theme)
        style = "node => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor]"
        ink[theme] = book.page.locator(".wb-panel").first.evaluate(style)
    assert ink["JupyterLab Light"][0] != ink["JupyterLab Dark"][0]
    assert ink["JupyterLab Light"][1] != ink["JupyterLab Dark"][1]


def test_every_control_has_a_name(book):
    nameless = book.page.locator(".wb-panel").first.evaluate(
        """panel => [...panel.querySelectorAll("input, select, button, progress, img, [role=radio]")]
             .filter(node => !(node.labels?.length || node.getAttribute("aria-label") || node.alt
                               || node.textContent.trim() || node.getAttribute("aria-labelledby")))
             .map(node => node.outerHTML)"""
    )
    assert nameless == []


def test_labels_and_names_belong_to_the_panel_they_are_in(book):
    """An id that occurs in two panels gives a radio of the second the name of one of the first."""
    ids = book.page.evaluate(
        "() => [...document.querySelectorAll('.wb-panel [id]')].map((node) => node.id)"
    )
    assert len(ids) == len(set(ids)) > 20
    image = book.page.locator(".wb-panel").nth(1)
    shown = image.locator(".wb-option .wb-option-name").all_inner_texts()
    for name in shown:
        radio = image.get_by_role("radio", name=name, exact=True)
        assert radio.locator(".wb-option-name").inner_text() == name
