"""Names that try to be markup, code, a formula, a path, a formula of mathematics or a terminal's command.

Every place where text from data is shown is rendered with these: `test_hostile_names.py` here and in
`panels/`, and in a real JupyterLab in `browser/`. A name that was believed leaves a mark: `hostile` is set
on the page, or somebody is asked at `hostile.invalid`.
"""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

FIRE = "window.hostile=1"
AWAY = "http://hostile.invalid/"

NAMES: dict[str, str] = {
    "script": f"<script>{FIRE};alert(1)</script>",
    "image": f"<img src=x onerror={FIRE}>",
    "image elsewhere": f'<img src="{AWAY}a.png">',
    "quotes broken out of": f'"><svg onload={FIRE}>',
    "single quotes broken out of": f"'><svg onload={FIRE}>",
    "an attribute added": f'x" autofocus onfocus="{FIRE}',
    "an attribute added in single quotes": f"x' onmouseover='{FIRE}",
    "backticks": f"` onfocus={FIRE} `",
    "title closed": f"</title><script>{FIRE}</script>",
    "style closed": f"</style><script>{FIRE}</script>",
    "script closed": f"</script><img src=x onerror={FIRE}>",
    "textarea closed": f"</textarea></pre></table></details><img src=x onerror={FIRE}>",
    "option closed": f"</option></select><img src=x onerror={FIRE}>",
    "drawing": f"<svg/onload={FIRE}>",
    "animated drawing": f"<svg><animate onbegin={FIRE} attributeName=x dur=1s>",
    "frame": f"<iframe srcdoc='<script>parent.{FIRE}</script>'></iframe>",
    "link to script": f"<a href=javascript:{FIRE}>click</a>",
    "bare link to script": f"javascript:{FIRE}",
    "style sheet elsewhere": f"<link rel=stylesheet href={AWAY}a.css>",
    "style": f"x;background:url({AWAY}b.png);position:fixed;inset:0",
    "form": f"<form action={AWAY}><input type=submit></form>",
    "base": f"<base href={AWAY}>",
    "comment opened": f"<!--><img src=x onerror={FIRE}>-->",
    "character data": "]]><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;<![CDATA[<b>]]>",
    "processing instruction": "<?xml-stylesheet href='x'?><?php echo 1 ?>",
    "entities": f"&lt;img src=x onerror={FIRE}&gt;&amp;#60;&#x3c;b&#62;",
    "markup in many cases": f"<ScRiPt\x0c/x>{FIRE}</sCrIpT >",
    "markup cut in two by NUL": f"<scr\x00ipt>{FIRE}</scr\x00ipt>",
    "markup of full width": f"\uff1cscript\uff1e{FIRE}\uff1c/script\uff1e",
    "template of braces": "{{constructor.constructor('window.hostile=1')()}}",
    "template of dollars": "${window.hostile=1}",
    "template of percents": "%(x)s %s {0.__class__} {name!r} <%= 1 %>",
    "prototype": "__proto__",
    "mathematics unknown": "$\\badcmd$",
    "mathematics unbalanced": "cost in $ {_^\\",
    "mathematics balanced": "$x^{y}$ and $\\frac{1}{",
    "terminal's color": "\x1b[31mred\x1b[0m\x1b]0;owned\x07",
    "terminal's eighth bit": "\x9b2Jgone\x9d0;owned\x9c",
    "NUL": "a\x00b",
    "bell, backspace, return": "good\x07\x08\x08\x08\x08evil\r\nPASSED",
    "lines": "one\ntwo\u2028three\u2029four\x85five\x0bsix",
    "overridden direction": "\u202egnp.exe\u202c \u2066x\u2069\u200f",
    "nothing to see": "\u200b\u200c\u200d\ufeff\u2060",
    "half a character": "half \ud83d and \udcff",
    "emoji": "👩‍👩‍👧‍👦 \U0001f3f4\U000e0067\U000e007f ☠️",
    "right to left": "مرحبا بالعالم, שלום",
    "of many scripts": "日本語の名前 한국어 ไทย देवनागरी",
    "stacked marks": "Z" + "\u0351\u0300\u0317" * 60,
    "private and unassigned": "\ue000\U000f0000\uffff\U0001ffff x",
    "very long": "long <b> " + "a" * 100_000,
    "formula": '=HYPERLINK("http://hostile.invalid/","x")',
    "formula by command": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula by sign": "+1+cmd|' /C calc'!A0",
    "formula by tab": '\t=1+1","=2+2',
    "path": "../../../../tmp/hostile",
    "path of another system": "..\\..\\C:\\hostile:stream|?*<>\"",
    "absolute path": "/tmp/hostile\x00.png",
    "code by quote": "'); import os; os.environ['HOSTILE'] = '1'  # ",
    "code by double quotes": '"""); import os; os.environ["HOSTILE"] = "1"  # ',
    "code by line": "x\nimport os; os.environ['HOSTILE'] = '1'\n#",
    "code by backslash": "\\'\\\"\\\n\\x41\\N{BULLET}\\",
    "empty": "",
    "spaces": " \u00a0\u3000",
}  # fmt: skip

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
FREE = {"alt", "aria-label", "title", "download"}
"""Attributes whose value is a text from data; all others are ours, and the same whatever the data say."""


def names(start: int, count: int) -> list[str]:
    """`count` hostile names from the corpus, round and round, each of them once."""
    every = list(NAMES.values())
    return [every[(start + i) % len(every)] for i in range(count)]


def harmless(count: int) -> list[str]:
    """As many names that nobody would look at twice."""
    return [f"name {i}" for i in range(count)]


class _Skeleton(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[object, ...]] = []

    def handle_starttag(self, tag, attributes):
        said = []
        for name, value in attributes:
            if name in FREE:
                value = ""
            elif name in ("src", "href") and (value or "").startswith("data:"):
                value = value.partition(",")[0]
            said.append((name, value))
        self.found.append((tag, *said))

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        self.found.append(("/" + tag,))

    def handle_comment(self, data):
        self.found.append(("comment", data))

    def handle_decl(self, decl):
        self.found.append(("declaration", decl))

    def unknown_decl(self, data):
        self.found.append(("declaration", data))

    def handle_pi(self, data):
        self.found.append(("instruction", data))


def skeleton(html: str) -> list[tuple[object, ...]]:
    """Markup without its text: tags, attributes, comments. The same for all data, or data became markup."""
    parser = _Skeleton()
    parser.feed(html)
    parser.close()
    return parser.found


def hidden_in(text: str) -> list[str]:
    """Characters that are not seen but do something; line breaks, which tables of text have, left out."""
    return [f"U+{ord(ch):04X}" for ch in text if ch != "\n" and unicodedata.category(ch) in HIDDEN]
