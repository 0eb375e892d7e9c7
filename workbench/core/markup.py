"""The one place where text from data becomes markup or a label."""

from __future__ import annotations

import html
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: object, *, limit: int = 200) -> str:
    """`text` on one line: control and direction characters removed, cut at `limit` characters.

    >>> clean("a\\u202eb\\nc")
    'ab c'
    >>> clean("x" * 9, limit=5)
    'xxxx…'
    """
    line = str(text)[: 4 * limit].replace("\n", " ").replace("\t", " ")
    line = "".join(ch for ch in line if unicodedata.category(ch) not in _HIDDEN)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def escape(text: object, *, limit: int = 200) -> str:
    """`text` cleaned and safe inside HTML text or a quoted attribute.

    >>> escape("<b>'age' & \\"dose\\"</b>")
    '&lt;b&gt;&#x27;age&#x27; &amp; &quot;dose&quot;&lt;/b&gt;'
    """
    return html.escape(clean(text, limit=limit), quote=True)
