"""Text with nothing hidden in it and that no terminal obeys: what errors, labels and markup hold."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
BREAKS = dict.fromkeys(map(ord, "\n\r\t\v\f\x85\u2028\u2029"), " ")
_SPELLED = {
    "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "±": "+/-", "−": "-", "–": "-", "—": "-", "×": "x", "·": ".",
    "…": "...", "→": "->", "▸": ">", "●": "*", "◆": "*", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
_MARKS = frozenset({"Mn", "Me"})
_MOST_MARKS = 4  # on one letter: more than any script writes, and too few to cover the lines above


def printable(text: object, *, limit: int = 20_000) -> str:
    """`text` of many lines, such as a traceback, each of them clean, for a terminal or a live region.

    >>> printable("one\\x1b[31m\\n  two")
    'one[31m\\n  two'
    """
    lines = str(text)[:limit].split("\n")
    return "\n".join(seen(line.translate(BREAKS)) for line in lines)


def seen(line: str) -> str:
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


def spelled(text: str, encoding: str | None) -> str:
    """`text` as the encoding can write it: signs that it lacks are spelled out, letters become their codes.

    >>> spelled("≤ 5 %, é", "ascii"), spelled("≤ 5 %, é", "cp1252"), spelled("≤ 5 %, é", "utf-8")
    ('<= 5 %, \\\\xe9', '<= 5 %, é', '≤ 5 %, é')
    """
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_spelled(ch, encoding) for ch in text)
    return text


def _spelled(ch: str, encoding: str) -> str:
    try:
        ch.encode(encoding)
    except UnicodeEncodeError:
        return _SPELLED.get(ch) or ch.encode("ascii", "backslashreplace").decode()
    return ch
