"""Tables as CSV that a spreadsheet shows and does not run."""

from __future__ import annotations

import base64
import csv
import io
import unicodedata
from typing import TYPE_CHECKING, Any

from workbench.core.markup import clean, escape

if TYPE_CHECKING:
    import pandas

_BEGINS_A_FORMULA = frozenset("=+-@")
_MINUS = "\u2212"  # what mathematics writes for "-"; no form of it by Unicode's own table
_QUOTES = "'\"`\u2018\u2019\u201c\u201d"  # some spreadsheets take them away
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs without ink
_BEFORE_IT = frozenset(_QUOTES + _BLANKS)
LONGEST = 32_000
"""Characters of a cell: spreadsheets cut at 32 767."""


def csv_text(frame: pandas.DataFrame) -> str:
    """A table as CSV (RFC 4180): numbers in full, texts quoted and never a formula.

    A spreadsheet computes a cell that begins with =, +, - or @, in any of their forms (full width, small,
    raised), even in quotes, and a formula can run a program or send the sheet away. Such texts get an
    apostrophe in front, heads of columns too; numbers stay numbers.

    Args:
        frame: its index is left out.

    Example:
        >>> import pandas as pd
        >>> print(csv_text(pd.DataFrame({"name": ["=1+1"], "value": [-0.5]})), end="")
        "name","value"
        "'=1+1",-0.5
    """
    page = io.StringIO()
    writer = csv.writer(page, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([_cell(str(column)) for column in frame.columns])
    known = frame.astype(object).where(frame.notna(), None)
    writer.writerows([_cell(value) for value in line] for line in known.itertuples(index=False))
    return page.getvalue()


def csv_bytes(frame: pandas.DataFrame) -> bytes:
    """The same as a file's content: UTF-8 with the mark by which spreadsheets know it."""
    return csv_text(frame).encode("utf-8-sig")


def csv_link(frame: pandas.DataFrame, name: str, words: str = "Save table as CSV") -> str:
    """A link that saves the table, which it carries itself: no script, no request.

    Args:
        frame: the table.
        name: of the file to save, without its end; what no file can be called is left out of it.
        words: what the link says.
    """
    held = base64.b64encode(csv_bytes(frame)).decode("ascii")
    return (
        f'<a class="wb-save" download="{escape(file_name(name))}.csv" '
        f'href="data:text/csv;charset=utf-8;base64,{held}">{escape(words)}</a>'
    )


def file_name(text: object, *, limit: int = 80) -> str:
    """`text` as the name of a file in the folder that is meant, on any system: letters, digits, - and _.

    >>> file_name("../../etc/passwd"), file_name("Drift of net"), file_name("..")
    ('etc_passwd', 'Drift_of_net', 'unnamed')
    """
    kept = "".join(ch if ch.isalnum() or ch == "-" else "_" for ch in clean(text, limit=limit))
    return "_".join(part for part in kept.split("_") if part) or "unnamed"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    number = value.item() if hasattr(value, "item") else value  # NumPy's print their type
    if isinstance(number, int | float) and not isinstance(number, bool):
        return number
    text = clean(value, limit=LONGEST)
    return f"'{text}" if _computed(text) else text


def _computed(text: str) -> bool:
    """Whether a spreadsheet may take the text for a formula.

    >>> _computed("\ufe66 1"), _computed(" '\uff0b1"), _computed("a=1"), _computed("\u207b1")
    (True, True, False, True)
    """
    for ch in text:
        form = unicodedata.normalize("NFKC", ch).replace(_MINUS, "-").lstrip()
        if form and ch not in _BEFORE_IT and not unicodedata.category(ch).startswith("M"):
            return form[0] in _BEGINS_A_FORMULA
    return False
