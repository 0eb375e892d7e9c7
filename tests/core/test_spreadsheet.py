"""A text that any spreadsheet could take for a formula gets an apostrophe in front, in all its forms."""

import csv
import io
import sys
import unicodedata

import pandas as pd
import pytest

from workbench.core import csv_text

SIGNS = "=+-@"
FORMS = [
    ch
    for ch in map(chr, range(33, sys.maxunicode + 1))
    if unicodedata.normalize("NFKC", ch)[:1] in tuple(SIGNS)
]
NAMED = "\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20\u207a\u207c\u208a\u208c"


def cell(text: str) -> str:
    lines = csv.reader(io.StringIO(csv_text(pd.DataFrame({"t": [text]}))))
    return list(lines)[1][0]


def test_every_character_whose_compatible_form_is_a_sign_begins_a_formula():
    assert set(NAMED) < set(FORMS)
    assert [ch for ch in FORMS if cell(f"{ch}1+1") != f"'{ch}1+1"] == []


@pytest.mark.parametrize("sign", ["=", "\ufe66", "\uff1d", "\u207b", "\u2212"])
@pytest.mark.parametrize(
    "before", ["", " ", "\u00a0\u3000", '"', "' ", "\u201c", "\u3164", "\ufe0f"]
)
def test_white_space_quotes_and_what_is_not_seen_hide_no_sign(sign, before):
    assert cell(f"{before}{sign}1") == f"'{before}{sign}1"


@pytest.mark.parametrize("before", ["\t", "\r", "\n", "\u200b", "\u202e", "\x00", "\ufeff"])
def test_what_no_cell_may_hold_hides_no_sign(before):
    assert cell(f"{before}\ufe66 1") in ("'\ufe66 1", "' \ufe66 1")


@pytest.mark.parametrize("text", ["a=1", "x - 1", "'quoted'", '"', "", "1e-3", "\u2261 1"])
def test_other_texts_are_left_as_they_are(text):
    assert cell(text) == text
