"""Hostile names in a real JupyterLab: in panels, pictures, tables and a report, and nothing happens."""

from pathlib import Path

import pytest

from tests.browser.kernels import RELEASES

pytestmark = pytest.mark.browser

SETUP = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import numpy as np
import torch
import workbench as wb
from tests.hostile_names import NAMES
from workbench import draw, methods
from workbench.compare import disagreement
from workbench.panels import Bench, CompressionPanel, EnsemblePanel, ExplainPanel, LoadPanel
from workbench.report import report

torch.set_num_threads(1)
names = list(NAMES.values())
f = len(names)
rng = np.random.default_rng(0)
rows = wb.Inputs(rng.normal(size=(f, f)), kind="tabular", features=names, ids=names, name=names[0],
                 background=rng.normal(size=(3, f)), y=np.arange(f) % 2)

def network(seed, name, outputs):
    torch.manual_seed(seed)
    module = torch.nn.Sequential(torch.nn.Linear(f, 4), torch.nn.Tanh(), torch.nn.Linear(4, f)).eval()
    return wb.wrap(module, name=name, outputs=outputs, scale="logit", kind="tabular")

# Every name is a model's, too: the same network under another name.
from dataclasses import replace
first, second = network(0, names[0], names), network(1, names[1], names)
bench = Bench([first, second, *(replace(first, name=name) for name in names[2:])],
              {{name: rows for name in names}}, architectures={{name: torch.nn.Identity for name in names}})
quick = methods.IntegratedGradients(steps=2)
explain = ExplainPanel(bench, rows=f"0-{{f - 1}}", method=quick)
_ = explain.start().wait()
ensemble = EnsemblePanel(bench, members=[names[0], names[1]], rows=f"0-{{f - 1}}", method=quick)
_ = ensemble.start().wait()
compression = CompressionPanel(
    bench, model=names[0], recipes={{"prune": [0.5]}}, methods=quick, rows="0-23")
_ = compression.start().wait()
load = LoadPanel(bench, path=names[0])
compression.drift is not None, ensemble.disagreement is not None
"""
FAIL = """
from workbench.errors import InputError
def refuse():
    raise InputError("; ".join(names))
load.event(refuse)()
report(explain.study and [compression.attributions[0]], title=names[0], path="hostile.html")
open("twins.html", "w").write("".join(one.twin() for one in (load, explain, ensemble, compression)))
"""
CELLS = [
    SETUP, FAIL, "load", "explain", "ensemble", "compression", "rows", "first", "compression.drift",
    "ensemble.disagreement", "compression.attributions[0]", "draw.bars(compression.attributions[0])",
    "raise InputError(' '.join(names))",
]  # fmt: skip

MADE_BY_A_NAME = """() => [...document.querySelectorAll(".jp-OutputArea-output *, body > *")]
  // JupyterLab itself makes links of addresses in plain text and in errors; nobody follows them unasked.
  .filter((node) => !(node.matches("pre a[rel=noopener]") && /^https?:/.test(node.getAttribute("href"))))
  .filter((node) =>
    [...node.attributes].some(({name, value}) =>
      name.startsWith("on") || name === "srcdoc" || name === "autofocus"
      || (["src", "href", "action"].includes(name) && /javascript|hostile\\.invalid/.test(value))
      || (name === "style" && value.includes("hostile")))
    || (["SCRIPT", "IFRAME", "BASE", "FORM", "OBJECT", "EMBED"].includes(node.tagName)
      && /hostile/.test(node.outerHTML)))
    .map((node) => node.outerHTML.slice(0, 200))"""


def marks(page):
    """What a name that was believed would have left on a page."""
    return page.evaluate("() => window.hostile ?? null"), page.evaluate(MADE_BY_A_NAME)


def test_no_name_becomes_an_element_a_dialog_or_a_request(lab, opened, screenshots):
    import nbformat

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    made.metadata["kernelspec"] = {"name": RELEASES[-1], "display_name": "", "language": "python"}
    nbformat.write(made, lab.folder / "hostile.ipynb")
    book = opened("hostile.ipynb")
    page, dialogs = book.page, []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    book.run_all(240)
    page.locator(".wb-panel").nth(3).locator("figure img").nth(1).wait_for(timeout=60_000)
    page.locator(".wb-error", has_text="</textarea></pre>").first.wait_for()
    (refused,) = book.errors()  # of the last cell, and of no other
    assert refused.startswith("InputError: <script>")
    assert marks(page) == (None, [])
    # What a person does next: menus are opened, other rows and models are chosen, code is read.
    panel = page.locator(".wb-panel").nth(1)
    choice = panel.get_by_label("Model", exact=True)
    for i in (1, 5, 7):
        choice.select_option(index=i)
    assert "<script>" in panel.locator(".wb-code pre").inner_text()
    book.wait_until_idle()
    assert page.locator(".jp-OutputArea-output").get_by_text("<img src=x onerror=").count() > 10
    panel.screenshot(path=screenshots / "hostile-names.png")
    assert marks(page) == (None, [])
    assert dialogs == []
    assert book.problems == []

    # The report and the panels' twins as pages of their own, where a script would run.
    alone = page.context.new_page()
    alone.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for name in ("hostile.html", "twins.html"):
        alone.set_content((lab.folder / name).read_text(encoding="utf-8"))
        assert alone.get_by_text("<img src=x onerror=").count() > 3
        assert marks(alone) == (None, [])
    assert dialogs == []

    # That all this would have been seen.
    alone.set_content("<img src=x onerror='window.hostile=1; alert(2)'>")
    alone.wait_for_function("() => window.hostile === 1")
    assert [len(found) for found in marks(alone)[1:]] == [1]
    assert dialogs == ["2"]
    alone.close()
