"""Tables, in one place: as HTML, as aligned text, and as CSV that a spreadsheet shows and does not run.

Cells are texts from data and never markup, so no caller can forget to escape one.
"""

from __future__ import annotations

import base64
import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.core.markup import clean, escape

if TYPE_CHECKING:
    import pandas

_BEGINS_A_FORMULA = frozenset("=+-@")
_MINUS = "\u2212"  # the minus sign of mathematics, which Unicode does not treat as a form of "-"
_QUOTES = "'\"`\u2018\u2019\u201c\u201d"  # some spreadsheets strip them
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # characters that are invisible
_BEFORE_IT = frozenset(_QUOTES + _BLANKS)
LONGEST = 32_000
"""The most characters of a cell: spreadsheets cut at 32 767."""

_SENTENCE = 600
_TEXT = ' class="text"'


@dataclass(frozen=True)
class TableCell:
    """A cell that is more than a text.

    Args:
        text: its text.
        strong: a word about it, in bold after a colon.
        remarks: sentences under it in smaller letters.
        across: whether the remarks span all columns, under the whole line.
        limit: the most characters of the text; the table's when left out.
    """

    text: object
    strong: str = ""
    remarks: Sequence[str] = ()
    across: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class TableGroup:
    """Lines of a table under a head of their own, which spans all columns."""

    head: TableCell
    lines: Sequence[Sequence[object]]


def html_table(
    heads: Sequence[object],
    lines: Iterable[Sequence[object] | TableGroup],
    caption: str = "",
    *,
    named: int = 1,
    texts: int = 0,
    look: Literal["", "wide", "plain"] = "",
    limit: int = 200,
) -> str:
    """An HTML table with proper header cells; everything in it is escaped.

    Args:
        heads: the columns' headings; none for a table whose lines are named.
        lines: the lines' cells: texts or `TableCell`s; or groups of such lines.
        caption: the text above the table.
        named: how many first cells of a line are its heading.
        texts: how many first columns are words, which are aligned left.
        look: "wide" scrolls where it does not fit, while its sentences stay in sight; "plain" is only text.
        limit: the most characters of a cell.

    Example:
        >>> html_table((), [["name", "<b>"]])
        '<table><tbody><tr><th scope="row">name</th><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    title = f"<caption><span>{escape(caption, limit=_SENTENCE)}</span></caption>" if caption else ""
    columns = "".join(
        # A screen reader would read out an empty heading.
        f'<th scope="col"{_TEXT * (j < texts)}>{escape(head)}</th>' if str(head) else "<td></td>"
        for j, head in enumerate(heads)
    )
    top = f"<thead><tr>{columns}</tr></thead>" if len(heads) else ""
    body = "".join(_bodies(lines, named, texts, limit, len(heads)))
    kind = ' class="wb-plain"' if look == "plain" else ""
    table = f"<table{kind}>{title}{top}{body}</table>"
    return f'<div class="wb-wide-table">{table}</div>' if look == "wide" else table


def text_table(
    heads: Sequence[object],
    lines: Iterable[Sequence[object]],
    caption: str = "",
    *,
    numbers: bool = True,
    indent: str = "  ",
) -> str:
    """Aligned columns under their heads, the caption above them.

    Args:
        heads: the columns' headings.
        lines: the lines' cells.
        caption: the text above the table.
        numbers: whether all columns but the first are aligned right.
        indent: text in front of every line.

    Example:
        >>> print(text_table(("a", "bee"), [("x", "1")], "two columns"))
        two columns
          a  bee
          x    1
    """
    every = [[clean(cell, limit=_SENTENCE) for cell in line] for line in (heads, *lines)]
    room = [max(map(len, column)) for column in zip(*every, strict=True)]
    told = [clean(caption, limit=_SENTENCE)] if caption else []
    for line in every:
        cells = [
            f"{cell:>{width}}" if numbers and j else f"{cell:<{width}}"
            for j, (cell, width) in enumerate(zip(line, room, strict=True))
        ]
        told.append(f"{indent}{'  '.join(cells)}".rstrip())
    return "\n".join(told)


def frame_cells(frame: pandas.DataFrame, form: str = ".3g") -> list[tuple[str, ...]]:
    """The lines of a frame as texts, with fractions in this format.

    >>> import pandas as pd
    >>> frame_cells(pd.DataFrame({"name": ["a"], "count": [3], "share": [0.12345]}))
    [('a', '3', '0.123')]
    """
    return [
        tuple(format(cell, form) if isinstance(cell, float) else str(cell) for cell in line)
        for line in frame.itertuples(index=False)
    ]


def _bodies(
    lines: Iterable[Sequence[object] | TableGroup], named: int, texts: int, limit: int, columns: int
) -> Iterator[str]:
    """One table body for the lines, or one for each group, under the group's own heading."""
    loose = ""
    for line in lines:
        if not isinstance(line, TableGroup):
            loose += _line(line, named, texts, limit)
            continue
        if loose:
            yield f"<tbody>{loose}</tbody>"
            loose = ""
        head = f'<th scope="rowgroup" colspan="{columns}">{_said(line.head, limit)}</th>'
        under = "".join(_line(one, named, texts, limit) for one in line.lines)
        yield f'<tbody><tr class="wb-copy">{head}</tr>{under}</tbody>'
    if loose:
        yield f"<tbody>{loose}</tbody>"


