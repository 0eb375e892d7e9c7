"""Every table goes through one file, where cells are texts and heads say what they are heads of."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

import workbench as wb
from tests.hostile_names import NAMES, hidden_in, skeleton
from workbench.core import TableCell, TableGroup, clean, frame_cells, html_table, text_table

SOURCES = Path(wb.__file__).parent
MARKUP = re.compile(r"</?(table|thead|tbody|tr|th|td|caption|colgroup)\b")


def test_markup_of_tables_stands_in_one_file():
    files = sorted(SOURCES.rglob("*.py"))
    assert len(files) > 200
    found = [path for path in files if MARKUP.search(path.read_text(encoding="utf-8"))]
    assert found == [SOURCES / "core" / "table.py"]


def tree(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html)


def cells(row: ElementTree.Element) -> list[tuple[str, str | None, str]]:
    return [(cell.tag, cell.get("scope"), "".join(cell.itertext())) for cell in row]


def test_a_head_says_what_it_is_the_head_of_and_a_corner_without_words_is_none():
    first, second = tree(html_table(("", "size"), [("a", 1)], "Sizes")).iter("tr")
    assert cells(first) == [("td", None, ""), ("th", "col", "size")]
    assert cells(second) == [("th", "row", "a"), ("td", None, "1")]
    (row,) = tree(html_table((), [("model", "LIME", 0.5)], named=2)).iter("tr")
    assert [scope for _, scope, _ in cells(row)] == ["row", "row", None]


def test_a_head_over_a_group_is_that_of_its_own_lines_alone():
    groups = [
        TableGroup(TableCell(name, "kept", ("why",)), [("x", "1"), ("y", "2")]) for name in "ab"
    ]
    bodies = list(tree(html_table(("name", "n"), groups)).iter("tbody"))
    assert len(bodies) == 2
    for body, name in zip(bodies, "ab", strict=True):
        head, *lines = body
        assert cells(head) == [("th", "rowgroup", f"{name}: keptwhy")]
        assert head[0].get("colspan") == "2"
        assert [cells(line)[0] for line in lines] == [("th", "row", "x"), ("th", "row", "y")]


def test_remarks_stand_in_their_cell_or_under_the_whole_line():
    inside = tree(html_table((), [(TableCell("a", remarks=("one", "two")), "1")]))
    assert [div.text for div in inside.find(".//th").iter("div")] == ["one", "two"]
    line, more = tree(html_table((), [(TableCell("a", remarks=("one",), across=True), "1")])).iter(
        "tr"
    )
    assert line.find(".//div") is None
    assert more[0].get("colspan") == "2"
    assert "".join(more.itertext()) == "one"
    (plain,) = tree(html_table((), [(TableCell("a", across=True), "1")])).iter("tr")
    assert plain.get("class") is None


def test_looks_are_classes_and_words_are_set_from_the_left():
    wide = tree(html_table(("a", "b"), [("x", "1")], look="wide", texts=1))
    assert (wide.tag, wide.get("class")) == ("div", "wb-wide-table")
    assert [cell.get("class") for cell in wide.iter("th")] == ["text", None, "text"]
    assert tree(html_table((), [("x", "1")], look="plain")).get("class") == "wb-plain"
    assert tree(html_table((), [("x", "1")])).get("class") is None


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_hostile_texts_stay_texts_in_every_place_of_a_table(name):
    def page(given: str) -> str:
        cell = TableCell(given, given or "x", (given,))
        below = TableCell(given, remarks=(given,), across=True)
        lines = [(given, cell), (below, given), TableGroup(cell, [(given, given)])]
        return html_table((f"{given}.", f".{given}"), lines, f"{given}.", look="wide")

    assert skeleton(page(name)) == skeleton(page("harmless"))
    assert hidden_in(page(name)) == []
    text = text_table(("a", name), [(name, "1")], name)
    assert hidden_in(text.replace("\n", "")) == []
    assert len(text.split("\n")) == 2 + bool(name)


def test_a_text_is_escaped_once_wherever_it_stands():
    name = "a & b < 'c'"
    cell = TableCell(name, name, (name,))
    page = html_table((name, name), [(name, cell), TableGroup(cell, [(name, name)])], name)
    told = f"{name}: {name}{name}"
    assert "".join(tree(page).itertext()) == name * 3 + name + told + told + name * 2


def test_lines_and_groups_keep_their_order():
    lines = [("first",), TableGroup(TableCell("head"), [("second",)]), ("third",)]
    bodies = tree(html_table(("name",), lines)).iter("tbody")
    assert ["".join(body.itertext()) for body in bodies] == ["first", "headsecond", "third"]


def test_cells_are_cut_at_the_tables_limit_or_their_own():
    (row,) = tree(html_table((), [("x" * 50, TableCell("y" * 50, limit=9))], limit=20)).iter("tr")
    assert [text for _, _, text in cells(row)] == [
        clean("x" * 50, limit=20),
        clean("y" * 50, limit=9),
    ]


def test_text_is_aligned_to_the_right_where_it_is_numbers():
    lines = [("long name", "1", "22")]
    assert text_table(("n", "a", "bb"), lines).split("\n") == [
        "  n          a  bb",
        "  long name  1  22",
    ]
    assert text_table(("n", "aaa", ""), lines, numbers=False, indent="").split("\n") == [
        "n          aaa",
        "long name  1    22",
    ]


def test_a_frame_gives_fractions_in_one_form_and_all_else_as_it_is():
    frame = pd.DataFrame({"n": ["a<b"], "k": [7], "f": [2 / 3], "gone": [float("nan")]})
    assert frame_cells(frame, ".2f") == [("a<b", "7", "0.67", "nan")]
