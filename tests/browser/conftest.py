"""One JupyterLab and one Chromium for all browser tests; after each, no request has left the machine."""

import os
from pathlib import Path

import pytest

from tests.browser.kernels import RELEASES, kernelspec
from tests.browser.lab import Lab, Notebook, chromium, chromium_path

SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"


@pytest.fixture(scope="session")
def _browser():
    if chromium_path() is None:
        missing = "Browser tests need Chromium; on Debian: apt-get install chromium."
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with chromium() as context:
        yield context


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    with Lab(folder, {release: kernelspec(release) for release in RELEASES}) as running:
        yield running


@pytest.fixture(scope="module")
def opened(_browser, lab):
    """Opens a notebook; all of them are closed after the module."""
    books = []

    def open_notebook(path, **options):
        book = Notebook(_browser, lab, path, **options)
        books.append(book)
        return book

    yield open_notebook
    for book in books:
        book.close()


@pytest.fixture(autouse=True)
def _nothing_leaves_the_machine(_browser):
    yield
    strangers, _browser.strangers[:] = list(_browser.strangers), []
    assert strangers == []


@pytest.fixture(scope="session")
def screenshots():
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
