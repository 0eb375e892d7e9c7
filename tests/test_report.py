"""The report is one file that needs nothing, shows every result, and turns no text into markup."""

from html.parser import HTMLParser

import numpy as np
import pytest

import workbench as wb
from tests.results_by_hand import (
    HOSTILE,
    image_result,
    sampled_result,
    superpixel_result,
    table_result,
)
from workbench import report as room
from workbench.core import Provenance
from workbench.errors import InputError
from workbench.methods import Occlusion
from workbench.report import report

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that every element is closed, and collects what a reader meets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.seen if name == tag]


def test_every_result_has_its_section_pictures_and_tables():
    results = [table_result(), sampled_result(), image_result(), superpixel_result()]
    text = report(results, title="Same reasons?")
    page = Page(text)
    assert len(page.all("section")) == 4
    assert len(page.all("img")) == 2 + 2 + 1 + 1
    assert all(image["alt"] and len(image["alt"]) > 40 for image in page.all("img"))
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert len(page.all("h1")) == 1
    said = " ".join(page.words)
    for words in (
        "Same reasons?",
        "TreeSHAP of forest",
        "GradCAM of network",
        "In probability; exact",
        "sampled, with standard errors, stopped early",
        "largest gap 0",
        "the values need not sum to the output",
        "PermutationSHAP(budget=None, tolerance=None",
    ):
        assert words in said


def test_nothing_is_fetched_and_nothing_runs():
    text = report([table_result(), image_result()], title="t")
    page = Page(text)
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    for _, attributes in page.seen:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert "http" not in (value or "")
    assert "@import" not in text
    assert "url(" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_markup(name):
    plain = report([table_result(model="m")], title="t")
    with pytest.MonkeyPatch.context() as patch:  # missing glyphs are no error
        patch.setattr("warnings.warn", lambda *a, **k: None)
        result = table_result(
            names=(name, "b", "c"),
            model=name,
            explained=(name, "x"),
            provenance=Provenance(notes=(name,)),
        )
        text = report([result], title=name)
    page = Page(text)
    added = len(page.seen) - len(Page(plain).seen)
    assert added == 2  # the note's list and its item, nothing from the name
    assert "<script" not in text
    assert "\u202e" not in text


def test_agreement_comes_first_with_its_notes(network, table):
    flipped = wb.Model("flipped", lambda rows: -network.predict(rows), network.outputs, "logit")
    results = list(wb.run(wb.Study((network, flipped), (Occlusion(),), table)))
    comparison = wb.compare(results, reference="network")
    text = report(results, title="t", comparisons=(comparison,))
    assert text.index("Agreement with network") < text.index("Occlusion of network")
    assert "another output was explained" in text


def test_many_rows_are_summarized_and_counted():
    result = table_result(np.random.default_rng(0).normal(size=(40, 3)))
    page = Page(report([result], title="t", rows=1))
    assert len(page.all("img")) == 2  # the beeswarm and one row
    assert "The first 12 of 40." in " ".join(page.words)


def test_a_failed_report_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    path = tmp_path / "sub" / "report.html"
    report([table_result()], title="old", path=path)
    assert "old" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o444 == 0o444

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(room.os, "replace", broken)
    with pytest.raises(InputError, match=r"A report needs a file that can be written.*disk full"):
        report([table_result()], title="new", path=path)
    assert "old" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_an_empty_report_is_refused():
    with pytest.raises(InputError, match="at least one attribution"):
        report([], title="t")
