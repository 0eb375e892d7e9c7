"""The curated notebooks, opened and run as a reader would."""

import json
import shutil
from pathlib import Path

import pytest

from tests.browser.kernels import RELEASES

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_panels_show_their_pictures(path, lab, opened, screenshots):
    copy = lab.folder / path.name
    shutil.copy(path, copy)
    content = json.loads(copy.read_text(encoding="utf-8"))
    content["metadata"]["kernelspec"] = {
        "name": RELEASES[-1],
        "display_name": "",
        "language": "python",
    }
    copy.write_text(json.dumps(content), encoding="utf-8")
    book = opened(path.name)
    book.run_all(seconds=180)
    panels = book.page.locator(".wb-panel")
    panels.first.wait_for()
    book.page.locator(".wb-panel figure img").first.wait_for()
    for image in book.page.locator(".wb-panel figure img").all():
        assert len(image.get_attribute("alt")) > 20
    assert book.errors() == []
    assert book.problems == []
    book.page.set_viewport_size({"width": 1400, "height": 2600})
    panels.last.scroll_into_view_if_needed()
    panels.last.screenshot(path=screenshots / f"{path.stem}.png")