def _line(line: Sequence[object], named: int, texts: int, limit: int) -> str:
    cells = ""
    across = ""
    for j, cell in enumerate(line):
        tag, scope = ("th", ' scope="row"') if j < named else ("td", "")
        cells += f"<{tag}{scope}{_TEXT * (j < texts)}>{_said(cell, limit)}</{tag}>"
        if isinstance(cell, TableCell) and cell.across:
            across += _remarks(cell)
    if not across:
        return f"<tr>{cells}</tr>"
    more = f'<tr class="wb-more"><td colspan="{len(line)}">{across}</td></tr>'
    return f'<tr class="wb-has-more">{cells}</tr>{more}'


def _said(cell: object, limit: int) -> str:
    if not isinstance(cell, TableCell):
        return escape(cell, limit=limit)
    said = escape(cell.text, limit=limit if cell.limit is None else cell.limit)
    strong = f": <b>{escape(cell.strong)}</b>" if cell.strong else ""
    return f"{said}{strong}{'' if cell.across else _remarks(cell)}"


def _remarks(cell: TableCell) -> str:
    return "".join(
        f'<div class="wb-remark">{escape(one, limit=_SENTENCE)}</div>' for one in cell.remarks
    )


def csv_text(frame: pandas.DataFrame) -> str:
    """A table as CSV (RFC 4180): numbers in full, texts quoted and never a formula.

    A spreadsheet computes a cell that begins with =, +, - or @, in any of their forms (full width, small,
    raised), even in quotes, and a formula can run a program or send the sheet away. Such texts get an
    apostrophe in front, column headings too; numbers stay numbers.

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
    """The same as a file's content: UTF-8 with a byte order mark, by which spreadsheets recognize it."""
    return csv_text(frame).encode("utf-8-sig")


def csv_link(frame: pandas.DataFrame, name: str, words: str = "Save table as CSV") -> str:
    """A link that saves the table. The link contains the table: no script, no request.

    Args:
        frame: the table.
        name: the name of the file, without its ending; characters that no file name can have are left out.
        words: the text of the link.
    """
    held = base64.b64encode(csv_bytes(frame)).decode("ascii")
    return (
        f'<a class="wb-save" download="{escape(file_name(name))}.csv" '
        f'href="data:text/csv;charset=utf-8;base64,{held}">{escape(words)}</a>'
    )


def file_name(text: object, *, limit: int = 80) -> str:
    """`text` as a safe file name on any system: letters, digits, - and _.

    >>> file_name("../../etc/passwd"), file_name("Drift of net"), file_name("..")
    ('etc_passwd', 'Drift_of_net', 'unnamed')
    """
    kept = "".join(ch if ch.isalnum() or ch == "-" else "_" for ch in clean(text, limit=limit))
    return "_".join(part for part in kept.split("_") if part) or "unnamed"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    number = value.item() if hasattr(value, "item") else value  # NumPy's numbers print their type
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
