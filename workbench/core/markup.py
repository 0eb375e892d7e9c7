"""The one place where text from data becomes markup, a label or a line in a terminal."""

from __future__ import annotations

import html
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BREAKS = dict.fromkeys(map(ord, "\n\r\t\v\f\x85\u2028\u2029"), " ")
_MARKS = frozenset({"Mn", "Me"})
_MOST_MARKS = 4  # on one letter: more than any script writes, and too few to cover the lines above


def clean(text: object, *, limit: int = 200) -> str:
    """`text` on one line: control and direction characters removed, cut at `limit` characters.

    >>> clean("a\\u202eb\\nc")
    'ab c'
    >>> clean("x" * 9, limit=5)
    'xxxx…'
    >>> clean("\\u200b")
    '(invisible)'
    """
    given = str(text)
    line = _seen(given[: 4 * limit].replace("\r\n", " ").translate(_BREAKS))
    if given and not line:
        return "(invisible)"
    return line if len(line) <= limit else line[: limit - 1] + "…"


def printable(text: object, *, limit: int = 20_000) -> str:
    """`text` of many lines, such as a traceback, each of them clean, for a terminal or a live region.

    >>> printable("one\\x1b[31m\\n  two")
    'one[31m\\n  two'
    """
    lines = str(text)[:limit].split("\n")
    return "\n".join(_seen(line.translate(_BREAKS)) for line in lines)


def escape(text: object, *, limit: int = 200) -> str:
    """`text` cleaned and safe inside HTML text or a quoted attribute.

    >>> escape("<b>'age' & \\"dose\\"</b>")
    '&lt;b&gt;&#x27;age&#x27; &amp; &quot;dose&quot;&lt;/b&gt;'
    """
    return html.escape(clean(text, limit=limit), quote=True)


def encodable(text: object) -> str:
    """`text` with halves of characters, which no file or message can hold, replaced by U+FFFD.

    They come from names of files that are not UTF-8, and from text that was cut in two.

    >>> encodable("a\\udcffb")
    'a\\ufffdb'
    """
    given = str(text)
    if given.isascii():
        return given
    return "".join("\ufffd" if "\ud800" <= ch <= "\udfff" else ch for ch in given)


def _seen(line: str) -> str:
    """The characters of a line that are seen, with no more than a few marks on each letter."""
    if line.isascii() and line.isprintable():
        return line
    kept = []
    marks = 0
    for ch in line:
        kind = unicodedata.category(ch)
        marks = marks + 1 if kind in _MARKS else 0
        if kind not in _HIDDEN and marks <= _MOST_MARKS:
            kept.append(ch)
    return "".join(kept)
