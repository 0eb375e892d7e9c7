"""The one place where text from data becomes markup, a label or a line in a terminal."""

from __future__ import annotations

import html
from collections.abc import Sequence

from workbench.printable import BREAKS, printable, seen

__all__ = ["apart", "clean", "encodable", "escape", "printable"]


def clean(text: object, *, limit: int = 200) -> str:
    """`text` on one line of at most `limit` characters, cut in the middle, without hidden characters.

    Similar names differ at their end as often as at their beginning, and an error message ends with what to
    do, so both ends are kept.

    >>> clean("a\\u202eb\\nc")
    'ab c'
    >>> clean("resnet_seed_17", limit=9)
    'resn…d_17'
    >>> clean("\\u200b")
    '(invisible)'
    """
    given = str(text)
    room = 4 * limit  # enough to fill a line, even if many characters are hidden
    whole = len(given) <= 2 * room
    head = _one_line(given if whole else given[:room])
    tail = head if whole else _one_line(given[-room:])
    if given and not head and not tail:
        return "(invisible)"
    if whole and len(head) <= limit:
        return head
    end = (limit - 1) // 2
    return f"{head[: limit - 1 - end]}…{tail[len(tail) - end :] if end < len(tail) else tail}"


def apart(names: Sequence[str], *, limit: int) -> tuple[str, ...]:
    """Names cut as `clean` does; names that would look the same are cut around where they differ.

    >>> apart(["net_seed_1_of_job_a", "net_seed_2_of_job_a", "net"], limit=9)
    ('…_1_o…b_a', '…_2_o…b_a', 'net')
    """
    shown = _apart([_one_line(name) for name in names], limit)
    looks: dict[str, list[str]] = {}
    for name, one in zip(names, shown, strict=True):
        if name not in looks.setdefault(one, []):
            looks[one].append(name)
    # Names that differ only in hidden characters, or have no room to differ, are numbered.
    return tuple(
        f"{one} ({looks[one].index(name) + 1})" if len(looks[one]) > 1 else one or clean(name)
        for name, one in zip(names, shown, strict=True)
    )


def _apart(lines: Sequence[str], limit: int) -> list[str]:
    shown = [clean(line, limit=limit) for line in lines]
    for same in sorted(set(shown)):
        at = [i for i, one in enumerate(shown) if one == same]
        start = max(0, _shared([lines[i] for i in at]) - limit // 5)
        if limit > 1 and len({lines[i] for i in at}) > 1:
            for i, rest in zip(at, _apart([lines[i][start:] for i in at], limit - 1), strict=True):
                shown[i] = f"…{rest.lstrip('…')}"
    return shown


def _shared(lines: Sequence[str]) -> int:
    """How many first characters all lines share."""
    differ = (k for k, at in enumerate(zip(*lines, strict=False)) if len(set(at)) > 1)
    return next(differ, min(map(len, lines)))


def _one_line(text: str) -> str:
    return seen(text.replace("\r\n", " ").translate(BREAKS))


def escape(text: object, *, limit: int = 200) -> str:
    """`text` cleaned and safe inside HTML text or a quoted attribute.

    >>> escape("<b>'age' & \\"dose\\"</b>")
    '&lt;b&gt;&#x27;age&#x27; &amp; &quot;dose&quot;&lt;/b&gt;'
    """
    return html.escape(clean(text, limit=limit), quote=True)


def encodable(text: object) -> str:
    """`text` with lone surrogates, which no file or message can hold, replaced by U+FFFD.

    They come from file names that are not UTF-8, and from text that was cut within a character.

    >>> encodable("a\\udcffb")
    'a\\ufffdb'
    """
    given = str(text)
    if given.isascii():
        return given
    return "".join("\ufffd" if "\ud800" <= ch <= "\udfff" else ch for ch in given)
