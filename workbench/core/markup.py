"""The one place where text from data becomes markup, a label or a line in a terminal."""

from __future__ import annotations

import html

from workbench.printable import BREAKS, printable, seen

__all__ = ["clean", "encodable", "escape", "printable"]


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
    line = seen(given[: 4 * limit].replace("\r\n", " ").translate(BREAKS))
    if given and not line:
        return "(invisible)"
    return line if len(line) <= limit else line[: limit - 1] + "…"


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
